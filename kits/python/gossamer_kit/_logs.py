"""Logs as JSON lines on standard error, and the announcement on standard output. It never decides what is logged."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from gossamer_kit._call import current_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gossamer_kit._config import Config

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One record, one JSON object: time, level, service, instance, message, and the trace inside a call."""

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._about = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        """Write the record, with what was passed as `extra`, and with the stack of an exception."""
        line: dict[str, Any] = {"time": _time(record.created), "level": record.levelname.lower(), **self._about}
        line["message"] = record.getMessage()
        if (span := current_trace()) is not None:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        line.update((key, value) for key, value in vars(record).items() if key not in _KNOWN)
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


@contextmanager
def to_standard_error(config: Config) -> Iterator[None]:
    """Send every log line of the process to standard error as JSON, while the context lasts."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(config.service, config.instance))
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def announce(config: Config, address: str, contracts: list[str]) -> None:
    """Tell whoever started the process where it listens: one JSON line on standard output."""
    line = {
        "time": _time(datetime.now(UTC).timestamp()),
        "level": "info",
        "service": config.service,
        "instance": config.instance,
        "message": "announce",
        "address": address,
        "contracts": contracts,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
