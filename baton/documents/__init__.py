"""Files that people write: plans and agents, as YAML or JSON, with the lines of what is wrong in them."""
