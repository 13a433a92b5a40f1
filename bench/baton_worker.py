"""Baton's worker, hooked: `python -m bench.baton_worker` is `python worker.py` that also marks what happens when."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import worker
from activities import serving
from baton.agents.scripted import ScriptedModel
from bench.marks import MODEL, MarkActivities, mark


def hook() -> None:
    """Mark activities as the bare worker does, and calls of the model."""
    original_worker, original_stream = serving.Worker, ScriptedModel.request_stream

    def marked_worker(*args: Any, interceptors: Any = (), **kwargs: Any) -> Any:
        return original_worker(*args, interceptors=[MarkActivities(), *interceptors], **kwargs)

    def marked_stream(self: ScriptedModel, *args: Any, **kwargs: Any) -> AbstractAsyncContextManager[Any]:
        mark(MODEL)
        return original_stream(self, *args, **kwargs)

    serving.Worker = marked_worker
    ScriptedModel.request_stream = marked_stream  # pyright: ignore[reportAttributeAccessIssue]


if __name__ == "__main__":
    hook()
    worker.main()
