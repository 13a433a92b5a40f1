"""How many examples the properties are tried with, and the races."""

from hypothesis import settings

#: What Hypothesis takes where nothing is said.
_DEFAULT = 100


def examples(count: int) -> int:
    """``count``, or as much of it as the profile in use takes of Hypothesis' default (`fast`: a fifth)."""
    return max(1, count * settings().max_examples // _DEFAULT)
