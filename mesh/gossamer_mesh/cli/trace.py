"""gossamer trace: draw the newest trace, or the one that is named, as a tree of who called whom."""

import json
import urllib.parse
import urllib.request
from typing import Annotated, Any

import typer
from rich.text import Text

from gossamer_mesh.cli import show, stack
from gossamer_mesh.collect import drawing, tree
from gossamer_mesh.errors import Problem, UsageProblem

ANSWERS_WITHIN_S = 15.0
ID_DIGITS = 32


def trace(
    trace_id: Annotated[str, typer.Argument(metavar="[ID]", help="The trace's id, or how it begins.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the trace as JSON.")] = False,
) -> None:
    """Draw a trace as a tree: services, times and errors; the newest if none is named."""
    if not set(trace_id.lower()) <= set("0123456789abcdef"):
        raise UsageProblem(f"expected the hexadecimal digits of a trace id, found {trace_id!r}")
    if len(trace_id) > ID_DIGITS:
        raise UsageProblem(f"expected at most {ID_DIGITS} digits of a trace id, found {len(trace_id)}: {trace_id}")
    question = {"limit": "2", "lookback": "52w", "prefix": trace_id} if trace_id else {"limit": "1"}
    found = _traces(stack.address("jaeger"), question)
    if not found:
        missing = f"no trace begins with {trace_id}" if trace_id else "no trace was received yet"
        raise Problem(f"{missing}; make one with a call, then: gossamer trace")
    if len(found) > 1:
        raise Problem(f"{trace_id} begins several traces, {found[0]['traceID']} for one; give more digits")
    picture = tree.from_jaeger(found[0])
    if as_json:
        show.as_json(tree.as_json(picture))
        return
    for line in drawing.draw(picture, width=show.console.width):
        show.console.print(Text(line.text, style="red" if line.failed else ""), soft_wrap=True)


def _traces(address: str, question: dict[str, str]) -> list[dict[str, Any]]:
    url = f"http://{address}/api/traces?{urllib.parse.urlencode(question)}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=ANSWERS_WITHIN_S) as answer:
            return list(json.load(answer)["data"])
    except (OSError, ValueError) as error:
        raise Problem(f"the collector at {address} does not answer ({error}); see: gossamer logs collector") from error
