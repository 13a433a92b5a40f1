"""Pure types and rules: nothing here does I/O, and everything else may import it."""
