"""Page tokens: where the next page of a list of orders starts, in a text that means nothing to a caller.

A token is bound to its list: its first bytes are a checksum over the list's filter and the position, so one that
belongs to another customer's list, or was cut or made up, does not fit. It is no secret and guards nothing.

    base64url( first 8 bytes of SHA-256(list, filter, position) | position as JSON )
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_CHECKSUM = 8
_LIST = "ListOrders"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PageTokenInvalidError(Exception):
    """The token was not given by a call with the same filter."""


@dataclass(frozen=True)
class Position:
    """The last order of a page; the next page starts with the one after it."""

    create_time: datetime
    order_id: UUID


def encode(position: Position, *, customer_id: str) -> str:
    """Return the token of a position in the list of a customer's orders ("": of all orders)."""
    micros = (position.create_time - _EPOCH) // _MICROSECOND
    plain = json.dumps([micros, position.order_id.hex], separators=(",", ":")).encode()
    return _text(_checksum(plain, customer_id) + plain)


def decode(token: str, *, customer_id: str) -> Position:
    """Read what `encode` wrote for the same list. Raises PageTokenInvalidError for any other text."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise PageTokenInvalidError from error
    plain = raw[_CHECKSUM:]
    if _text(raw) != token or raw[:_CHECKSUM] != _checksum(plain, customer_id):
        raise PageTokenInvalidError
    try:
        micros, order_id = json.loads(plain)
        return Position(_EPOCH + micros * _MICROSECOND, UUID(hex=order_id))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:  # a checksum can be made up as well
        raise PageTokenInvalidError from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _checksum(plain: bytes, customer_id: str) -> bytes:
    question = json.dumps([_LIST, customer_id, plain.decode("latin-1")])
    return hashlib.sha256(question.encode()).digest()[:_CHECKSUM]
