"""A trace becomes a tree, also when spans are missing, ids repeat, parents form a circle and clocks disagree."""

from typing import Any

from gossamer_mesh.collect import tree


def span(
    span_id: str, parent: str = "", *, start: int = 0, duration: int = 10, process: str = "p1", **tags: Any
) -> dict[str, Any]:
    reference = {"refType": "CHILD_OF", "traceID": "t1", "spanID": parent}
    return {
        "traceID": "t1",
        "spanID": span_id,
        "operationName": f"op-{span_id}",
        "references": [reference] if parent else [],
        "startTime": start,
        "duration": duration,
        "tags": [{"key": key.replace("__", "."), "type": "string", "value": value} for key, value in tags.items()],
        "logs": [],
        "processID": process,
        "warnings": None,
    }


def trace(*spans: dict[str, Any]) -> tree.Trace:
    processes = {
        "p1": {"serviceName": "orders", "tags": [{"key": "service.instance.id", "value": "orders-1"}]},
        "p2": {"serviceName": "catalog", "tags": [{"key": "service.instance.id", "value": "catalog-2"}]},
    }
    return tree.from_jaeger({"traceID": "t1", "spans": list(spans), "processes": processes})


def shape(drawn: tree.Trace) -> list[tuple[int, str]]:
    return [(node.depth, node.span_id) for node in drawn.nodes()]


def test_children_stand_under_their_parents_in_order_of_time() -> None:
    drawn = trace(span("d", "a", start=5), span("b", "a", start=2), span("a"), span("c", "b", start=3))
    assert shape(drawn) == [(0, "a"), (1, "b"), (2, "c"), (1, "d")]


def test_a_trace_knows_its_length_services_and_errors() -> None:
    drawn = trace(span("a", start=100, duration=50), span("b", "a", start=140, duration=30, process="p2", error="true"))
    assert (drawn.start, drawn.duration, drawn.services, drawn.errors) == (100, 70, ["orders", "catalog"], 1)


def test_a_node_knows_who_did_what() -> None:
    (node,) = trace(span("a", start=7, duration=3, process="p2", span__kind="server")).roots
    assert (node.service, node.instance, node.operation, node.kind) == ("catalog", "catalog-2", "op-a", "server")
    assert (node.start, node.end, node.failed, node.orphan) == (7, 10, False, False)


def test_a_span_whose_parent_is_missing_is_a_root_and_an_orphan() -> None:
    drawn = trace(span("a"), span("c", "b", start=5))
    assert shape(drawn) == [(0, "a"), (0, "c")]
    assert [node.orphan for node in drawn.roots] == [False, True]


def test_a_circle_of_parents_is_opened_at_its_earliest_span() -> None:
    drawn = trace(span("a", "c", start=3), span("b", "a", start=1), span("c", "b", start=2), span("d", "d", start=9))
    assert shape(drawn) == [(0, "b"), (1, "c"), (2, "a"), (0, "d")]
    assert [node.orphan for node in drawn.roots] == [True, True]


def test_of_two_spans_with_one_id_the_first_has_the_children() -> None:
    drawn = trace(span("a", start=1), span("a", start=2, process="p2"), span("b", "a", start=3))
    assert [(node.depth, node.span_id, node.service) for node in drawn.nodes()] == [
        (0, "a", "orders"),
        (1, "b", "orders"),
        (0, "a", "catalog"),
    ]


def test_a_span_that_starts_before_its_caller_is_moved_into_it_with_all_below() -> None:
    drawn = trace(
        span("a", start=1000, duration=100),
        span("b", "a", start=400, duration=60, process="p2"),
        span("c", "b", start=410, duration=10, process="p2"),
    )
    assert [(node.span_id, node.start, node.shift) for node in drawn.nodes()] == [
        ("a", 1000, 0),
        ("b", 1020, 620),  # 40 are left of a: 20 there, 20 back
        ("c", 1030, 620),
    ]


def test_clocks_of_one_process_are_believed() -> None:
    drawn = trace(span("a", start=1000), span("b", "a", start=400))
    assert [node.shift for node in drawn.nodes()] == [0, 0]


def test_a_span_that_outlives_its_caller_is_left_alone() -> None:
    drawn = trace(span("a", start=0, duration=10), span("b", "a", start=5, duration=100, process="p2"))
    assert [node.start for node in drawn.nodes()] == [0, 5]


def test_what_failed_is_said_with_grpcs_name_for_it() -> None:
    def status(**tags: Any) -> str:
        return trace(span("a", error=True, **tags)).roots[0].status

    assert status(rpc__grpc__status_code=14, otel__status_description="no instance") == "UNAVAILABLE: no instance"
    assert status(rpc__response__status_code="NOT_FOUND") == "NOT_FOUND"
    assert status(otel__status_description="INTERNAL: x", error__type="INTERNAL") == "INTERNAL: x"
    assert status(error__type="KeyError") == "KeyError"
    assert status() == "error"


def test_a_span_that_did_not_fail_tells_its_code_unless_it_is_ok() -> None:
    def status(**tags: Any) -> str:
        return trace(span("a", **tags)).roots[0].status

    assert status(rpc__response__status_code="NOT_FOUND", otel__status_description="x") == "NOT_FOUND"
    assert status(rpc__response__status_code="OK") == ""
    assert status(rpc__grpc__status_code=0) == ""
    assert status() == ""


def test_a_chain_of_ten_thousand_is_no_problem() -> None:
    chain = [span("0"), *(span(str(number), str(number - 1), start=number) for number in range(1, 10_000))]
    drawn = trace(*chain)
    assert shape(drawn)[-1] == (9999, "9999")
    assert len(tree.as_json(drawn)["spans"]) == 10_000


def test_the_json_has_every_span_with_its_place() -> None:
    drawn = trace(span("a", start=100, duration=50), span("b", "a", start=120, error=True, process="p2"))
    assert tree.as_json(drawn) == {
        "trace_id": "t1",
        "start_us": 100,
        "duration_us": 50,
        "services": ["orders", "catalog"],
        "errors": 1,
        "spans": [
            {
                "span_id": "a",
                "parent_id": "",
                "depth": 0,
                "service": "orders",
                "instance": "orders-1",
                "operation": "op-a",
                "kind": "",
                "offset_us": 0,
                "duration_us": 50,
                "failed": False,
                "status": "",
                "orphan": False,
                "clock_shift_us": 0,
            },
            {
                "span_id": "b",
                "parent_id": "a",
                "depth": 1,
                "service": "catalog",
                "instance": "catalog-2",
                "operation": "op-b",
                "kind": "",
                "offset_us": 20,
                "duration_us": 10,
                "failed": True,
                "status": "error",
                "orphan": False,
                "clock_shift_us": 0,
            },
        ],
    }
