"""Spans as the store takes them, short to write."""

from collections.abc import Callable
from typing import Any

import pytest

from gossamer_mesh.collect.spans import Process, SpanRow

MakeSpan = Callable[..., SpanRow]


@pytest.fixture
def make_span() -> MakeSpan:
    """Make a span; ids are small numbers, tags a dictionary, everything else has a default."""
    return _make_span


def _make_span(trace: int = 1, span: int = 1, **fields: Any) -> SpanRow:
    service = fields.pop("service", "orders")
    tags = ",".join(
        f'{{"key":"{key}","type":"string","value":"{value}"}}' for key, value in fields.pop("tags", {}).items()
    )
    padding = fields.pop("padding", "")
    trace_id = trace.to_bytes(16, "big")
    body = f'{{"traceID":"{trace_id.hex()}","spanID":"{span:016x}","tags":[{tags}],"logs":[],"warnings":"{padding}"}}'
    values: dict[str, Any] = {
        "process": Process(service=service, tags="[]"),
        "trace_id": trace_id,
        "span_id": span.to_bytes(8, "big"),
        "parent_id": b"",
        "name": "op",
        "kind": "internal",
        "start": 1000,
        "duration": 10,
        "failed": False,
        "body": body,
    }
    parent = fields.pop("parent", None)
    if parent is not None:
        values["parent_id"] = parent.to_bytes(8, "big")
    return SpanRow(**values | fields)
