"""A local server that speaks OpenAI's Chat Completions and Responses, Anthropic's Messages and Google's
generateContent, as a test tells it to.

It is as strict as the real one about what makes a conversation: a request that OpenAI would refuse is a 400 here.
"""

import asyncio
import itertools
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Json = dict[str, Any]


@dataclass(frozen=True)
class Called:
    """A tool call of the model. ``arguments`` go out as they are, in two pieces."""

    name: str
    arguments: str = "{}"
    id: str = "call_abc"


@dataclass(frozen=True)
class Reply:
    """What the model answers: tokens of text, then tool calls.

    ``token_seconds``: the pause before each token. ``cut_after``: the connection breaks after so many tokens.
    ``finish_reason``: in Chat Completions' words (`length`, `content_filter`), by default `stop` or `tool_calls`; or
    one that only the API in question has.
    ``unfinished``: the body ends cleanly, but nothing says that the answer is complete; ``done``: Chat Completions'
    `[DONE]` comes all the same. ``reasoning``: what it thinks before.
    """

    tokens: tuple[str, ...] = ()
    calls: tuple[Called, ...] = ()
    token_seconds: float = 0.0
    cut_after: int | None = None
    finish_reason: str | None = None
    unfinished: bool = False
    done: bool = True
    reasoning: tuple[str, ...] = ()
    input_tokens: int = 11
    output_tokens: int = 7


@dataclass(frozen=True)
class Refusal:
    """An error instead of an answer."""

    status: int
    code: str = "error"
    message: str = "what the provider says"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Asked:
    """A request that came in."""

    path: str
    body: Json
    headers: dict[str, str]


def echo(body: Json) -> Reply:
    """Say what was said last."""
    last: Json = (body.get("messages") or body.get("input") or body["contents"])[-1]
    content = last.get("content") or last.get("output") or last.get("parts") or ""
    text = content if isinstance(content, str) else " ".join(str(part.get("text", "")) for part in content)
    return Reply(tuple(re.findall(r"\S+\s*", text)))


@dataclass
class OpenAIServer:
    """The server as tests see it.

    ``replies`` are given one by one; then ``otherwise`` answers. ``asked`` has all requests. ``hung_up`` counts the
    clients that went away in the middle of an answer.
    """

    url: str
    replies: deque[Reply | Refusal] = field(default_factory=deque[Reply | Refusal])
    otherwise: Callable[[Json], Reply | Refusal] = echo
    asked: list[Asked] = field(default_factory=list[Asked])
    hung_up: int = 0

    def reply(self, *replies: Reply | Refusal) -> None:
        """Answer the next requests with ``replies``."""
        self.replies.extend(replies)


