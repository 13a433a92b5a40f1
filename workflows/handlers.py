"""Signal and update handlers that cannot break their workflow, whatever people send them.

An exception that leaves a handler fails the workflow's task, and every later attempt at it: nothing of that workflow
runs again. Handlers that are declared here are only called with what fits them. Anything else is dropped, with a line
in the log and in what Temporal's UI shows; neither says what was sent.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Final, get_type_hints

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.converter import value_to_type
from temporalio.exceptions import ActivityError, ApplicationError

from baton.domain.markdown import LAST_LINE
from workflows.activities import failure_code
from workflows.typed import TypedOutcome

#: The type of an update's failure that was sent with inputs that do not fit.
INVALID: Final = "invalid_input"
#: The same where the handler itself is at fault.
BROKEN: Final = "handler_failed"


def typed_key(number: int | None = None) -> str:
    """The key of what was typed: the ``number``-th signal of this task or plan, or the update that is being handled.

    The same where the workflow is reset and hears all of it again.
    """
    chain = workflow.info().first_execution_run_id
    if number is not None:
        return f"temporal-{chain}-{number}"
    sent = workflow.current_update_info()
    assert sent is not None
    return f"temporal-{chain}-{sha256(sent.id.encode()).hexdigest()}"  # whoever sends an update chooses its id


def refuse(outcome: TypedOutcome) -> None:
    """Raise the refusal of what nothing was stored of."""
    if outcome.refused:
        text = f"{outcome.refused}: {outcome.why}" if outcome.why else outcome.refused
        raise ApplicationError(text, type=outcome.refused)


class _Misfit(Exception):
    """Inputs that do not fit a handler. The message says why, in no words of the sender's."""


class TolerantWorkflow:
    """A workflow with such handlers. ``dropped`` counts what they dropped, ``notice`` says what was last, and why."""

    dropped: int = 0
    notice: str = ""
    _details: str = ""

    def drop(self, what: str, why: str) -> None:
        """Note that something was dropped."""
        workflow.logger.warning("%s dropped: %s", what, why)
        self.dropped += 1
        self.notice = f"{what} dropped: {why}"
        self.show(self._details)

    def show(self, details: str) -> None:
        """Have Temporal's UI show ``details``, and the notice if there is one. Makes no command."""
        self._details = details
        workflow.set_current_details("\n\n".join(filter(None, (details, self.notice, LAST_LINE))))

    @workflow.signal(dynamic=True, description="Any other signal is dropped.")
    def unknown(self, name: str, inputs: Sequence[RawValue]) -> None:
        """A signal that this workflow does not have."""
        self.drop("a signal", "this workflow has none of that name")


def signal(handler: Callable[..., Awaitable[None] | None]) -> Any:
    """Declare a method as the handler of the signal of its name."""
    name, hints = handler.__name__, _hints(handler)

    async def hear(self: TolerantWorkflow, *inputs: Any) -> None:
        try:
            arguments = _fitting(hints, inputs)
            done = handler(self, *arguments)
            if done is not None:
                await done
        except _Misfit as misfit:
            self.drop(f"signal {name}", str(misfit))
        except Exception as error:  # noqa: BLE001 - what leaves a handler stops its workflow for good
            self.drop(f"signal {name}", _code(error))

    return workflow.signal(name=name, description=_summary(handler))(hear)


def update(name: str) -> Callable[[Callable[..., Awaitable[object]]], Any]:
    """Declare a method as the handler of an update.

    It refuses by an `ApplicationError` whose type is a stable code: the update fails, and nothing else does.
    """

    def declare(handler: Callable[..., Awaitable[object]]) -> Any:
        hints = _hints(handler)

        async def take(self: TolerantWorkflow, *inputs: Any) -> object:
            try:
                return await handler(self, *_checked(hints, inputs))
            except ActivityError as error:
                raise ApplicationError(failure_code(error), type=failure_code(error)) from None
            except ApplicationError:
                raise
            except Exception as error:  # noqa: BLE001 - what leaves a handler stops its workflow for good
                workflow.logger.error("update %s failed: %s", name, type(error).__name__)
                raise ApplicationError(BROKEN, type=BROKEN) from None

        def check(self: TolerantWorkflow, *inputs: Any) -> None:
            _checked(hints, inputs)

        declared: Any = workflow.update(name=name, description=_summary(handler))(take)
        declared.validator(check)
        return declared

    return declare


def _checked(hints: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    try:
        return _fitting(hints, inputs)
    except _Misfit as misfit:
        raise ApplicationError(str(misfit), type=INVALID) from None


def _fitting(hints: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """``inputs``, decoded JSON, as the types that a handler takes. Raises `_Misfit`.

    `null` at the end stands for no input: some clients send it where nothing was typed.
    """
    given = list(inputs)
    while given and given[-1] is None:
        given.pop()
    if len(given) != len(hints):
        raise _Misfit(f"it takes {len(hints)} input(s), and {len(given)} came")
    return [_typed(hint, value) for hint, value in zip(hints, given, strict=True)]


def _typed(hint: Any, value: Any) -> Any:
    try:
        return value_to_type(hint, value)
    except Exception as error:  # whatever a converter stumbles over was not meant for it
        raise _Misfit(f"its input is not a {getattr(hint, '__name__', hint)}") from error


def _hints(handler: Callable[..., object]) -> list[Any]:
    hints = get_type_hints(handler)
    names = list(inspect.signature(handler).parameters)[1:]
    return [hints[name] for name in names]


def _summary(handler: Callable[..., object]) -> str:
    return (inspect.getdoc(handler) or "").split("\n", 1)[0]


def _code(error: Exception) -> str:
    return failure_code(error) if isinstance(error, ActivityError) else type(error).__name__
