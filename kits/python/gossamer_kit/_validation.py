"""The contract's own rules (buf.validate), checked before a handler sees a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protovalidate import Validator

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from protovalidate import FieldPathPb

LARGE = 4096
MOST = 20

_validator = Validator()


def violations(message: Message) -> list[tuple[str, str]]:
    """Find the fields that break a rule: their proto paths, such as `items[0].quantity`, and what is wrong.

    At most MOST, since clients refuse an answer whose details are too large; and only the first of a message of more
    than LARGE bytes, since a hostile one could keep the event loop busy for seconds.
    """
    found = _validator.collect_violations(message, fail_fast=message.ByteSize() > LARGE)
    if not found:
        return []
    return [(_path(each.proto.field), each.proto.message) for each in found[:MOST]]


def _path(field: FieldPathPb | None) -> str:
    path = ""
    for element in field.elements if field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            key = element.subscript.value
            path += f'["{key}"]' if isinstance(key, str) else f"[{str(key).lower()}]"
    return path
