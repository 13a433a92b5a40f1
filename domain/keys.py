"""API keys: how they look, and what is kept of them."""

import hashlib
import secrets
from typing import Final

PREFIX: Final = "baton_"


def new_key() -> str:
    """A fresh key: 256 random bits, URL-safe, recognisable in a log or a repository."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """What the database keeps of a key. It needs no salt and no slow hash: nobody can try out 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", errors="surrogatepass")).digest()
