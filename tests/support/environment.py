"""The environment of processes that tests start."""

import os


def without_settings() -> dict[str, str]:
    """Our own environment, without what sets Baton or Temporal up: whoever runs the tests may have some of that."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "BATON_"))}
