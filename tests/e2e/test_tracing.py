"""Is a call one trace, up to the request to the model, and does it keep what people wrote to itself?"""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.openai_server import running_openai_server
from tests.support.stack import DevStack, running_stack, until

_WORDS = "what a user wrote"


class Receiver:
    """An OTLP receiver, over HTTP: what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.url = ""

    def take(self, body: bytes) -> None:
        """Keep the spans of a request."""
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        self.spans += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]

    def trace_of(self, name: str) -> dict[str, Span]:
        """The trace, by the names of its spans, that has one whose name begins with ``name``; the first such."""
        traces: defaultdict[bytes, dict[str, Span]] = defaultdict(dict)
        for span in list(self.spans):
            traces[span.trace_id][span.name] = span
        found = [trace for trace in traces.values() if any(span.startswith(name) for span in trace)]
        return found[0] if found else {}


@contextmanager
def receiving() -> Generator[Receiver]:
    """A receiver that runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/x-protobuf"
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _chain(spans: dict[str, Span]) -> list[str]:
    """From the request to the model outwards."""
    by_id = {span.span_id: name for name, span in spans.items()}
    chain = [next(name for name in spans if name.startswith("chat "))]
    while (parent := by_id.get(spans[chain[-1]].parent_span_id)) is not None:
        chain.append(parent)
    return chain


def _logged(stack: DevStack, part: str) -> list[dict[str, Any]]:
    """All whole lines of a part's log, each an object."""
    whole = (stack.data / "logs" / f"{part}.log").read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


_WANTED = ("POST ", "StartActivity:", "RunActivity:", "chat ")


async def _whole(receiver: Receiver, name: str) -> dict[str, Span]:
    """The trace with a span of that name, once it has come to the model."""

    def is_whole() -> bool:
        return all(any(span.startswith(part) for span in receiver.trace_of(name)) for part in _WANTED)

    try:
        await until(is_whole, 60)
    except TimeoutError:
        raise AssertionError(sorted({span.name for span in receiver.spans})) from None
    return receiver.trace_of(name)


async def test_one_trace_leads_from_each_call_to_the_model(tmp_path: Path) -> None:
    with receiving() as receiver, running_openai_server() as provider:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "BATON_LOG_FORMAT": "json",
            "OPENAI_API_KEY": "sk-of-the-tests",
            "OPENAI_BASE_URL": provider.url,
        }
        async with running_stack(tmp_path / "stack", environment=environment) as stack, stack.client() as client:
            made = await client.post("/baton/v1/agents", json={"name": "a", "model": "openai:gpt-4o"})
            assert made.status_code == 201, made.text
            body = {"prompt": _WORDS, "title": _WORDS, "agent": "a"}
            started = await client.post("/baton/v1/executions", json=body)
            assert started.status_code == 201, started.text
            first = await _whole(receiver, "chat gpt-4o")

            asking = await client.post("/baton/v1/executions", json={"prompt": f"!ask {_WORDS}?"})
            (task,) = (await client.get(f"/baton/v1/executions/{asking.json()['id']}")).json()["tasks"]
            while (await client.get(f"/baton/v1/tasks/{task['id']}")).json()["state"] != "waiting":
                await asyncio.sleep(0.1)
            answered = await client.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": _WORDS})
            assert answered.is_success, answered.text
            answer = await _whole(receiver, "POST /baton/v1/tasks/{task_id}/messages")
            assert (await client.post("/baton/v1/executions", json={"prompt": f"!fatal {_WORDS}"})).is_success
            await until(lambda: any("model_step" in str(line.get("activity")) for line in _logged(stack, "worker")), 60)
        logs = {part: _logged(stack, part) for part in ("api", "worker")}
    assert all({"time", "level", "logger", "message"} <= line.keys() for lines in logs.values() for line in lines)
    assert _WORDS not in str(logs)
    assert "\\x1b" not in str(logs), "colours"
    for trace in (first, answer):
        steps = [name.partition(":")[0] for name in _chain(trace)]
        assert steps[1:3] == ["RunActivity", "StartActivity"]
        assert steps[-1].startswith("POST "), steps
    assert any(name.startswith("RunWorkflow:") for name in first)
    assert not any(name.startswith("RunWorkflow:") for name in answer), "it went on with the run that waited"
    assert all(_WORDS.encode() not in sent for sent in receiver.bodies)
    assert all(not span.events and not span.status.message for span in receiver.spans)