@contextmanager
def running_openai_server(port: int = 0) -> Generator[OpenAIServer]:
    """A server of its own, in a thread, on ``port`` or a free one."""
    listener = socket.create_server(("127.0.0.1", port))
    server = OpenAIServer(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", _endpoint(server, _CHAT), methods=["POST"]),
            Route("/v1/responses", _endpoint(server, _RESPONSES), methods=["POST"]),
            Route("/v1/messages", _endpoint(server, _MESSAGES), methods=["POST"]),
            Route("/v1beta/models/{model}:streamGenerateContent", _endpoint(server, _GOOGLE), methods=["POST"]),
        ]
    )
    uvicorn_server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_keep_alive=1))
    thread = threading.Thread(target=uvicorn_server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not uvicorn_server.started:
            time.sleep(0.005)
        yield server
    finally:
        uvicorn_server.should_exit = uvicorn_server.force_exit = True
        thread.join(10)
        listener.close()


@dataclass(frozen=True)
class _Api:
    """How an API words things. ``frames`` gives groups of events: one, one per token, the rest."""

    problem: Callable[[Json], str | None]
    frames: Callable[[Reply, str], Iterator[list[Json]]]
    whole: Callable[[Reply, str], Json]
    end: bytes
    error: Callable[["Refusal"], Json]


def _endpoint(server: OpenAIServer, api: _Api) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body: Json = await request.json()
        server.asked.append(Asked(request.url.path, body, dict(request.headers)))
        model = body.get("model") or request.path_params["model"]
        if problem := api.problem(body):
            return _refused(api, Refusal(400, "invalid_request_error", problem))
        answer = server.replies.popleft() if server.replies else server.otherwise(body)
        if isinstance(answer, Refusal):
            return _refused(api, answer)
        if body.get("stream") or request.query_params.get("alt") == "sse":
            return StreamingResponse(_streamed(server, api, answer, model), media_type="text/event-stream")
        return JSONResponse(api.whole(answer, model))

    return endpoint


def _refused(api: _Api, refusal: Refusal) -> Response:
    return JSONResponse(api.error(refusal), refusal.status, dict(refusal.headers))


def _error(refusal: Refusal) -> Json:
    return {"error": {"message": refusal.message, "type": refusal.code, "code": refusal.code, "param": None}}


class _Cut(Exception):
    """Makes uvicorn drop the connection without ending the body."""


async def _streamed(server: OpenAIServer, api: _Api, reply: Reply, model: str) -> AsyncIterator[bytes]:
    complete = False
    try:
        for number, events in enumerate(api.frames(reply, model)):
            if reply.cut_after is not None and number > reply.cut_after:
                complete = True
                raise _Cut
            if 1 <= number <= len(reply.tokens):
                await asyncio.sleep(reply.token_seconds)
            for event in events:
                name = f"event: {event['type']}\n" if "type" in event else ""
                yield f"{name}data: {json.dumps(event)}\n\n".encode()
        if reply.done:
            yield api.end
        complete = True
    finally:
        server.hung_up += not complete


# --- Chat Completions


def _chat_problem(body: Json) -> str | None:
    """Why OpenAI would refuse the messages: each tool call needs one answer, right after it, and nothing is empty."""
    due: set[str] = set()
    messages: list[Json] = body["messages"]
    for place, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        if role == "tool":
            if message["tool_call_id"] not in due:
                return f"messages[{place}]: a tool message must answer a call of the message before"
            due.discard(message["tool_call_id"])
            continue
        if due:
            return f"messages[{place}]: tool calls {due} have no answer"
        if not content and not message.get("tool_calls"):
            return f"messages[{place}]: content of {role} is empty"
        due = {call["id"] for call in message.get("tool_calls") or ()}
        if len(due) != len(message.get("tool_calls") or ()):
            return f"messages[{place}]: ids of tool calls repeat"
    if due or messages[-1]["role"] == "assistant":
        return "the conversation does not end with something to answer"
    return None


def _chat_chunk(model: str, delta: Json, finish_reason: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [choice],
    }


def _chat_frames(reply: Reply, model: str) -> Iterator[list[Json]]:
    yield [_chat_chunk(model, {"role": "assistant", "content": ""})]
    for token in reply.reasoning:
        yield [_chat_chunk(model, {"reasoning_content": token})]
    for token in reply.tokens:
        yield [_chat_chunk(model, {"content": token})]
    rest: list[Json] = []
    for index, call in enumerate(reply.calls):
        half = len(call.arguments) // 2
        opening = {"index": index, "id": call.id, "type": "function"}
        rest.append(
            _chat_chunk(
                model,
                {"tool_calls": [opening | {"function": {"name": call.name, "arguments": call.arguments[:half]}}]},
            )
        )
        rest.append(
            _chat_chunk(model, {"tool_calls": [{"index": index, "function": {"arguments": call.arguments[half:]}}]})
        )
    if reply.unfinished:
        yield rest
        return
    rest.append(_chat_chunk(model, {}, _chat_finish(reply)))
    rest.append(_chat_chunk(model, {}) | {"choices": [], "usage": _chat_usage(reply)})
    yield rest


def _chat_finish(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.calls else "stop")


def _chat_usage(reply: Reply) -> Json:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def _chat_whole(reply: Reply, model: str) -> Json:
    message: Json = {"role": "assistant", "content": "".join(reply.tokens) or None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in reply.calls
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _chat_finish(reply)}],
        "usage": _chat_usage(reply),
    }


_CHAT = _Api(_chat_problem, _chat_frames, _chat_whole, b"data: [DONE]\n\n", _error)


# --- Responses


