"""Who did something."""

from baton.client.schemas.base import Shape
from baton.domain.authors import AuthorKind


class AuthorOut(Shape):
    """Who did something. ``id``: of a key its uuid, of a user issuer and subject as one name, in Temporal the identity
    that its client chose. ``name`` is what people are shown; it proves nothing."""

    kind: AuthorKind
    id: str
    name: str
