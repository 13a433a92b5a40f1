"""Do files reach the model where it can read them, and does nothing reach into private networks?"""

import base64

import pytest
from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRequest,
    UserPromptPart,
)

from baton.agents.attachments import content_of, readable
from baton.domain.conversation import Attachment


def a_file(url: str, media_type: str = "text/plain", filename: str = "file") -> Attachment:
    return Attachment(filename, media_type, url)


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (data_url("text/plain", "grüß\x00".encode()), "[Attachment: file (text/plain)]\ngrüß\ufffd"),
        ("data:text/csv;charset=utf-8,a%2Cb%0A1%2C2", "[Attachment: file (text/csv)]\na,b\n1,2"),
        ("data:,hello", "[Attachment: file (text/plain)]\nhello"),
        (data_url("application/json", b"{}"), "[Attachment: file (application/json)]\n{}"),
        (data_url("application/zip", b"PK12"), "4 bytes of a type that you cannot read"),
        ("data:image/png;base64,A", "its base64 is broken"),
        ("data:image/png;base64,", "it is empty"),
        ("data:text/plain;base64,Pz8_Pj4-", "???>>>"),
        ("data:text/plain;base64,YQ", "a"),
        ("data:image/png", "it is empty"),
    ],
)
def test_embedded_files(url: str, text: str) -> None:
    content = content_of(a_file(url))
    assert isinstance(content, str)
    assert text in content


def test_embedded_pictures_and_documents_are_files() -> None:
    for media_type in ("image/png", "application/pdf"):
        content = content_of(a_file(data_url(media_type, b"\x89bytes"), media_type))
        assert isinstance(content, BinaryContent)
        assert (content.data, content.media_type) == (b"\x89bytes", media_type)


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("image/jpeg", ImageUrl), ("application/pdf", DocumentUrl), ("audio/mpeg; rate=1", AudioUrl)],
)
def test_links_are_left_to_the_provider(media_type: str, kind: type[ImageUrl | DocumentUrl | AudioUrl]) -> None:
    content = content_of(a_file("https://example.com/thing", media_type))
    assert isinstance(content, kind)
    assert not content.force_download


def test_a_link_to_anything_else_is_a_line() -> None:
    content = content_of(a_file("https://example.com/a.zip", "application/zip", "a.zip"))
    assert content == "[Attachment: a.zip (application/zip) at https://example.com/a.zip]"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "http://db/x",
        "http://service.internal/x",
        "http://printer.local./x",
        "http://127.0.0.1:9/x",
        "http://10.1.2.3/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://[fd00::1]/x",
        "http://0x7f.1/x",
        "http://2130706433/x",
        "http://224.0.0.1/x",
        "http://[64:ff9b::7f00:1]/x",
        "http://[64:ff9b:1::a00:1]/x",
        "http://[2002:7f00:1::]/x",
        "http://[2001:0:7f00:1::]/x",
        "http://[::127.0.0.1]/x",
        "http://[fec0::1]/x",
        "http://１２７.０.０.１/x",
        "http://127。0。0。1/x",
        "http://ⓛocalhost/x",
        "http://printer.ｌocal/x",
        "http://router.lan/x",
        "http://ledger.payments.svc/x",
        "http://ledger.payments.svc.cluster.local/x",
        "http://wiki.corp/x",
        "http://a..example.com/x",
        "http://user:secret@example.com/x",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "http://[broken/x",
        "",
    ],
)
def test_private_addresses_are_not_passed_on(url: str) -> None:
    content = content_of(a_file(url, "image/png"))
    assert content == "[Attachment: file (image/png): its address is not public.]"


def test_files_that_the_model_cannot_read_are_named_instead() -> None:
    sound = AudioUrl("https://example.com/a", media_type="audio/mpeg")
    picture = ImageUrl("https://example.com/b", media_type="image/png")
    request = ModelRequest([UserPromptPart(["listen", sound, picture])])
    (changed,) = readable([request], {"supports_audio_file_input": False})
    (part,) = changed.parts
    assert isinstance(part, UserPromptPart)
    assert part.content == [
        "listen",
        "[A file of type audio/mpeg came with this message; you cannot read such files.]",
        picture,
    ]
    assert readable([request], {}) == [request]
