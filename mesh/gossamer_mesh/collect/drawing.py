"""Draws a trace for a terminal, one line a span. Pure: gives lines, prints nothing, knows no colours.

What a span says comes from anywhere, so nothing but printable characters reaches the terminal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from gossamer_mesh.collect.tree import Node, Trace

_GAP: Final = "  "
_BAR: Final = 20
_SHORT_BAR: Final = 12
_WIDE: Final = 100  # from here on there is room for a whole bar
_TIME: Final = 9
_NARROWEST: Final = 24
_STATUS: Final = 60
_VISIBLE_SKEW: Final = 1000  # microseconds; less is how clocks of one machine are read
_MILLISECOND: Final = 1000
_SECOND: Final = 1_000_000
_DEEPEST: Final = 16  # branches further down are not drawn to their full depth


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and whether it tells of a failure."""

    text: str
    failed: bool = False


def draw(trace: Trace, *, width: int, zone: tzinfo | None = None) -> list[Line]:
    """Draw a trace within ``width`` columns; how a span ended may go beyond, as the last column.

    Args:
        trace: what to draw.
        width: columns of the terminal.
        zone: of the time in the first line; None is the machine's own.
    """
    names = [_name(node, branch) for node, branch in _branches(trace)]
    bar = _BAR if width >= _WIDE else _SHORT_BAR
    room = max(_NARROWEST, width - 3 * len(_GAP) - 2 * _TIME - bar)
    column = min(room, max(len(who) + len(what) for who, what in names))
    spans = [
        Line(_line(node, _fitted(*name, column), bar, trace), failed=node.failed)
        for node, name in zip(trace.nodes(), names, strict=True)
    ]
    return [Line(_title(trace, zone)), Line(""), *spans]


def duration(microseconds: int) -> str:
    """Write a duration with three digits: ``840 µs``, ``12.3 ms``, ``1.50 s``."""
    if microseconds < _MILLISECOND:
        return f"{microseconds} µs"
    if microseconds < _SECOND:
        return f"{_three(microseconds / _MILLISECOND)} ms"
    return f"{_three(microseconds / _SECOND)} s"


def _three(number: float) -> str:
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}"  # noqa: PLR2004 - digits before the point


def _title(trace: Trace, zone: tzinfo | None) -> str:
    began = datetime.fromtimestamp(trace.start // _SECOND, UTC).astimezone(zone)
    count = sum(1 for _ in trace.nodes())
    parts = [
        f"trace {trace.trace_id}",
        f"{began:%Y-%m-%d %H:%M:%S}.{trace.start % _SECOND // _MILLISECOND:03}",
        duration(trace.duration),
        f"{count} span{'s' * (count != 1)}",
        _printable(", ".join(trace.services)),
    ]
    if trace.errors:
        parts.append(f"{trace.errors} error{'s' * (trace.errors != 1)}")
    return "  ".join(parts)


def _branches(trace: Trace) -> Iterator[tuple[Node, str]]:
    """Walk the tree as ``Trace.nodes`` does, each node with the lines that lead to it."""
    waiting = [(root, "", "") for root in reversed(trace.roots)]
    while waiting:
        node, own, below = waiting.pop()
        yield node, own
        if node.depth >= _DEEPEST:
            below = ""
            own = f"⋯{node.depth + 1} "
            waiting.extend((child, own, below) for child in reversed(node.children))
            continue
        last = len(node.children) - 1
        waiting.extend(
            (child, below + ("└─ " if index == last else "├─ "), below + ("   " if index == last else "│  "))
            for index, child in reversed(list(enumerate(node.children)))
        )


def _name(node: Node, branch: str) -> tuple[str, str]:
    """Give who did it, below its branch, and what it did; of gRPC's long names the package is left out."""
    who = node.instance if node.instance.startswith(node.service) else node.service
    service, slash, method = node.operation.rpartition("/")
    what = f"{service.rpartition('.')[2]}{slash}{method}"
    return f"{branch}{_printable(who or '?')}{_GAP}", _printable(what)


def _fitted(who: str, what: str, column: int) -> str:
    """Fill the column; what is too long is cut in front, as the method is at the end."""
    room = column - len(who)
    if len(what) > room:
        what = "…" + what[len(what) - max(0, room - 1) :]
    return f"{who}{what}"[:column].ljust(column)


def _line(node: Node, name: str, bar: int, trace: Trace) -> str:
    offset = duration(node.start - trace.start)
    times = [offset.rjust(_TIME), duration(node.duration).rjust(_TIME)]
    return _GAP.join([name, *times, _bar(node, bar, trace), _remarks(node, trace)]).rstrip()


def _bar(node: Node, cells: int, trace: Trace) -> str:
    whole = max(1, trace.duration)
    left = min(cells - 1, (node.start - trace.start) * cells // whole)
    length = min(cells - left, -(-node.duration * cells // whole))
    return (" " * left + ("█" * length or "▏")).ljust(cells)


def _remarks(node: Node, trace: Trace) -> str:
    remarks = [_shortened(_printable(node.status))] if node.status else []
    if node.orphan and len(trace.roots) > 1:  # a single root's parent is a caller outside the mesh
        remarks.append(f"(its parent {node.parent_id} is not here)")
    if node.shift >= _VISIBLE_SKEW:
        remarks.append(f"(its clock is {duration(node.shift)} behind)")
    return " ".join(remarks)


def _shortened(text: str) -> str:
    return text if len(text) <= _STATUS else text[: _STATUS - 1] + "…"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text)
