"""What becomes of a task whose provider misbehaves, each way, in each API: what docs/models.md says of it."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from activities import failures
from baton.agents.models import Models
from baton.domain.agents import Agent
from baton.domain.allowance import PATIENCE_SECONDS, gone_for
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.service.tasks import get_task
from baton.store import agents
from tests.support.openai_server import Called, Json, OpenAIServer, Refusal, Reply, running_openai_server
from tests.support.postgres import PostgresServer
from tests.support.system import System, running_system
from tests.support.temporal import RunningTemporal

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "models.md"
CHAT, RESPONSES, ANTHROPIC, GOOGLE = APIS = (
    "openai-chat:gpt-5-mini",
    "openai-responses:gpt-5-mini",
    "anthropic:claude-haiku-4-5",
    "google:gemini-3-flash",
)
SENTENCE: Final = "what the provider says"
HALF: Final = ("Half ", "of i")
WELL: Final = Reply(("I see.",))

Answers = Callable[[str], tuple[Reply | Refusal, ...]]


@dataclass(frozen=True)
class Row:
    """A row of the page's table."""

    requests: str
    after: str
    task: str
    reads: str
    calls: int


def always(answer: Reply | Refusal) -> Answers:
    """The same in each API."""
    return lambda _: (answer,)


def refusal(status: int, code: str, **elsewhere: Refusal) -> Answers:
    """An error that some APIs word otherwise."""
    return lambda api: (elsewhere.get(api.partition(":")[0], Refusal(status, code, SENTENCE)),)


def unknown_end(api: str) -> tuple[Reply, ...]:
    """Only APIs that leave the reason open can give one that nobody knows."""
    return (Reply(HALF, finish_reason="abort"),) if api == CHAT else ()


#: What the provider answers in an API, request by request, the last again and again; nothing where an API has no such
#: thing.
SHAPES: Final[dict[str, Answers]] = {
    "ends the answer at the token limit": always(Reply(("more ",), finish_reason="length")),
    "filters the answer after some text": always(Reply(HALF, finish_reason="content_filter")),
    "ends the stream without a reason (a proxy whose upstream died)": always(Reply(HALF, unfinished=True, done=False)),
    "the same, but with `[DONE]`": lambda api: (Reply(HALF, unfinished=True),) if api == CHAT else (),
    "gives a reason that nobody knows": unknown_end,
    "cuts the arguments of a call, then answers": lambda _: (
        Reply((), (Called("clock", '{"zone": "Euro'),), finish_reason="length"),
        WELL,
    ),
    "answers with nothing": always(Reply()),
    "reasons, and answers with nothing": always(Reply(reasoning=("Let ", "me think."))),
    "says nothing": always(Reply(("late",), token_seconds=60)),
    "falls silent after some text": always(Reply(HALF, token_seconds=1)),
    "401": refusal(401, "invalid_api_key", google=Refusal(400, "invalid_api_key", SENTENCE)),
    "404": refusal(404, "model_not_found"),
    "429 because the quota is used up": refusal(
        429, "insufficient_quota", anthropic=Refusal(400, "invalid_request_error", "Your credit balance is too low.")
    ),
    "refuses the request": refusal(400, "invalid_request_error"),
    "429 with `Retry-After`, then answers": lambda _: (
        Refusal(429, "rate_limit_exceeded", SENTENCE, (("Retry-After", "1"),)),
        WELL,
    ),
    "500, 503, 429 or no connection": refusal(500, "internal_error"),
    "refuses the request as too long, with nothing to leave out": refusal(
        400,
        "context_length_exceeded",
        anthropic=Refusal(400, "invalid_request_error", "prompt is too long: 9 > 8"),
        google=Refusal(400, "context_length_exceeded", "The input token count (9) exceeds the maximum (8)."),
    ),
}
#: What makes a shape quick to see.
SETTINGS: Final[dict[str, JsonObject]] = {
    "says nothing": {"first_content_seconds": 0.2},
    "falls silent after some text": {"between_contents_seconds": 0.3},
}
PATIENCE: Final = 0.3


def table() -> dict[str, Row]:
    """The page's table, by what the provider does."""
    _, _, rest = PAGE.read_text().partition("| what the provider does |")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in rest.split("\n\n")[0].splitlines()[2:]]
    return {row[0]: Row(*row[1:5], calls=int(row[5])) for row in rows}


