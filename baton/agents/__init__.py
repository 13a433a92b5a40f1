"""Agents: turns a transcript into a model's next step, and runs tools.

Knows neither our HTTP API nor Temporal nor PostgreSQL. Importing `baton.agents.steps` or `baton.agents.models` loads
pydantic-ai (a second or more): only the worker does.
"""
