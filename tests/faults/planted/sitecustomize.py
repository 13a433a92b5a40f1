"""Python imports this by its name whenever it starts with this directory on PYTHONPATH: so that tests can plant
something in the processes of a stack, and nothing of it is in the product.

`BATON_PLANTED=DIR`: what is in `plants` counts while a file of its name lies in DIR, without a restart.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

import plants


class _Planter(SourceFileLoader):
    """Loads a module as usual, then changes it."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for plant in plants.IN_MODULE[module.__name__]:
            plant(module)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in plants.IN_MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Planter(fullname, spec.origin)
        return spec


if "BATON_PLANTED" in os.environ:
    sys.meta_path.insert(0, _Finder())
