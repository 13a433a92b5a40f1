"""The search attributes that Temporal must know before a workflow may carry them."""

import asyncio
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

#: All of type Keyword. workflows/contracts.py sets them.
SEARCH_ATTRIBUTES: Final = ("BatonTenant", "BatonState", "BatonExecution", "BatonAgent")


async def register_search_attributes(client: Client, seconds: float = 30.0) -> None:
    """Register what the client's namespace does not have yet; returns when queries may use them.

    Safe to repeat and to run side by side. Raises TimeoutError, or RPCError if the server does not allow it.
    """
    async with asyncio.timeout(seconds):
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = [name for name in SEARCH_ATTRIBUTES if name not in known.custom_attributes]
        if missing:
            await _add(client, missing)
        query = " AND ".join(f"{name} = ''" for name in SEARCH_ATTRIBUTES)
        while not await _may_query(client, query):  # noqa: ASYNC110 (the server has nothing to wait on)
            await asyncio.sleep(0.1)


async def _add(client: Client, names: list[str]) -> None:
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(names, keyword))
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:  # somebody else was faster
            raise


async def _may_query(client: Client, query: str) -> bool:
    try:
        await client.count_workflows(query)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:  # the server's view of them is refreshed now and then
            return False
        raise
    return True
