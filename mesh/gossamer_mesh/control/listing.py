"""Answers with a page of a list: what a request asks for is checked, and shown."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from gossamer_mesh.control.paging import PageTokenError, page
from gossamer_mesh.control.validation import refuse, require_valid

T = TypeVar("T")
M = TypeVar("M", bound=Message)


async def page_of(
    items: Iterable[tuple[str, T]], show: Callable[[T], M], request: Any, context: grpc.aio.ServicerContext[Any, Any]
) -> tuple[list[M], str]:
    """Give the page that a request asks for, of items in the order of their keys, and the token of the next."""
    if request.ByteSize():  # an empty request breaks no rule, and nothing needs to be loaded to see it
        await require_valid(request, context)
    try:
        return page(items, show, size=request.page_size, token=request.page_token)
    except PageTokenError as error:
        await refuse(context, {"page_token": str(error)})
