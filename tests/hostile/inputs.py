"""What strangers send: requests that are almost right, with something wrong in one or two places."""

import base64
import copy
import hmac
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import quote
from uuid import uuid4

from baton.domain.json import JsonObject, JsonValue

#: For a path's or a query's places, as they stand in the target.
PLACES: Final = (
    *(
        "%00",
        "a%00b",
        "%ED%A0%80",
        "%FF",
        "%C0%80",
        "%F0%9F%98%80",
        "%E2%80%AE",
        "%D9%A3",
        "%0D%0A",
        "%09",
        "%20",
        "%25",
    ),
    *(
        "%",
        "%zz",
        "..",
        "%2e%2e",
        "%2F",
        "a/b",
        "*",
        "{task_id}",
        "'%22;--",
        "<script>",
        "null",
        "true",
        "NaN",
        "-",
        "+1",
    ),
    *(
        "1" * 30,
        "-" + "9" * 30,
        "1.0",
        "1e5",
        "1_0",
        "0x1",
        "0",
        "-1",
        "01",
        "9223372036854775807",
        "9223372036854775808",
    ),
    *("a" * 5000, str(uuid4()), str(uuid4()).upper(), uuid4().hex, f"%7B{uuid4()}%7D", f"urn:uuid:{uuid4()}"),
    *("00000000-0000-0000-0000-000000000000", "é"),
)
#: For a JSON document's places.
VALUES: Final[tuple[Any, ...]] = (
    *("\x00", "a\x00b", "\ud800", "a\udfff", "\uffff", "\u202e", "😀", "", " ", "\n", "a" * 100_000, "💥" * 10_000),
    *(0, -1, 1.0, 1.5, -0.0, 1e300, 5e-324, 10**18, 10**19, 10**30, -(10**30), 2**53 + 1, 2**63, True, False, None),
    *(
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": ""},
        {"\x00": 1},
        {"a": {"b": {"c": []}}},
        ["\ud800"],
        [1.0],
        "1",
        "1.0",
        "null",
    ),
    *(
        "../../etc/passwd",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "data:text/plain;base64,%%%",
        "javascript:0",
    ),
    *("9" * 400, "task_busy", "2026-13-45T99:99:99Z", str(uuid4()), "__proto__", "${jndi:ldap://x}", "{{7*7}}", "%s%n"),
)
_TYPES: Final = (
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "*/*"),
    *("", ";", "x", "application/json; charset=utf-16", "application/jsonp", "APPLICATION/JSON ;", "a" * 3000, "é"),
)


def deep(levels: int) -> bytes:
    """An object whose members go ``levels`` deep."""
    return b'{"message":' * levels + b"1" + b"}" * levels


