"""Pages of a list. Pure: an ordered list and a token in, a page and the next token out.

A token says behind which key the next page begins, so what comes and goes between two pages moves nothing else.
"""

import base64
from collections.abc import Callable, Iterable
from typing import TypeVar

from google.protobuf.message import Message

MOST = 1000
"""How many items a page has, if not asked for fewer."""

BYTES = 3 << 20
"""How large a page grows; gRPC clients take messages of 4 MiB."""

MARK = ">"
"""How every token begins, also that of an empty key."""

EXPECTED = "expected the next_page_token of an earlier page"

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class PageTokenError(Exception):
    """A page token that no page gave."""


def page(items: Iterable[tuple[str, T]], show: Callable[[T], M], *, size: int, token: str) -> tuple[list[M], str]:
    """Show the page that a token asks for, of items in the order of their keys. Raises `PageTokenError`.

    Gives the token of the next page as well, empty after the last. A page has at least one item, if any is left.
    """
    behind = _key(token)
    shown: list[M] = []
    left, last = BYTES, ""
    for key, item in items:
        if token and key <= behind:
            continue
        message = show(item)
        left -= message.ByteSize()
        if shown and (left < 0 or len(shown) == (size or MOST)):
            return shown, _token(last)
        shown.append(message)
        last = key
    return shown, ""


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(f"{MARK}{key}".encode()).decode()


def _key(token: str) -> str:
    try:
        before, _, key = base64.b64decode(token, altchars="-_", validate=True).decode().partition(MARK)
    except ValueError as error:
        raise PageTokenError(EXPECTED) from error
    if before:
        raise PageTokenError(EXPECTED)
    return key
