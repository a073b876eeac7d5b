"""A drawn trace is one line a span, fits the terminal, and lets nothing but printable characters through."""

from datetime import UTC
from typing import Any

import pytest

from gossamer_mesh.collect import drawing, tree


def node(name: str, service: str, start: int, duration: int, *children: tree.Node, **fields: Any) -> tree.Node:
    values: dict[str, Any] = {"span_id": name, "operation": name, "service": service, "instance": f"{service}-1"}
    values |= {"parent_id": "", "kind": "", "failed": False, "status": "", "children": list(children)}
    return tree.Node(start=start, duration=duration, **values | fields)


def placed(*roots: tree.Node) -> tree.Trace:
    trace = tree.Trace(trace_id="0af7651916cd43dd8448eb211c80319c", roots=list(roots), start=0, duration=0)
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        for child in each.children:
            child.depth = each.depth + 1
            waiting.append(child)
    start = min(each.start for each in trace.nodes())
    duration = max(each.end for each in trace.nodes()) - start
    return tree.Trace(trace_id=trace.trace_id, roots=trace.roots, start=start, duration=duration)


def lines(trace: tree.Trace, width: int = 120) -> list[str]:
    return [line.text for line in drawing.draw(trace, width=width, zone=UTC)]


START = 1_700_000_000_123_456


def test_a_trace_is_drawn_as_a_tree_with_times_and_bars() -> None:
    failing = node("GetPrice", "catalog", START + 15_000, 5_000, failed=True, status="NOT_FOUND: no product p9")
    batch = node("BatchGet", "catalog", START + 2_500, 10_000, node("SELECT", "catalog", START + 5_000, 840))
    trace = placed(node("PlaceOrder", "orders", START, 20_000, batch, failing))
    assert lines(trace) == [
        "trace 0af7651916cd43dd8448eb211c80319c  2023-11-14 22:13:20.123  20.0 ms  4 spans  orders, catalog  1 error",
        "",
        "orders-1  PlaceOrder          0 µs    20.0 ms  ████████████████████",
        "├─ catalog-1  BatchGet     2.50 ms    10.0 ms    ██████████",
        "│  └─ catalog-1  SELECT    5.00 ms     840 µs       █",
        "└─ catalog-1  GetPrice     15.0 ms    5.00 ms                 █████  NOT_FOUND: no product p9",
    ]


def test_only_lines_of_failed_spans_are_marked() -> None:
    trace = placed(node("a", "orders", 0, 10, node("b", "orders", 1, 2, failed=True, status="x")))
    assert [line.failed for line in drawing.draw(trace, width=80)] == [False, False, False, True]


def test_the_package_of_a_method_is_left_out() -> None:
    text = lines(placed(node("shop.catalog.v1.CatalogService/GetProduct", "catalog", 0, 10)))[2]
    assert text.startswith("catalog-1  CatalogService/GetProduct  ")


@pytest.mark.parametrize("width", [20, 80, 100, 200])
def test_long_names_are_cut_to_the_width_and_keep_their_end(width: int) -> None:
    text = lines(placed(node("CatalogService/" + "x" * 300 + "Product", "catalog", 0, 10)), width)[2]
    assert len(text) <= max(width, 62)
    assert "…" in text
    assert "xProduct  " in text


def test_a_method_is_whole_on_eighty_columns_three_calls_down() -> None:
    leaf = node("shop.catalog.v1.CatalogService/BatchGetProducts", "catalog", 2, 1)
    drawn = lines(placed(node("a", "orders", 0, 10, node("b", "orders", 1, 5, leaf))), 80)
    assert drawn[4].startswith("   └─ catalog-1  …ogService/BatchGetProducts  ")
    assert max(map(len, drawn[2:])) <= 80


def test_how_a_span_ended_is_shown_also_if_it_did_not_fail() -> None:
    (line,) = drawing.draw(placed(node("a", "orders", 0, 10, status="NOT_FOUND")), width=80)[2:]
    assert line.text.endswith("  NOT_FOUND")
    assert not line.failed


def test_terminal_escapes_and_line_breaks_never_reach_the_terminal() -> None:
    evil = "\x1b[31mred\r\n\x07\u202e"
    trace = placed(node(evil, evil, 0, 10, failed=True, status=evil, instance=""))
    shown = "".join(lines(trace))
    assert not {"\x1b", "\r", "\n", "\x07", "\u202e"} & set(shown)
    assert "�[31mred" in shown


def test_an_orphan_among_others_names_its_parent() -> None:
    trace = placed(node("a", "orders", 0, 10), node("b", "catalog", 5, 1, orphan=True, parent_id="beef"))
    assert lines(trace)[3].endswith("(its parent beef is not here)")


def test_a_single_root_whose_caller_is_outside_is_nothing_to_remark() -> None:
    assert "parent" not in lines(placed(node("a", "orders", 0, 10, orphan=True, parent_id="beef")))[2]


def test_a_corrected_clock_is_told_from_a_millisecond_on() -> None:
    def line(shift: int) -> str:
        return lines(placed(node("a", "orders", 0, 10, shift=shift)))[2]

    assert line(1_500_000).endswith("(its clock is 1.50 s behind)")
    assert "clock" not in line(999)


def test_a_trace_without_length_has_bars_too() -> None:
    assert lines(placed(node("a", "orders", 0, 0)))[2] == "orders-1  a       0 µs       0 µs  ▏"


def test_very_deep_branches_stay_within_reach() -> None:
    deep = node("leaf", "s", 0, 1)
    for _ in range(5000):
        deep = node("n", "s", 0, 1, deep)
    drawn = lines(placed(deep), 100)
    assert max(map(len, drawn)) < 120
    assert "⋯5000 s-1  leaf" in drawn[-1]


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0, "0 µs"), (999, "999 µs"), (1000, "1.00 ms"), (12_340, "12.3 ms"), (999_400, "999 ms"), (61_000_000, "61.0 s")],
)
def test_durations_have_three_digits(microseconds: int, text: str) -> None:
    assert drawing.duration(microseconds) == text
