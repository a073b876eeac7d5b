"""Log lines as JSON on standard error, and the announcement on standard output."""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

SERVICE = "control"

OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest was given as `extra`."""


class JsonFormatter(logging.Formatter):
    """One line a record: time, level, service, instance, message, and what else it was given."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """Write the line."""
        line = _head(record.created, record.levelname.lower(), self._instance, record.getMessage())
        line |= {name: value for name, value in vars(record).items() if name not in OWN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(instance: str) -> None:
    """Write every log line of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(instance))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def announce(instance: str, address: str) -> None:
    """Say on standard output where it is bound."""
    line = _head(time.time(), "info", instance, "announce") | {"addresses": {"grpc": address}}
    print(json.dumps(line), flush=True)  # noqa: T201 - the one line of standard output


def _head(seconds: float, level: str, instance: str, message: str) -> dict[str, Any]:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": moment, "level": level, "service": SERVICE, "instance": instance, "message": message}
