"""Files that came with messages, as parts of a prompt.

What a model cannot read becomes a line that says so: a file that is refused would be refused again at every later
step. Nothing is fetched here. Addresses inside private networks are not passed on; where an adapter has to fetch a
file for its provider, pydantic-ai does not connect to such addresses either.
"""

import ipaddress
from binascii import Error as Base64Error
from binascii import a2b_base64
from dataclasses import replace
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from pydantic_ai.profiles import ModelProfile

from baton.domain.conversation import Attachment

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"
_TEXTS: Final = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml"}
)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
#: Names that private networks use, and Kubernetes.
_LOCAL_NAMES: Final = (
    "localhost", ".localhost", ".localdomain", ".local", ".lan", ".home", ".home.arpa", ".internal", ".intranet",
    ".corp", ".private", ".svc",
)  # fmt: skip
#: IPv6 ranges whose addresses hold an IPv4 address that a gateway may connect to, or that were once site-local.
_GATEWAYS: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10")
)


def content_of(attachment: Attachment) -> UserContent:
    """``attachment`` as part of a prompt: a file, its text, or a line about it."""
    if attachment.url.startswith("data:"):
        return _embedded(attachment)
    if not _is_public(attachment.url):
        return _mention(attachment, "its address is not public")
    return _linked(attachment)


def mention_of(attachment: Attachment) -> str:
    """A line about ``attachment``, for a model that could not read it."""
    return _mention(attachment, "it could not be read")


def readable(messages: list[ModelMessage], profile: ModelProfile) -> list[ModelMessage]:
    """``messages`` without files of kinds that a model of ``profile`` cannot read; the same list where all can stay."""
    return [_readable_request(message, profile) if _has_files(message) else message for message in messages]


def _has_files(message: ModelMessage) -> bool:
    return isinstance(message, ModelRequest) and any(
        isinstance(part, UserPromptPart) and not isinstance(part.content, str) for part in message.parts
    )


def _readable_request(message: ModelMessage, profile: ModelProfile) -> ModelMessage:
    assert isinstance(message, ModelRequest)
    parts = [
        replace(part, content=[_readable_item(item, profile) for item in part.content])
        if isinstance(part, UserPromptPart) and not isinstance(part.content, str)
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def _readable_item(item: UserContent, profile: ModelProfile) -> UserContent:
    if not isinstance(item, ImageUrl | DocumentUrl | AudioUrl | VideoUrl | BinaryContent):
        return item
    kind = item.media_type.partition("/")[0]
    flag = {"image": "supports_image_input", "audio": "supports_audio_file_input", "video": "supports_video_input"}
    if profile.get(flag.get(kind, "supports_document_input"), True):
        return item
    return f"[A file of type {item.media_type} came with this message; you cannot read such files.]"


def _embedded(attachment: Attachment) -> UserContent:
    head, comma, body = attachment.url.removeprefix("data:").partition(",")
    media_type, *parameters = (piece.strip().lower() for piece in head.split(";"))
    media_type = media_type or "text/plain"
    data = unquote_to_bytes(body)
    if "base64" in parameters:
        try:
            data = a2b_base64(data.translate(_URL_SAFE) + b"===")
        except Base64Error:
            return _mention(attachment, "its base64 is broken")
    if not comma or not data:
        return _mention(attachment, "it is empty")
    if media_type.startswith("text/") or media_type in _TEXTS or media_type.endswith(("+json", "+xml")):
        return f"[Attachment: {attachment.filename} ({media_type})]\n{_text(data)}"
    if _is_file(media_type):
        return BinaryContent(data, media_type=media_type)
    return _mention(attachment, f"{len(data)} bytes of a type that you cannot read")


def _linked(attachment: Attachment) -> UserContent:
    media_type = attachment.media_type.partition(";")[0].strip().lower()
    if media_type in _IMAGES:
        return ImageUrl(attachment.url, media_type=media_type)
    if media_type == _PDF:
        return DocumentUrl(attachment.url, media_type=media_type)
    if media_type.startswith("audio/"):
        return AudioUrl(attachment.url, media_type=media_type)
    if media_type.startswith("video/"):
        return VideoUrl(attachment.url, media_type=media_type)
    return f"[Attachment: {attachment.filename} ({media_type or 'unknown type'}) at {attachment.url}]"


def _is_file(media_type: str) -> bool:
    return media_type in _IMAGES or media_type == _PDF or media_type.startswith(("audio/", "video/"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _is_public(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # As resolvers and HTTP clients would read it: full-width digits, circled letters and the like are mapped.
        host = (parts.hostname or "").encode("idna").decode("ascii").lower().rstrip(".")
    except ValueError:  # UnicodeError, too
        return False
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return False
    try:
        return _is_public_address(ipaddress.ip_address(host))
    except ValueError:
        return "." in host and not host.endswith(_LOCAL_NAMES) and not _is_number(host)


def _is_public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _GATEWAYS):
        return False
    return address.is_global and not address.is_multicast


def _is_number(host: str) -> bool:
    """Whether resolvers might read ``host`` as an address in an unusual notation, such as `0x7f.1`."""
    return host.rpartition(".")[2][:1].isdigit()


def _mention(attachment: Attachment, reason: str) -> str:
    return f"[Attachment: {attachment.filename} ({attachment.media_type}): {reason}.]"
