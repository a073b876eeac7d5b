"""How policies look in a terminal: a table of routes, the faults, and what is left out in red."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.duration_pb2 import Duration
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh.cli import show

COMPARED = {
    pb.COMPARISON_EXACT: "{name} = {value}",
    pb.COMPARISON_PREFIX: "{name} = {value}*",
    pb.COMPARISON_SUFFIX: "{name} = *{value}",
    pb.COMPARISON_CONTAINS: "{name} = *{value}*",
    pb.COMPARISON_REGEX: "{name} ~ {value}",
    pb.COMPARISON_PRESENT: "any {name}",
}
NOBODY = "nobody: it is so by default"
WIDEST = 10_000


def policy(shown: pb.Policy) -> None:
    """Print where the calls of a service go."""
    rows = []
    for done, routes in itertools.groupby(shown.routes, lambda route: _done(route, shown.service)):
        calls = "\n".join(_calls(route.match) for route in routes)
        rows.append((calls, *done))
    show.console.print(Text(shown.service, style="bold"))
    _print(("calls", "go to (instances)", "within", "again", "on purpose", "says"), rows)
    refusals(shown.refusals)


def faults(shown: pb.Policy) -> None:
    """Print the faults of a service, as they are written."""
    if not shown.faults:
        show.console.print(f"{shown.service}: no call is delayed or failed on purpose")
        return
    rows = []
    for each in shown.faults:
        headers = "\n".join(f"{key} = {value}" for key, value in sorted(each.headers.items()))
        rows.append((each.caller or "all", _short(each.method) or "all", headers, _on_purpose(each.fault), each.source))
    _print(("calls of", "method", "headers", "on purpose", "says"), rows)
    refusals(shown.refusals)


def refusals(left_out: Iterable[pb.Refusal]) -> None:
    """Print what no client could follow."""
    for each in left_out:
        show.console.print(Text.assemble(("left out: ", "bold red"), (f"{each.subject}: ", "red"), each.reason))


def _print(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table without the columns that are empty; as wide as it is, but for what a terminal is."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    filled = [number for number in range(len(titles)) if any(row[number] for row in rows)]
    for number in filled:
        table.add_column(titles[number], overflow="fold", style="dim" if titles[number] == "says" else "")
    for row in rows:
        table.add_row(*(Text(row[number]) for number in filled))
    (show.console if show.console.is_terminal else Console(width=WIDEST)).print(table)


def _done(route: pb.Route, service: str) -> tuple[str, str, str, str, str]:
    """Say all of a route of a service but which calls it takes."""
    within = [_time(route.timeout)] if route.HasField("timeout") else []
    within += [f"{_time(route.attempt_timeout)} an attempt"] if route.HasField("attempt_timeout") else []
    again = f"{', '.join(route.retry.statuses)}: {route.retry.times}x" if route.HasField("retry") else ""
    fault = _on_purpose(route.fault) if route.HasField("fault") else ""
    return "\n".join(_destinations(route, service)), "\n".join(within), again, fault, _says(route)


def _says(route: pb.Route) -> str:
    return route.source.replace(", ", "\n") or NOBODY


def _destinations(route: pb.Route, service: str) -> Iterator[str]:
    for each in route.destinations:
        share = f"{each.weight / 100:g} % " if len(route.destinations) > 1 else ""
        other = f"{each.service} " if each.service != service or not each.subset else ""
        yield f"{share}{other}{each.subset}".rstrip() + f" ({each.instances})"
    if route.hash_on:
        yield f"by {', '.join(route.hash_on)}"


def _calls(match: pb.CallMatch) -> str:
    path = _short(match.path.removeprefix("/"))
    if match.path_comparison == pb.COMPARISON_REGEX:
        path = f"~ {match.path}"
    elif match.path_comparison == pb.COMPARISON_PREFIX:
        path = f"{path}*" if path else "all" if not match.headers else ""
    headers = [
        ("not " if each.invert else "") + COMPARED[each.comparison].format(name=each.name, value=each.value)
        for each in match.headers
    ]
    return ", ".join(filter(None, (path, *headers)))


def _short(method: str) -> str:
    """Leave out the package of a method's name."""
    contract, slash, name = method.partition("/")
    return f"{contract.rpartition('.')[2]}/{name}" if slash else method


def _on_purpose(fault: pb.Fault) -> str:
    lines = [f"{fault.delay_percent:g} % after {_time(fault.delay)}"] if fault.HasField("delay") else []
    lines += [f"{fault.abort_percent:g} % {fault.abort_status}"] if fault.abort_status else []
    return "\n".join(lines)


def _time(length: Duration) -> str:
    milliseconds = length.ToNanoseconds() / 1e6
    return f"{milliseconds:g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:g} s"  # noqa: PLR2004 - a second