def _responses_problem(body: Json) -> str | None:
    due: set[str] = set()
    for place, item in enumerate(body["input"]):
        kind = item.get("type", "message")
        if kind == "function_call":
            if item["call_id"] in due:
                return f"input[{place}]: call_id repeats"
            due.add(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in due:
                return f"input[{place}]: no such call"
            due.discard(item["call_id"])
        elif kind == "message":
            if due:
                return f"input[{place}]: no output for calls {due}"
            if not item["content"]:
                return f"input[{place}]: content is empty"
    return f"no output for calls {due}" if due else None


def _response(reply: Reply, model: str, status: str, output: list[Json]) -> Json:
    usage = {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "usage": usage if status != "in_progress" else None,
    }


def _responses_output(reply: Reply) -> list[Json]:
    output: list[Json] = []
    if reply.tokens:
        text: Json = {"type": "output_text", "text": "".join(reply.tokens), "annotations": []}
        output.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]})
    output.extend(
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for number, call in enumerate(reply.calls)
    )
    return output


_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _responses_frames(reply: Reply, model: str) -> Iterator[list[Json]]:
    count = itertools.count()

    def event(kind: str, **data: Any) -> Json:
        return {"type": kind, "sequence_number": next(count), **data}

    output = _responses_output(reply)
    opening = [event("response.created", response=_response(reply, model, "in_progress", []))]
    if reply.reasoning:
        thought: Json = {"type": "reasoning", "id": "rs_1", "summary": []}
        where = {"item_id": "rs_1", "output_index": len(output), "summary_index": 0}
        opening.append(event("response.output_item.added", output_index=len(output), item=thought))
        opening += [event("response.reasoning_summary_text.delta", **where, delta=token) for token in reply.reasoning]
    text = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    if reply.tokens:
        empty: Json = {"type": "output_text", "text": "", "annotations": []}
        item: Json = output[0] | {"content": [], "status": "in_progress"}
        opening.append(event("response.output_item.added", output_index=0, item=item))
        opening.append(event("response.content_part.added", **text, part=empty))
    yield opening
    for token in reply.tokens:
        yield [event("response.output_text.delta", **text, delta=token, logprobs=[])]
    rest: list[Json] = []
    if reply.tokens:
        said = "".join(reply.tokens)
        rest.append(event("response.output_text.done", **text, text=said, logprobs=[]))
        rest.append(event("response.content_part.done", **text, part=output[0]["content"][0]))
        rest.append(event("response.output_item.done", output_index=0, item=output[0]))
    for place, item in enumerate(output):
        if item["type"] == "function_call":
            where = {"item_id": item["id"], "output_index": place}
            started = item | {"arguments": "", "status": "in_progress"}
            rest.append(event("response.output_item.added", output_index=place, item=started))
            rest.append(event("response.function_call_arguments.delta", **where, delta=item["arguments"]))
            rest.append(
                event("response.function_call_arguments.done", **where, name=item["name"], arguments=item["arguments"])
            )
            rest.append(event("response.output_item.done", output_index=place, item=item))
    if not reply.unfinished:
        reason = _INCOMPLETE.get(reply.finish_reason or "")
        status = "incomplete" if reason else "completed"
        whole = _response(reply, model, status, output) | {"incomplete_details": reason and {"reason": reason}}
        rest.append(event(f"response.{status}", response=whole))
    yield rest


def _responses_whole(reply: Reply, model: str) -> Json:
    return _response(reply, model, "completed", _responses_output(reply))


_RESPONSES = _Api(_responses_problem, _responses_frames, _responses_whole, b"", _error)


# --- Anthropic's Messages


_STOPS: Final = {"length": "max_tokens", "content_filter": "refusal", "tool_calls": "tool_use", "stop": "end_turn"}


def _messages_problem(body: Json) -> str | None:
    messages: list[Json] = body["messages"]
    for place, message in enumerate(messages):
        if message["role"] != ("user", "assistant")[place % 2]:
            return f"messages.{place}: roles must alternate"
        if not message["content"]:
            return f"messages.{place}: content is empty"
    return None if messages[-1]["role"] == "user" else "the conversation does not end with a user's turn"


