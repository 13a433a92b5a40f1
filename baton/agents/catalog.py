"""What a worker has: the tools that it has loaded, and the models that it knows how to reach."""

from baton.agents.known_models import known_models
from baton.agents.tools import tools_changing_things
from baton.domain.catalog import Catalog


def own_catalog() -> Catalog:
    """This process's catalog, once its tools are loaded. Takes half a second: it reads lists of models."""
    return Catalog(tools_changing_things(), known_models())
