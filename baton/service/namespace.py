"""What Temporal must have before Baton can work there: a namespace that knows the search attributes."""

import asyncio
from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

#: All of type Keyword. baton/service/temporal.py and the workflows set them.
SEARCH_ATTRIBUTES: Final = ("BatonTenant", "BatonState", "BatonExecution", "BatonAgent")

#: How long a new namespace keeps closed workflows. Everything that counts is in PostgreSQL.
_RETENTION: Final = timedelta(days=7)


async def ensure_namespace(client: Client) -> None:
    """Make the client's namespace unless it exists. Raises RPCError if the server does not allow it."""
    try:
        await namespace_id(client)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        retention = Duration()
        retention.FromTimedelta(_RETENTION)
        request = RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=retention)
        try:
            await client.workflow_service.register_namespace(request)
        except RPCError as refused:
            if refused.status is not RPCStatusCode.ALREADY_EXISTS:  # somebody else was faster
                raise


async def register_search_attributes(client: Client, seconds: float = 30.0) -> None:
    """Register what the client's namespace does not have yet; returns when queries may use them.

    Safe to repeat and to run side by side. Raises TimeoutError, or RPCError if the server does not allow it.
    """
    async with asyncio.timeout(seconds):
        # Polled: the server tells nobody when it is done.
        while not await _are_known(client):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        query = " AND ".join(f"{name} = ''" for name in SEARCH_ATTRIBUTES)
        while not await _may_query(client, query):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def probe(client: Client) -> None:
    """Raises RPCError, in Temporal's own words, where the namespace or a search attribute is missing."""
    asked = " AND ".join(f"{name} = ''" for name in SEARCH_ATTRIBUTES)
    await client.count_workflows(f"WorkflowId = '' AND {asked}")


async def namespace_id(client: Client) -> str:
    """The id of the client's namespace: another one of the same name has another id. Raises RPCError."""
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return found.namespace_info.id


async def _are_known(client: Client) -> bool:
    """Whether the namespace has all of them; registers those that it has not."""
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = [name for name in SEARCH_ATTRIBUTES if name not in known.custom_attributes]
        if not missing:
            return True
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword))
        )
    except RPCError as error:
        # Somebody else was faster; or the namespace is so new that not all of the server knows it yet.
        if error.status not in (RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.NOT_FOUND):
            raise
    return False


async def _may_query(client: Client, query: str) -> bool:
    try:
        await client.count_workflows(query)
    except RPCError as error:
        # The server reads anew now and then what namespaces and attributes there are.
        if error.status in (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.NOT_FOUND):
            return False
        raise
    return True
