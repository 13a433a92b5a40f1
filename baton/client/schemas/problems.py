"""Errors."""

from pydantic import BaseModel, ConfigDict


class ProblemOut(BaseModel):
    """What went wrong (RFC 9457). ``code`` is stable; some codes come with data of their own."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
