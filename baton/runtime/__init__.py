"""How any of Baton's processes starts, logs, loops and ends."""