def test_the_page_has_each_shape() -> None:
    assert list(table()) == list(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_page_says_of_time(shape: str) -> None:
    row = table()[shape]
    if row.requests.isdigit() and row.after.endswith(" s"):
        attempts = 1 if row.requests == "9" or row.task == "succeeds" else int(row.requests)
        assert row.after == f"{sum(failures.MODEL_BACKOFF[: attempts - 1]):g} s"
    if "4 h" in row.after:
        assert gone_for(PATIENCE_SECONDS) == row.reads


@pytest.fixture(scope="module")
def provider() -> Generator[OpenAIServer]:
    """Where the worker of this module finds all models. A prompt names the shape of its answers."""
    with running_openai_server() as server, pytest.MonkeyPatch.context() as patch:
        base = server.url.removesuffix("/v1")
        patch.setenv("OPENAI_BASE_URL", server.url)
        patch.setenv("ANTHROPIC_BASE_URL", base)
        patch.setenv("GOOGLE_GEMINI_BASE_URL", base)
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
            patch.setenv(name, "key-of-the-tests-0123456789")
        patch.setattr(failures, "MODEL_BACKOFF", (0.05,))
        asked: Counter[tuple[int, int, int]] = Counter()

        def answer(body: Json) -> Reply | Refusal:
            number, place, _ = case = case_of(body)
            answers = list(SHAPES.values())[number](APIS[place])
            asked[case] += 1
            return answers[min(asked[case], len(answers)) - 1]

        server.otherwise = answer
        yield server


def case_of(body: Json) -> tuple[int, int, int]:
    """Which shape, which API and which try of it a request is for."""
    found = re.search(r"shape (\d+) of api (\d+), try (\d+)", json.dumps(body))
    assert found
    return int(found[1]), int(found[2]), int(found[3])


@pytest.fixture(scope="module")
async def served(
    provider: OpenAIServer, postgres: PostgresServer, temporal_server: RunningTemporal
) -> AsyncGenerator[System]:
    """A tenant's view of Baton whose worker asks ``provider``."""
    dsn, models = await postgres.create_database(), Models()
    for api in APIS:  # imports that take seconds, while no attempt waits for them
        await models.model(api, {})
    await models.close()
    async with running_system(dsn, temporal_server, tools_modules=("tests.support.tools",)) as running:
        yield running


async def started(system: System, shape: str, number: int, place: int, tried: int) -> UUID:
    """A task whose provider has this shape, in this API."""
    new = Agent(
        system.who.tenant_id,
        uuid4(),
        0,
        f"agent-{uuid4()}",
        APIS[place],
        tools=("clock",),
        limits={"patience_seconds": PATIENCE},
        model_settings=SETTINGS.get(shape, {}),
    )
    async with system.baton.pool.connection() as connection:
        agent = (await agents.insert(connection, new)).id
    return await system.start(f"shape {number} of api {place}, try {tried}", agent)


@pytest.mark.parametrize("place", range(len(APIS)), ids=APIS)
async def test_what_becomes_of_each(served: System, provider: OpenAIServer, place: int) -> None:
    cases = [(shape, number) for number, (shape, answers) in enumerate(SHAPES.items()) if answers(APIS[place])]
    wrong = await told(served, provider, cases, place, 1)
    if wrong:  # on a slow machine a worker may be taken for dead, and an attempt be repeated
        wrong = await told(served, provider, [case for case in cases if case[0] in wrong], place, 2)
    assert not wrong, "\n".join(wrong.values())


async def told(
    system: System, provider: OpenAIServer, cases: list[tuple[str, int]], place: int, tried: int
) -> dict[str, str]:
    """What becomes of the ``cases``, by shape, where the page says something else."""
    rows = table()
    tasks = [await started(system, *case, place, tried) for case in cases]
    over = ("succeeded", "failed", "waiting")
    await asyncio.gather(*(system.until(task, *over, seconds=120) for task in tasks))
    requests = Counter(case_of(asked.body) for asked in provider.asked)
    wrong = dict[str, str]()
    for (shape, number), task in zip(cases, tasks, strict=True):
        view, row = await get_task(system.baton, system.who, TaskById(task)), rows[shape]
        became = {"waiting": "waits", "succeeded": "succeeds"}.get(view.state, f"`{view.error}`")
        read = view.questions[0].text if view.questions else view.error_message or view.result or ""
        made = requests[number, place, tried]
        is_so = (
            became == row.task
            and made == (int(row.requests) if row.requests.isdigit() else made)
            and view.usage.calls == row.calls
            and fits(read, row.reads, shape)
        )
        if not is_so:
            wrong[shape] = f"{shape}: {made} requests, {became}, {read!r}, {view.usage.calls} calls"
    return wrong


def fits(read: str, said: str, shape: str) -> bool:
    """Whether a user reads what the page says, but for times, and for how a provider words it."""
    if said == "the provider's sentence":
        answers = [answer for api in APIS for answer in SHAPES[shape](api)]
        return read in [answer.message for answer in answers if isinstance(answer, Refusal)]
    return plain(read) == plain(said)


def plain(text: str) -> str:
    """``text`` without its numbers, and without the provider's own word for an end."""
    return re.sub(r"\((stop|completed|end_turn|STOP)\)", "(end)", re.sub(r"[\d.]+ (s|min|h|bytes)\b", "so much", text))