def _messages_frames(reply: Reply, model: str) -> Iterator[list[Json]]:
    usage = {"input_tokens": reply.input_tokens, "output_tokens": 1}
    message: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    opening: list[Json] = [
        {
            "type": "message_start",
            "message": message | {"stop_reason": None, "stop_sequence": None, "usage": usage},
        }
    ]
    text = int(bool(reply.reasoning))
    if reply.reasoning:
        block: Json = {"type": "thinking", "thinking": "", "signature": ""}
        opening.append({"type": "content_block_start", "index": 0, "content_block": block})
        for token in reply.reasoning:
            delta: Json = {"type": "thinking_delta", "thinking": token}
            opening.append({"type": "content_block_delta", "index": 0, "delta": delta})
        opening.append({"type": "content_block_stop", "index": 0})
    if reply.tokens:
        opening.append({"type": "content_block_start", "index": text, "content_block": {"type": "text", "text": ""}})
    yield opening
    for token in reply.tokens:
        yield [{"type": "content_block_delta", "index": text, "delta": {"type": "text_delta", "text": token}}]
    rest: list[Json] = [{"type": "content_block_stop", "index": text}] if reply.tokens else []
    for index, call in enumerate(reply.calls, start=text + len(rest)):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        rest.append({"type": "content_block_start", "index": index, "content_block": block})
        piece = {"type": "input_json_delta", "partial_json": call.arguments}
        rest.append({"type": "content_block_delta", "index": index, "delta": piece})
        rest.append({"type": "content_block_stop", "index": index})
    if not reply.unfinished:
        delta = {"stop_reason": _STOPS[_chat_finish(reply)], "stop_sequence": None}
        rest.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": reply.output_tokens}})
        rest.append({"type": "message_stop"})
    yield rest


def _messages_whole(reply: Reply, model: str) -> Json:
    raise NotImplementedError("nothing asks for a whole message")


_MESSAGES = _Api(_messages_problem, _messages_frames, _messages_whole, b"", _error)


# --- Google's generateContent


_GOOGLE_ENDS: Final = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


def _google_problem(body: Json) -> str | None:
    contents: list[Json] = body["contents"]
    for place, content in enumerate(contents):
        if not content["parts"]:
            return f"contents[{place}]: no parts"
        calls = sum("functionCall" in part for part in content["parts"])
        after: list[Json] = contents[place + 1]["parts"] if place + 1 < len(contents) else []
        if calls != sum("functionResponse" in part for part in after):
            return f"contents[{place}]: {calls} calls need as many responses right after them"
    return None if contents[-1]["role"] == "user" else "the conversation does not end with a user's turn"


def _google_frames(reply: Reply, model: str) -> Iterator[list[Json]]:
    usage = {"promptTokenCount": reply.input_tokens, "totalTokenCount": reply.input_tokens}

    def chunk(parts: list[Json], **more: Any) -> Json:
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}, **more}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}

    yield [chunk([{"text": token, "thought": True} for token in reply.reasoning])]
    for token in reply.tokens:
        yield [chunk([{"text": token}])]
    calls = [(call, _json(call.arguments)) for call in reply.calls]
    parts = [
        {"functionCall": {"id": call.id, "name": call.name, "args": args}} for call, args in calls if args is not None
    ]
    rest = [chunk(parts)] if parts else []
    if not reply.unfinished:
        known = _GOOGLE_ENDS.get(_chat_finish(reply), _chat_finish(reply))
        reason = known if len(parts) == len(calls) else "MALFORMED_FUNCTION_CALL"
        usage = usage | {
            "candidatesTokenCount": reply.output_tokens,
            "totalTokenCount": reply.input_tokens + reply.output_tokens,
        }
        rest.append(chunk([], finishReason=reason))
    yield rest


def _json(text: str) -> Json | None:
    """What ``text`` says; None for what is no JSON: Google sends calls whole, and tells of one that is broken."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _google_whole(reply: Reply, model: str) -> Json:
    raise NotImplementedError("nothing asks for a whole response")


#: How Google words what others have codes for: its error's status, the reason in its details, the quota in them.
_GOOGLE_CODES: Final = {
    "invalid_api_key": ("INVALID_ARGUMENT", "API_KEY_INVALID", ""),
    "rate_limit_exceeded": ("RESOURCE_EXHAUSTED", "", ""),
    "model_not_found": ("NOT_FOUND", "", ""),
    "insufficient_quota": ("RESOURCE_EXHAUSTED", "", "GenerateRequestsPerDayPerProjectPerModel"),
    "context_length_exceeded": ("INVALID_ARGUMENT", "", ""),
}


def _google_error(refusal: Refusal) -> Json:
    word, reason, quota = _GOOGLE_CODES.get(refusal.code, (refusal.code, "", ""))
    details: list[Json] = []
    if reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason})
    if quota:
        violations = [{"quotaId": quota}]
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations})
    return {"error": {"code": refusal.status, "message": refusal.message, "status": word, "details": details}}


_GOOGLE = _Api(_google_problem, _google_frames, _google_whole, b"", _google_error)
