"""What jsonb columns hold is read as it was written, also by older code and by newer."""

import json

import pytest

from baton.domain.approvals import Approval
from baton.domain.conversation import Attachment, Question, ToolCall
from baton.domain.json import JsonObject
from baton.store.codecs import APPROVALS, ATTACHMENTS, CALLS, QUESTIONS

AT = "2026-01-01T00:00:00+00:00"
DEEP: JsonObject = {"a": [{"b": [1, 2.5, None, True, "c"]}]}

QUESTION = Question("q", "Which?", ("a", "b"), DEEP, "call", 2, AT, AT, "a", AT, AT)
QUESTION_ROW = (
    '{"id": "q", "text": "Which?", "choices": ["a", "b"], "schema": {"a": [{"b": [1, 2.5, null, true, "c"]}]},'
    f' "call_id": "call", "turn": 2, "asked_at": "{AT}", "deadline_at": "{AT}", "default": "a", "remind_at": "{AT}",'
    f' "escalate_at": "{AT}"}}'
)
APPROVAL = Approval("p", "call", 2, 1, "refund", DEEP, "d1", AT)
APPROVAL_ROW = (
    '{"id": "p", "call_id": "call", "turn": 2, "step": 1, "tool": "refund",'
    f' "arguments": {{"a": [{{"b": [1, 2.5, null, true, "c"]}}]}}, "digest": "d1", "asked_at": "{AT}"}}'
)
ATTACHMENT_ROW = '{"filename": "f", "media_type": "text/plain", "url": "data:,x"}'
CALL_ROW = '{"id": "call", "name": "refund", "arguments": {"order": 1}}'


def test_rows_hold_what_they_always_held() -> None:
    assert QUESTIONS.write([QUESTION]) == [json.loads(QUESTION_ROW)]
    assert QUESTIONS.read([json.loads(QUESTION_ROW)]) == (QUESTION,)
    assert APPROVALS.write([APPROVAL]) == [json.loads(APPROVAL_ROW)]
    assert APPROVALS.read([json.loads(APPROVAL_ROW)]) == (APPROVAL,)
    attachment, call = Attachment("f", "text/plain", "data:,x"), ToolCall("call", "refund", {"order": 1})
    assert ATTACHMENTS.write([attachment]) == [json.loads(ATTACHMENT_ROW)]
    assert ATTACHMENTS.read([json.loads(ATTACHMENT_ROW)]) == (attachment,)
    assert CALLS.write([call]) == [json.loads(CALL_ROW)]
    assert CALLS.read([json.loads(CALL_ROW)]) == (call,)


@pytest.mark.parametrize("row", [{"id": "q", "text": "Which?"}, {"id": "q", "text": "Which?", "from_newer_code": [1]}])
def test_a_row_may_have_fewer_fields_or_more(row: JsonObject) -> None:
    assert QUESTIONS.read([row]) == (Question("q", "Which?"),)


def test_json_inside_is_taken_as_it_is_however_deep() -> None:
    deep: JsonObject = {}
    for _ in range(200):
        deep = {"a": deep}
    call = ToolCall("call", "refund", deep)
    assert CALLS.read(CALLS.write([call])) == (call,)
