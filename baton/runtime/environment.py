"""The environment's `BATON_*` variables that nothing reads, and what they may have been meant to be."""

import re
from collections.abc import Mapping
from typing import Final

from baton.domain.likeness import meant, quoted
from baton.settings import Settings

_PREFIX: Final = "BATON_"
#: Read elsewhere: by the client, and by what is planted in tests and measured in benchmarks.
_OTHERS: Final = ("BATON_URL", "BATON_API_KEY", "BATON_DATABASE_URL", "BATON_FAULTPOINTS")
_OF_DEVELOPERS: Final = ("BATON_TEST_", "BATON_BENCH_", "BATON_PLANTED")
#: What Kubernetes and Docker add for a service whose name begins with `baton`.
_OF_SERVICES: Final = re.compile(r"BATON_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP)\w*)")


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that looks like a setting and is none. Values are not shown."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    known += _OTHERS
    return [
        _sentence(name, known)
        for name, value in sorted(environment.items())
        if name.startswith(_PREFIX)
        and name not in known
        and not name.startswith(_OF_DEVELOPERS)
        and not (_OF_SERVICES.fullmatch(name) or value.startswith(("tcp://", "udp://")))
        and value
    ]


def _sentence(name: str, known: list[str]) -> str:
    like = meant(name.removeprefix(_PREFIX), [one.removeprefix(_PREFIX) for one in known])
    said = f"there is no setting {quoted(name)[1:-1]}"
    return f"{said}; did you mean {_PREFIX}{like}?" if like else said
