"""What becomes of a message once it was accepted: edited or withdrawn until a turn claims it, redriven when it is dead.

One commit, then the doorbell, like a message.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from baton.domain import bells
from baton.domain.agents import Principal
from baton.domain.answers import problems
from baton.domain.errors import AnswerRefused, InvalidInput, MessageNotFound
from baton.domain.ids import MessageId, TaskRoute
from baton.domain.messages import Edit
from baton.domain.states import TaskState
from baton.domain.views import MessageView
from baton.service.bells import ring
from baton.service.context import Baton
from baton.service.messages import check_text
from baton.service.visibility import SeenPart, find_message
from baton.store import message_views, receipts
from baton.store.pool import Connection
from baton.store.receipts import Changed


@dataclass(frozen=True, slots=True)
class Settled:
    """A message as it is now, and its task's state right after. `MessageView.task_version` is that state's."""

    message: MessageView
    task_state: TaskState


async def edit_message(
    baton: Baton, who: Principal, message_id: MessageId, edit: Edit, *, if_versions: tuple[int, ...] | None = None
) -> Settled:
    """Have a message that no turn has claimed say something else. Its idempotency key goes on standing for what was
    sent first.

    ``if_versions``: as a `Draft` has them. Raises `MessageNotFound`, `MessageTaken` (with the state
    that the message is in instead), `AnswerRefused`, `Outdated`, `InvalidInput`, `Unavailable`. Safe to repeat.
    """
    if edit.text is None and edit.attachments is None:
        raise InvalidInput("give the new text, attachments, or both")
    if edit.text is not None:
        check_text(edit.text)
    seen = await find_message(baton, who, message_id)
    refusal = None if edit.text is None else await _refusal(baton, seen, edit.text)
    return await _change(
        baton, seen, lambda c, route: receipts.edit_message(c, route, seen.id, edit, if_versions, refusal)
    )


async def withdraw_message(
    baton: Baton, who: Principal, message_id: MessageId, *, if_versions: tuple[int, ...] | None = None
) -> Settled:
    """Withdraw a message that no turn has claimed; its task is what it would be without it.

    Raises `MessageNotFound`, `MessageTaken` (with the state that the message is in instead), `Outdated`,
    `Unavailable`. Safe to repeat.
    """
    seen = await find_message(baton, who, message_id)
    return await _change(baton, seen, lambda c, route: receipts.withdraw_message(c, route, seen.id, if_versions))


async def pin_message(baton: Baton, who: Principal, message_id: MessageId, *, pinned: bool) -> Settled:
    """Pin a message that was sent before, or take its pin off. Safe to repeat.

    Raises `MessageNotFound`, `Conflict` for one that was withdrawn, and `Unavailable`.
    """
    seen = await find_message(baton, who, message_id)
    return await _change(
        baton, seen, lambda c, route: receipts.pin_message(c, route, seen.id, who.author, pinned=pinned)
    )


async def redrive_message(
    baton: Baton, who: Principal, message_id: MessageId, *, if_versions: tuple[int, ...] | None = None
) -> Settled:
    """Accept a dead message again, under its own id, as the last one in its task's queue.

    One that is not dead stays as it is: a repeat tells what became of it. Raises `MessageNotFound`, `TaskClosed` for a
    cancelled task, `Outdated`, `Unavailable`.
    """
    relay_seconds = baton.settings.relay_after_seconds
    seen = await find_message(baton, who, message_id)
    return await _change(
        baton,
        seen,
        lambda c, route: receipts.redrive_message(c, route, seen.id, if_versions, relay_seconds=relay_seconds),
    )


async def _refusal(baton: Baton, seen: SeenPart, text: str) -> AnswerRefused | None:
    """Whether the message may say ``text``: judged without a lock, for a schema may take its time."""
    async with baton.pool.connection() as connection:
        answered = await receipts.answered(connection, seen.tenant_id, seen.id)
    for question in answered:
        if wrong := problems(question, text):
            return AnswerRefused("the answer breaks the question's schema: the message stays as it was", wrong)
    return None


async def _change(baton: Baton, seen: SeenPart, do: Callable[[Connection, TaskRoute], Awaitable[Changed]]) -> Settled:
    route = seen.task.route
    async with baton.pool.transaction(route.execution_id) as connection:
        changed = await do(connection, route)
        message = await message_views.view(connection, seen.tenant_id, seen.id)
    if message is None:
        raise MessageNotFound("there is no such message")
    due = bells.of_change(
        changed.box, changed.event_seq, changed=changed.changed, looks=changed.rings, plan_looks=changed.rings_plan
    )
    ring(baton, route, due)
    return Settled(message, changed.box.state)
