"""Who does something in tests."""

from baton.domain.authors import Author, AuthorKind


def author(name: str = "somebody") -> Author:
    """The holder of a key."""
    return Author(AuthorKind.KEY, f"id-of-{name}", name)
