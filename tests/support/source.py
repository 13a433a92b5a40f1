"""The product's source, as tests read it."""

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(file: Path) -> ast.Module:
    """A module, parsed once for all tests of this process."""
    return ast.parse(file.read_text())
