"""Files that came with what was said, as rows hold them."""

from collections.abc import Sequence
from typing import cast

from baton.domain.conversation import Attachment


def attachments_of(items: object) -> tuple[Attachment, ...]:
    """Attachments from a row."""
    return tuple(
        Attachment(item["filename"], item["media_type"], item["url"]) for item in cast("list[dict[str, str]]", items)
    )


def attachments_json(attachments: Sequence[Attachment]) -> list[dict[str, str]]:
    """Attachments as rows hold them."""
    return [{"filename": a.filename, "media_type": a.media_type, "url": a.url} for a in attachments]
