"""A trace as a tree: who called whom, when, for how long, and what failed. Pure; takes what Jaeger's read API gives.

What real traces have and trees must bear: spans whose parent never arrived (orphans), parents that form a circle,
two spans with one id, and clocks of different processes that disagree.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.rpc import code_pb2


@dataclass(kw_only=True, slots=True)
class Node:
    """One span in its place. Times are microseconds."""

    span_id: str
    parent_id: str
    service: str
    instance: str
    """The service's instance, or empty."""
    operation: str
    kind: str
    start: int
    """Since the epoch, corrected by ``shift``."""
    duration: int
    failed: bool
    status: str
    """How it ended, or empty if well."""
    shift: int = 0
    """What was added to the start because the clocks of two processes disagree."""
    orphan: bool = False
    """The parent is not part of the trace."""
    depth: int = 0
    children: list["Node"] = field(default_factory=list)

    @property
    def end(self) -> int:
        """When it ended."""
        return self.start + self.duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """A trace in order."""

    trace_id: str
    roots: list[Node]
    start: int
    duration: int

    def nodes(self) -> Iterator[Node]:
        """Walk the tree from top to bottom, each node before its children."""
        waiting = list(reversed(self.roots))
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    @property
    def services(self) -> list[str]:
        """Every service that took part, in the order of appearance."""
        return list(dict.fromkeys(node.service for node in self.nodes()))

    @property
    def errors(self) -> int:
        """How many spans failed."""
        return sum(node.failed for node in self.nodes())


def from_jaeger(trace: Mapping[str, Any]) -> Trace:
    """Build the tree of one trace of ``/api/traces``; the trace has at least one span."""
    processes = trace["processes"]
    nodes = [_node(span, processes[span["processID"]]) for span in trace["spans"]]
    roots = _rooted(nodes)
    for root in roots:
        _settle(root)
    start = min(node.start for node in nodes)
    duration = max(node.end for node in nodes) - start
    return Trace(trace_id=trace["traceID"], roots=_sorted(roots), start=start, duration=duration)


def as_json(trace: Trace) -> dict[str, Any]:
    """Write the trace as JSON values; spans are a list in the tree's order, as a chain may be deeper than JSON is."""
    return {
        "trace_id": trace.trace_id,
        "start_us": trace.start,
        "duration_us": trace.duration,
        "services": trace.services,
        "errors": trace.errors,
        "spans": [_node_json(node, trace.start) for node in trace.nodes()],
    }


def _node_json(node: Node, start: int) -> dict[str, Any]:
    return {
        "span_id": node.span_id,
        "parent_id": node.parent_id,
        "depth": node.depth,
        "service": node.service,
        "instance": node.instance,
        "operation": node.operation,
        "kind": node.kind,
        "offset_us": node.start - start,
        "duration_us": node.duration,
        "failed": node.failed,
        "status": node.status,
        "orphan": node.orphan,
        "clock_shift_us": node.shift,
    }


def _node(span: Mapping[str, Any], process: Mapping[str, Any]) -> Node:
    tags = _values(span["tags"])
    failed = tags.get("error") in {True, "true"}
    return Node(
        span_id=span["spanID"],
        parent_id=_parent(span),
        service=process["serviceName"],
        instance=str(_values(process["tags"]).get("service.instance.id", "")),
        operation=span["operationName"],
        kind=str(tags.get("span.kind", "")),
        start=span["startTime"],
        duration=span["duration"],
        failed=failed,
        status=_status(tags, failed=failed),
    )


def _parent(span: Mapping[str, Any]) -> str:
    own = (ref for ref in span["references"] if ref["refType"] == "CHILD_OF" and ref["traceID"] == span["traceID"])
    return next((str(ref["spanID"]) for ref in own), "")


def _values(tags: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in tags}


def _status(tags: Mapping[str, Any], *, failed: bool) -> str:
    """Say how it ended, unless well: the code in gRPC's words and, if it failed, what the span tells about it.

    A server's span may end with NOT_FOUND and have not failed: to a server that is an answer like any other.
    """
    code = _code(tags)
    if not failed:
        return code
    text = str(tags.get("otel.status_description") or "")
    code = code or str(tags.get("error.type") or "")
    if not code or text.startswith(code):
        return text or "error"
    return f"{code}: {text}" if text else code


def _code(tags: Mapping[str, Any]) -> str:
    number = tags.get("rpc.grpc.status_code")
    older = code_pb2.Code.Name(number) if number in code_pb2.Code.values() else ""  # the number only
    code = str(tags.get("rpc.response.status_code") or older)
    return "" if code == "OK" else code


def _rooted(nodes: list[Node]) -> list[Node]:
    """Hang every node under its parent; what has none in the trace is a root."""
    by_id: dict[str, Node] = {}
    for node in nodes:
        by_id.setdefault(node.span_id, node)
    roots = []
    for node in nodes:
        parent = by_id.get(node.parent_id)
        if parent is None or parent is node:
            node.orphan = bool(node.parent_id)
            roots.append(node)
        else:
            parent.children.append(node)
    return roots + _circles(nodes, roots, by_id)


def _circles(nodes: list[Node], roots: list[Node], by_id: Mapping[str, Node]) -> list[Node]:
    """Open each circle of parents at its earliest span, which becomes an orphan."""
    opened: list[Node] = []
    reached = {id(node) for root in roots for node in _below(root)}
    for node in sorted(nodes, key=_by_time):
        if id(node) in reached:
            continue
        by_id[node.parent_id].children.remove(node)
        node.orphan = True
        opened.append(node)
        reached.update(id(each) for each in _below(node))
    return opened


def _below(top: Node) -> Iterator[Node]:
    waiting = [top]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children)


def _settle(root: Node) -> None:
    """Correct the clocks from the root downwards, then put children in order of time."""
    for node in _below(root):
        for child in node.children:
            child.depth = node.depth + 1
            same_clock = (child.service, child.instance) == (node.service, node.instance)
            child.shift = node.shift if same_clock else _skew(child, node)
            child.start += child.shift
    for node in _below(root):
        node.children = _sorted(node.children)


def _skew(child: Node, parent: Node) -> int:
    """Give what the clock of the child's process is behind; a child can't begin before the call that made it.

    As Jaeger's clock skew adjuster has it, what a shorter child leaves of its parent is taken as the way there and
    back in equal parts. A child that merely ends late is left alone: its parent may have given up waiting.
    """
    if child.start >= parent.start:
        return 0
    return parent.start + max(0, parent.duration - child.duration) // 2 - child.start


def _sorted(nodes: list[Node]) -> list[Node]:
    return sorted(nodes, key=_by_time)


def _by_time(node: Node) -> tuple[int, str]:
    return node.start, node.span_id
