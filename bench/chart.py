"""Draws the results of a measurement as an SVG picture: bars with their spread and aims; knows nothing of measuring.

Figures that differ in their side only stand below each other in a panel of their own, two panels beside each other;
others share one for each unit. A panel begins at zero and has one scale. Colours change with the viewer's scheme, and
the background is the picture's own, so that it can be read wherever it is shown.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, MARGIN = 860, 24


@dataclass(frozen=True)
class Place:
    """Where a panel is drawn; all in pixels but the last."""

    left: int
    label: int
    """How wide the text before the bars is."""
    bars: int
    """How long the longest bar is."""
    letters: int
    """What fits into a line of a label."""


WHOLE = Place(MARGIN, 320, 330, 50)
HALVES = (Place(MARGIN, 110, 180, 16), Place(WIDTH // 2 + 6, 110, 180, 16))
Row = tuple[str, dict[str, Any]]
"""A label and its record."""
LINE, BAR = 16, 12
AIM_IN_SIGHT = 2.5
"""An aim that is further from zero than the longest bar by more than this is not drawn, as bars would be dots."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.page { fill: #ffffff } .title { font-weight: 600 } .note { fill: #59636e }
.bar { fill: #6ea8fe } .missed { fill: #f0883e } .spread { stroke: #1f2328 } .aim { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .page { fill: #0d1117 } .note { fill: #9198a1 }
.bar { fill: #316dca } .missed { fill: #bd561d } .spread { stroke: #e6edf3 } .aim { stroke: #ff7b72 }
}
"""
LEGEND = "Bars are medians, thin lines go from quartile to quartile, a red stroke is an aim, an orange bar misses it."


def svg(name: str, records: Sequence[dict[str, Any]]) -> str:
    """Give the picture of a measurement's records, which are as `figures.write` makes them."""
    parts: list[str] = []
    top = MARGIN
    for line in _lines(panels(records)):
        top = max(_panel(title, rows, place, top, parts) for title, rows, place in line)
    parts.append(_text(MARGIN, top + LINE, LEGEND, "note"))
    height = top + LINE + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
            f"<title>{escape(name)}</title><style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def panels(records: Iterable[dict[str, Any]]) -> dict[str, list[Row]]:
    """Put records together that can share a scale; give for each panel's title the labels and records in it."""
    found: dict[str, list[Row]] = {}
    for each in records:
        side = each.get("side", "")
        title = f"{each['figure']}, {each['unit']}" if side else each["unit"]
        found.setdefault(title, []).append((side or each["figure"], each))
    return found


def _lines(panels: dict[str, list[Row]]) -> Iterator[list[tuple[str, list[Row], Place]]]:
    """Give which panels are drawn beside each other, and where."""
    halves: list[tuple[str, list[Row], Place]] = []
    for title, rows in panels.items():
        if not rows[0][1].get("side"):
            yield from filter(None, [halves])
            halves = []
            yield [(title, rows, WHOLE)]
            continue
        halves.append((title, rows, HALVES[len(halves)]))
        if len(halves) == len(HALVES):
            yield halves
            halves = []
    if halves:
        yield halves


def _panel(title: str, rows: Sequence[Row], place: Place, top: int, parts: list[str]) -> int:
    """Draw a panel; give where the next one begins."""
    parts.append(_text(place.left, top + LINE - 4, title, "title"))
    top += LINE + 6
    longest = max(max(each["value"], each["high"]) for _, each in rows) or 1.0
    in_sight = [aim for _, each in rows for aim in _aims(each) if aim <= longest * AIM_IN_SIGHT]
    scale = place.bars / max(longest, *in_sight, 0.0)
    for label, each in rows:
        lines = textwrap.wrap(label, place.letters)
        parts += [_text(place.left, top + LINE * n + 12, line) for n, line in enumerate(lines)]
        _bar(each, place, top + (LINE * len(lines) - BAR) // 2, scale, parts)
        top += LINE * len(lines) + 6
    return top + 14


def _bar(each: dict[str, Any], place: Place, top: int, scale: float, parts: list[str]) -> None:
    """Draw one figure: bar, spread, aims, value."""
    left, middle = place.left + place.label, top + BAR / 2
    low, value, high = (left + max(0.0, each[key]) * scale for key in ("low", "value", "high"))
    missed = any(
        each["value"] < aim if which == "min" else each["value"] > aim for which, aim in (each["aim"] or {}).items()
    )
    kind = "missed" if missed else "bar"
    parts.append(f'<rect class="{kind}" x="{left}" y="{top}" width="{value - left:.1f}" height="{BAR}" rx="2"/>')
    if high > low:
        parts.append(f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}"/>')
    aims = [left + aim * scale for aim in _aims(each) if round(aim * scale) <= place.bars]
    parts += [f'<path class="aim" d="M{aim:.1f} {top - 2}v{BAR + 4}"/>' for aim in aims]
    parts.append(_text(max(value, high, *aims) + 8, top + BAR - 1, f"{number(each['value'])} {each['unit']}"))


def number(value: float) -> str:
    """Write a value with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _aims(each: dict[str, Any]) -> list[float]:
    return list((each["aim"] or {}).values())


def _text(left: float, base: float, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{left:.1f}" y="{base}"{named}>{escape(words)}</text>'
