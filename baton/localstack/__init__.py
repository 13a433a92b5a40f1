"""`baton dev`: the whole stack on one machine. Each module starts, finds or prepares one part of it."""
