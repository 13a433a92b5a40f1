"""What a person types: `baton …`. Light to import: no Temporal, no database, no model library."""

import sys
from types import ModuleType
from typing import cast

# httpx has a command line of its own, which brings click, rich's progress bars and pygments: two thirds of the time
# that importing httpx takes, and half of what `baton send` would need to start. Nothing here needs it.
sys.modules.setdefault("httpx._main", cast("ModuleType", None))
