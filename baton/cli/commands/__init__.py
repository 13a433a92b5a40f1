"""The commands that run Baton or prepare it. Each imports what it needs when it is called."""
