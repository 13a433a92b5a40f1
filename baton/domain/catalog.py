"""The catalog: the names of tools and models that workers have. What is written is judged by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Final

from baton.domain.approvals import is_pattern
from baton.domain.errors import InvalidInput
from baton.domain.likeness import LONGEST, meant, quoted

#: The model that every worker has, without any provider.
SCRIPTED: Final = "scripted"
#: The tool that every agent has.
ASK_USER: Final = "ask_user"

#: So many names are told to be wrong at once.
_MOST_PROBLEMS: Final = 20
#: So many names are listed where none is like the one that was meant.
_MOST_LISTED: Final = 20


class NameKind(Enum):
    """What a name is to name."""

    TOOL = auto()
    GRANT = auto()  #: a tool that is consented to, perhaps by who may not know which tools there are
    TOOLS = auto()  #: a tool, or a pattern of tools' names
    MODEL = auto()
    SERVED_MODEL = auto()  #: a model of a server of somebody's own, which may call it anything


@dataclass(frozen=True, slots=True)
class Used:
    """A name in a request; ``where`` is the path to it."""

    kind: NameKind
    name: str
    where: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """``tools`` by name: whether a call changes things. ``models``: by provider, the names that are known of its
    models; none where any name may be one. `SCRIPTED` and `ASK_USER` are not listed."""

    tools: Mapping[str, bool]
    models: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of the names in a request: ``refused`` are those that no worker has, ``warnings`` tell of
    those that it could not be known of."""

    refused: tuple[InvalidInput, ...] = ()
    warnings: tuple[str, ...] = ()

    def check(self) -> tuple[str, ...]:
        """The warnings. Raises `InvalidInput` for what is refused."""
        if self.refused:
            first, *others = self.refused
            raise InvalidInput(first.message, first.where, first.kind, tuple(others))
        return self.warnings

    def told(self) -> tuple[str, ...]:
        """All of it as warnings, for what has been written already."""
        return (*(one.message for one in self.refused), *self.warnings)


def united(catalogs: Iterable[Catalog]) -> Catalog | None:
    """What there is in any of the ``catalogs``; None for none: nothing is known then."""
    tools: dict[str, bool] = {}
    models: dict[str, frozenset[str]] = {}
    known = False
    for catalog in catalogs:
        known = True
        for name, changes_things in catalog.tools.items():
            tools[name] = tools.get(name, False) or changes_things
        for provider, names in catalog.models.items():
            before = models.get(provider)
            if before is None or not names:
                models[provider] = frozenset(names)
            elif before:
                models[provider] = before.union(names)
    return Catalog(tools, {provider: sorted(names) for provider, names in models.items()}) if known else None


def judged(catalog: Catalog | None, used: Sequence[Used]) -> Judgement:
    """What is to be said of the names ``used``. Without a catalog they are not judged, and one warning says so."""
    doubtful = [one for one in used if not _always_known(one)]
    if catalog is None:
        return Judgement(warnings=(_unjudged(doubtful),) if doubtful else ())
    refused: list[InvalidInput] = []
    warnings: list[str] = []
    for one in doubtful:
        if len(refused) + len(warnings) == _MOST_PROBLEMS:
            break
        if problem := _unknown(catalog, one):
            refused.append(InvalidInput(problem, one.where, "unknown_name"))
        elif doubt := _unlisted(catalog, one):
            warnings.append(doubt)
    return Judgement(tuple(refused), tuple(warnings))


def tools_used(names: Iterable[str], where: tuple[str | int, ...]) -> list[Used]:
    """Names of tools, one after the other in a list."""
    return [Used(NameKind.TOOL, name, (*where, number)) for number, name in enumerate(names)]


def grants_used(names: Iterable[str], where: tuple[str | int, ...]) -> list[Used]:
    """Names of tools that somebody consents to, in no order."""
    return [Used(NameKind.GRANT, name, where) for name in dict.fromkeys(names)]


def policies_used(policies: Iterable[str], where: tuple[str | int, ...]) -> list[Used]:
    """The keys of policies."""
    return [Used(NameKind.TOOLS, name, where if len(name) > LONGEST else (*where, name)) for name in policies]


def _always_known(one: Used) -> bool:
    match one.kind:
        case NameKind.TOOL | NameKind.GRANT:
            return one.name == ASK_USER
        case NameKind.TOOLS:
            return one.name in (ASK_USER, "*")
        case NameKind.MODEL | NameKind.SERVED_MODEL:
            return one.name == SCRIPTED


def _unjudged(used: Sequence[Used]) -> str:
    names = _listed([quoted(name) for name in dict.fromkeys(one.name for one in used)])
    return f"no worker has said yet which tools and models it has, so these names were not checked: {names}"


def _unknown(catalog: Catalog, one: Used) -> str | None:
    """Why no worker has what is named."""
    name = one.name
    if one.kind in (NameKind.MODEL, NameKind.SERVED_MODEL):
        return _unknown_model(catalog, name)
    if name in catalog.tools:
        return None
    tools = sorted((*catalog.tools, ASK_USER))
    if one.kind is NameKind.TOOLS and is_pattern(name):
        fits = any(fnmatchcase(tool, name) for tool in tools)
        return None if fits else f"no worker has a tool that matches the pattern {quoted(name)}"
    return f"no worker has a tool {quoted(name)}{_hint(name, tools, listed=one.kind is not NameKind.GRANT)}"


def _unknown_model(catalog: Catalog, name: str) -> str | None:
    provider, _, model = name.partition(":")
    if not provider or not model:
        full = [f"{one}:{name}" for one, models in catalog.models.items() if name in models]
        instead = min(full, key=len, default=None) or meant(name, (SCRIPTED,))
        hint = f"; did you mean {instead!r}?" if instead else ""
        return f"{quoted(name)} is not a model's name: expected {SCRIPTED!r} or 'provider:model'{hint}"
    if provider not in catalog.models:
        return f"no worker knows the provider {quoted(provider)}{_hint(provider, sorted(catalog.models))}"
    return None


def _unlisted(catalog: Catalog, one: Used) -> str | None:
    """What is doubtful about a model that there may be: providers have some that nobody lists."""
    provider, _, model = one.name.partition(":")
    known = catalog.models[provider] if one.kind is NameKind.MODEL else ()
    if not known or any(_is_version(model, name) for name in known):
        return None
    instead = meant(model, known)
    hint = f"; did you mean {f'{provider}:{instead}'!r}?" if instead else ""
    return f"the workers' lists of models do not include {quoted(one.name)}{hint}"


def _is_version(name: str, known: str) -> bool:
    """Whether ``name`` is a ``known`` model, or one of its dated or tagged versions."""
    return name == known or (name.startswith(known) and not name[len(known)].isalnum())


def _hint(name: str, known: Sequence[str], *, listed: bool = True) -> str:
    if instead := meant(name, known):
        return f"; did you mean {instead!r}?"
    return f": there are {_listed(known)}" if listed else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