#: Bodies that are no JSON object.
BODIES: Final[tuple[bytes, ...]] = (
    *(
        b"",
        b" ",
        b"{",
        b"}",
        b"[",
        b'"',
        b"null",
        b"1",
        b'""',
        b"[]",
        b"{}",
        b"[{}]",
        b"true",
        b"\x00",
        b"\xff\xfe",
        b"{'a': 1}",
    ),
    *(
        b'{"a":}',
        b'{"a":1,}',
        b"{,}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"message":1e999}',
        b'{"message":-0}',
        b'{"a":01}',
    ),
    *(
        b'\xef\xbb\xbf{"message":"x"}',
        '{"message":"x"}'.encode("utf-16"),
        b'{"message":"\xff"}',
        b'{"message":"\xed\xa0\x80"}',
    ),
    *(
        b'{"message":"\\ud800"}',
        b'{"\\ud800":1}',
        b'{"message":"\\u0000"}',
        b'{"message":"\xc0\x80"}',
        b'{"message":"a\nb"}',
    ),
    *(b'{"message":"a","message":"b"}', b'{"text":"a","text":"b"}', b'{"a":{"b":1,"b":2}}', b'{"\\u0061":1,"a":2}'),
    *(deep(130), deep(1000), deep(10_000), b"[" * 10_000, b"[" * 10_000 + b"]" * 10_000, b'{"message":' + deep(10_000)),
    *(b'{"message":' + b"9" * 30 + b"}", b'{"message":' + b"9" * 5000 + b"}", b'{"message":1.' + b"9" * 5000 + b"}"),
    *(b"message=x&text=y", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", b"<a/>", b"\x1f\x8b\x08\x00"),
)


def _segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _jwt(header: object, claims: object, signature: str = "c2ln") -> str:
    return f"{_segment(header)}.{_segment(claims)}.{signature}"


_CLAIMS: Final[dict[str, object]] = {"sub": "x", "tenant": "acme", "exp": 4102444800}
#: What the API that is asked checks JWTs with, so that signatures are looked at, and what is behind them.
SECRET: Final = "a-secret-of-at-least-sixty-four-bytes-so-that-every-algorithm-takes-it!"


def _signed(header: object, claims: object, secret: str = SECRET) -> str:
    signed = f"{_segment(header)}.{_segment(claims)}"
    digest = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


_HS256: Final[dict[str, object]] = {"alg": "HS256", "typ": "JWT"}
#: What claims and headers must not say.
_ODD: Final[dict[str, tuple[object, ...]]] = {
    "exp": (1, -1, 1e300, "x", [], {}, None, True, 10**400, "9" * 400),
    "nbf": (4102444800, "x", [], 10**400),
    "iat": (4102444800, "x", {}, 10**400),
    "sub": ("", None, 1, [], {}, "\x00", "\ud800"),
    "tenant": ("", None, 1, [], {}, "\x00", "\ud800", "nobody", "a" * 5000),
}
_ODD_SCOPES: Final[tuple[object, ...]] = (1, {}, [list[object]()], "\ud800", "admin")
_ODD_CLAIMS: Final[tuple[object, ...]] = ([], 1, "x", None, b"[" * 6000, b'{"a":' * 1500, b"\xff", b"")
_NO_KEY_IDS: Final[tuple[object, ...]] = ([], {}, 1, "\ud800")
_ODD_KEY_IDS: Final[tuple[object, ...]] = (None, [], {}, 1, "\x00", "../../x", "a" * 3000)
_ODD_HEADERS: Final[tuple[dict[str, object], ...]] = ({"crit": ["x"]}, {"b64": False}, {"zip": "DEF"}, {"typ": []})
#: Well signed, and still good for nothing.
_SIGNED: Final = (
    *(_signed(_HS256, _CLAIMS | {claim: value}) for claim, values in _ODD.items() for value in values),
    *(_signed(_HS256, _CLAIMS | {"tenant": "nobody", "scope": scope}) for scope in _ODD_SCOPES),
    *(_signed(_HS256, claims) for claims in _ODD_CLAIMS),
    *(_signed({"alg": name}, _CLAIMS) for name in ("none", "HS512", "hs256", "RS256", "ES256")),
    *(_signed(_HS256 | {"kid": kid}, _CLAIMS | {"tenant": "nobody"}) for kid in _NO_KEY_IDS),
    *(_signed(_HS256 | more, _CLAIMS) for more in _ODD_HEADERS),
    *(_signed(_HS256, _CLAIMS, "another secret, which is just as long as the right one, and does not count."),),
)
#: Credentials that nobody gave out.
TOKENS: Final = (
    *_SIGNED,
    *(
        _jwt({"alg": name, "typ": "JWT"}, _CLAIMS)
        for name in ("none", "None", "nOnE", "HS256", "RS256", "ES256", "PS999", "")
    ),
    *(
        _jwt({"alg": "none"}, _CLAIMS, ""),
        _jwt({"alg": ["HS256"]}, _CLAIMS),
        _jwt({"alg": None}, _CLAIMS),
        _jwt({}, {}),
    ),
    *(_jwt({"alg": "HS256", "kid": kid}, _CLAIMS) for kid in _ODD_KEY_IDS),
    *(
        _jwt({"alg": "HS256", "crit": ["x"]}, _CLAIMS),
        _jwt({"alg": "HS256", "b64": False}, _CLAIMS),
        _jwt([], []),
        _jwt(1, 1),
    ),
    *(
        _jwt(b"[" * 6000, _CLAIMS),
        _jwt(b'{"a":' * 2000, _CLAIMS),
        _jwt(b"\xff", b"\xff"),
        _jwt({"alg": "HS256"}, b"[" * 6000),
    ),
    *(_jwt({"alg": "HS256"}, {"exp": exp}) for exp in _ODD["exp"]),
    *("..", "...", "a.b.c", ".", "a" * 20_000, "a" * 16_384, "é.é.é", "\x80", "baton_", "baton_x", "null", "Bearer"),
)
_CREDENTIALS: Final = ("Basic YTpi", "Bearer", "Bearer ", "bearer\t", "UserKey", "Digest x", "", "Bearer a b c", "é é")
_HEADERS: Final[tuple[tuple[str, Callable[[random.Random], str]], ...]] = (
    ("Idempotency-Key", lambda dice: dice.choice(("", " ", "a" * 256, "é", "\x80", "a" * 5000, "x", "y,z", "\t"))),
    (
        "Baton-Mode",
        lambda dice: dice.choice(("", "sometimes", "queue", "interrupt", "reject", "QUEUE", "é", "queue,reject")),
    ),
    ("Baton-Question", lambda dice: dice.choice(("", "q", str(uuid4()), "a" * 256, "é"))),
    (
        "If-Match",
        lambda dice: dice.choice(("*", "1", '"1"', 'W/"1"', '"' + "9" * 30 + '"', "", "x", '"-1"', '"1.0"', "é")),
    ),
    (
        "Last-Event-ID",
        lambda dice: dice.choice(("", "x", "-1", "1.0", "9" * 30, "0.0.0", "1.99999", "é", "9223372036854775808")),
    ),
    ("Host", lambda dice: dice.choice(("", "[", "[::1", "a" * 3000, "é", "x:99999999", "x/y", "@", "\\", "%00"))),
    ("Accept", lambda dice: dice.choice(("", "text/xml", "*/*;q=0", "é", "application/json;q=x"))),
    ("Accept-Encoding", lambda dice: dice.choice(("gzip", "br;q=1", "", "é"))),
    ("Content-Encoding", lambda dice: dice.choice(("gzip", "br", "identity", "", "é"))),
    ("Expect", lambda dice: dice.choice(("100-continue", "x", ""))),
    ("Range", lambda dice: dice.choice(("bytes=0-1", "bytes=-99999999999999999999", "x"))),
    ("X-Forwarded-For", lambda dice: dice.choice(("é", "1.2.3.4", "x" * 2000, ","))),
    ("X-Forwarded-Proto", lambda dice: dice.choice(("javascript", "https", "é"))),
    ("Origin", lambda dice: dice.choice(("null", "é", "https://x"))),
    ("Cookie", lambda dice: dice.choice(("a=b", "é", "=" * 2000))),
    ("Connection", lambda dice: dice.choice(("close", "Upgrade", "é", "keep-alive, close"))),
    ("Upgrade", lambda dice: dice.choice(("websocket", "h2c"))),
    ("Transfer-Encoding", lambda dice: "identity"),
    ("Traceparent", lambda dice: dice.choice(("x", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"))),
)
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND")


@dataclass
class Request:
    """A request that can be spoilt. ``places`` are the path's, by their order; ``body`` None: none is sent."""

    method: str
    segments: list[str]
    places: list[int]
    token: str
    query: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    credentials: str = ""
    body: bytes | None = None
    chunked: bool = False

    @property
    def target(self) -> str:
        """What stands in the request line."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return "/".join(self.segments) + (f"?{query}" if query else "")

    def all_headers(self) -> list[tuple[str, str]]:
        """All headers, as they are sent."""
        own = {name.lower() for name, _ in self.headers}
        headers = [("Host", "x")] if "host" not in own else []
        if self.credentials or self.token:
            headers.append(("Authorization", self.credentials or f"Bearer {self.token}"))
        if self.body is not None:
            if "content-type" not in own:
                headers.append(("Content-Type", "application/json"))
            headers.append(
                ("Transfer-Encoding", "chunked") if self.chunked else ("Content-Length", str(len(self.body)))
            )
        return headers + self.headers

    def sent_body(self) -> bytes | None:
        """The body, as it is sent."""
        if self.body is None or not self.chunked:
            return self.body
        pieces = [self.body[n : n + 65_536] for n in range(0, len(self.body), 65_536)]
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def spoilt_json(dice: random.Random, value: Any) -> bytes:
    """A JSON document with something in it that does not belong there."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    if places and dice.random() < 0.9:
        holder, key = dice.choice(places)
        if dice.random() < 0.15:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(dice.choice(VALUES))
    elif isinstance(value, dict):
        value[dice.choice(("extra", "", "\x00", "__class__", "id", "tenant", "state"))] = dice.choice(VALUES)
    text = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and value and dice.random() < 0.1:
        name = json.dumps(next(iter(cast("JsonObject", value))))
        return text[:-1] + f",{name}:1}}".encode("utf-8", "surrogatepass")
    if dice.random() < 0.05:
        return text[: dice.randrange(len(text))]
    if dice.random() < 0.05:
        where = dice.randrange(len(text))
        return text[:where] + dice.choice((b"\xff", b"\x00", b"\xed\xa0\x80")) + text[where:]
    return text


def _places(value: Any) -> Sequence[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key in _keys(value):
        found.append((value, key))
        found.extend(_places(value[key]))
    return found


def _keys(value: JsonValue) -> Iterable[str | int]:
    match value:
        case dict():
            return list(value)
        case list():
            return range(len(value))
        case _:
            return ()


def spoil(dice: random.Random, request: Request, document: Any, parameters: Sequence[str]) -> None:
    """Do one thing to ``request`` that its sender should not have. ``document``: the body that would be right."""

    def place() -> None:
        if request.places:
            request.segments[dice.choice(request.places)] = dice.choice(PLACES)

    def segment() -> None:
        request.segments[dice.randrange(1, len(request.segments))] = dice.choice(PLACES)

    def longer() -> None:
        request.segments.append(dice.choice(("", "x", *PLACES)))

    def query() -> None:
        for _ in range(dice.choice((1, 1, 2, 5))):
            name = dice.choice((*parameters, "x", "%00", "")) if parameters else dice.choice(("x", "limit", "%00"))
            request.query.append(
                (
                    name,
                    dice.choice(
                        (
                            *PLACES,
                            "1",
                            "running",
                            "waiting",
                            quote(str(dice.choice(VALUES[:12]))[:50], errors="replace"),
                        )
                    ),
                )
            )

    def header() -> None:
        name, value = dice.choice(_HEADERS)
        request.headers.append((name, value(dice)))

    def many_headers() -> None:
        request.headers += [(f"X-{n}", "y" * 50) for n in range(dice.choice((10, 100, 500)))]

    def content_type() -> None:
        request.headers.append(("Content-Type", dice.choice(_TYPES)))

    def credentials() -> None:
        request.credentials = dice.choice((*(f"Bearer {token}" for token in TOKENS), *_CREDENTIALS))

    def no_credentials() -> None:
        request.token = ""

    def body() -> None:
        request.body = dice.choice(BODIES) if document is None or dice.random() < 0.4 else spoilt_json(dice, document)

    def large() -> None:
        size = dice.choice((5, 5, 50)) * 2**20
        request.body, request.chunked = b'{"message":"' + b"a" * size + b'"}', dice.random() < 0.5

    def framing() -> None:
        request.chunked = True

    def method() -> None:
        request.method = dice.choice(_METHODS)

    ways = [place] * 8 + [query] * 6 + [header] * 6 + [body] * (14 if document is not None else 3) + [credentials] * 3
    ways += [segment, longer, many_headers, content_type, content_type, no_credentials, framing, method, method]
    if dice.random() < 0.02:
        ways = [large]
    dice.choice(ways)()
