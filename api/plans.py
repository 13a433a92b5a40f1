"""Plans in requests."""

import asyncio

from baton.domain.json import JsonValue
from baton.domain.plans import Plan, parse_plan


async def read_plan(value: JsonValue) -> Plan:
    """`parse_plan`, beside other requests: the schemas of a plan's results take up to some seconds to check."""
    return await asyncio.to_thread(parse_plan, value)
