"""Deterministic code only: what Temporal replays. Everything that touches the world is an activity."""
