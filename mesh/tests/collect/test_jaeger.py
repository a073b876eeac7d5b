"""Jaeger's parameters mean here what they mean there, and so do the shapes of its answers."""

import json

import pytest

from gossamer_mesh.collect import jaeger

NOW = 1_700_000_000_000_000
DAY = 24 * 3600 * 10**6
HIGHEST = 2**63 - 1


def query(**parameters: str | list[str]) -> jaeger.TraceQuery:
    lists = {name: [value] if isinstance(value, str) else value for name, value in parameters.items()}
    return jaeger.trace_query(lists, now=NOW)


def test_without_parameters_the_newest_hundred_of_two_days_are_meant() -> None:
    assert query() == jaeger.TraceQuery(start=NOW - 2 * DAY, end=NOW, limit=100)


def test_every_parameter_is_read() -> None:
    asked = query(
        service="orders",
        operation="PlaceOrder",
        start="5",
        end="9",
        minDuration="1.5ms",
        maxDuration="1m30s",
        limit="20",
        tag=["a:b", "url:http://x"],
        tags='{"http.status_code":"200"}',
    )
    assert asked == jaeger.TraceQuery(
        service="orders",
        operation="PlaceOrder",
        start=5,
        end=9,
        min_duration=1500,
        max_duration=90_000_000,
        limit=20,
        tags={"a": "b", "url": "http://x", "http.status_code": "200"},
    )


@pytest.mark.parametrize(
    ("lookback", "start"), [("1h", NOW - DAY // 24), ("2d", NOW - 2 * DAY), ("custom", NOW - 2 * DAY)]
)
def test_lookback_counts_when_start_is_missing(lookback: str, start: int) -> None:
    assert query(lookback=lookback).start == start
    assert query(lookback=lookback, start="7").start == 7


@pytest.mark.parametrize(
    ("parameters", "start", "end"),
    [
        ({"end": str(-HIGHEST)}, -HIGHEST, -HIGHEST),
        ({"end": str(-HIGHEST), "lookback": "9" * 30 + "h"}, -HIGHEST, -HIGHEST),
        ({"end": str(HIGHEST), "lookback": "9" * 30 + "h"}, 0, HIGHEST),
        ({"lookback": "9" * 400 + "h"}, NOW - 2 * DAY, NOW),
    ],
)
def test_a_time_beyond_64_bits_is_the_nearest_one(parameters: dict[str, str], start: int, end: int) -> None:
    assert (query(**parameters).start, query(**parameters).end) == (start, end)


def test_ids_are_padded_as_jaeger_pads_them() -> None:
    assert query(traceID=["1f", "0AF7651916CD43DD8448EB211C80319C"]).trace_ids == (
        bytes(15) + b"\x1f",
        bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
    )


def test_a_limit_has_a_limit() -> None:
    assert query(limit="1000000").limit == jaeger.MAX_LIMIT


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"start": "x"}, "unable to parse param 'start': expected a 64-bit integer, found 'x'"),
        ({"end": str(2**63)}, "unable to parse param 'end': expected a 64-bit integer, found '9223372036854775808'"),
        ({"end": "9" * 5000}, "unable to parse param 'end': expected a 64-bit integer, found '" + "9" * 64 + "'"),
        ({"limit": "0"}, "unable to parse param 'limit': expected a number above 0, found 0"),
        ({"minDuration": "5"}, "unable to parse param 'minDuration': time: invalid duration \"5\""),
        (
            {"minDuration": "9" * 400 + "h"},
            "unable to parse param 'minDuration': time: invalid duration \"" + "9" * 64 + '"',
        ),
        ({"minDuration": "-1s"}, "unable to parse param 'minDuration': time: invalid duration \"-1s\""),
        ({"maxDuration": "5d"}, 'unable to parse param \'maxDuration\': time: unknown unit "d" in duration "5d"'),
        ({"minDuration": "2s", "maxDuration": "1s"}, "'maxDuration' should be greater than 'minDuration'"),
        ({"tag": "k"}, "malformed 'tag' parameter, expecting key:value, received: k"),
        ({"tags": "[]"}, "malformed 'tags' parameter, cannot unmarshal JSON: expected an object of strings"),
        ({"tags": '{"a":1}'}, "malformed 'tags' parameter, cannot unmarshal JSON: expected an object of strings"),
        ({"traceID": "xyz"}, "cannot parse traceID param: expected hexadecimal digits, found 'xyz'"),
        ({"traceID": "1" * 33}, f"TraceID cannot be longer than 32 hex characters: {'1' * 33}"),
        ({"prefix": "%"}, "unable to parse param 'prefix': expected up to 32 hexadecimal digits, found '%'"),
    ],
)
def test_what_cannot_be_understood_is_named(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(jaeger.BadParameter) as caught:
        query(**parameters)
    assert str(caught.value) == message


@pytest.mark.parametrize("tags", ["{", "[" * 100_000, "\ud800"])
def test_tags_that_are_no_json_are_refused(tags: str) -> None:
    with pytest.raises(jaeger.BadParameter, match="malformed 'tags' parameter"):
        query(tags=tags)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("0", 0),
        ("1ns", 0),
        ("1500ns", 1),
        ("2us", 2),
        ("2µs", 2),
        ("1.5ms", 1500),
        ("1h2m3s", 3_723_000_000),
        (".5s", 500_000),
    ],
)
def test_durations_are_those_of_go(text: str, microseconds: int) -> None:
    assert jaeger.duration(text) == microseconds


def test_an_age_may_have_days() -> None:
    assert jaeger.age("7d") == 7 * 24 * 3600


def test_dependencies_are_asked_in_milliseconds() -> None:
    assert jaeger.dependency_window({}, now=NOW) == (NOW - DAY, NOW)
    assert jaeger.dependency_window({"endTs": ["5000"], "lookback": ["1000"]}, now=NOW) == (4_000_000, 5_000_000)


@pytest.mark.parametrize(
    ("end", "lookback", "window"),
    [
        (HIGHEST, -HIGHEST, (HIGHEST, HIGHEST)),
        (-HIGHEST, HIGHEST, (-HIGHEST, -HIGHEST)),
        (HIGHEST, HIGHEST, (0, HIGHEST)),
    ],
)
def test_a_window_beyond_64_bits_is_the_nearest_one(end: int, lookback: int, window: tuple[int, int]) -> None:
    assert jaeger.dependency_window({"endTs": [str(end)], "lookback": [str(lookback)]}, now=NOW) == window


def test_an_error_looks_as_jaegers() -> None:
    assert jaeger.error(404, "trace not found") == (
        '{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}'
    )


def test_a_trace_numbers_its_processes_in_order_of_appearance() -> None:
    spans = [('{"spanID":"1"}', 7), ('{"spanID":"2"}', 3), ('{"spanID":"3"}', 7)]
    text = jaeger.trace(b"\x01" * 16, spans, {3: ("catalog", "[]"), 7: ('or"ders', "[]")}, "cut")
    assert json.loads(text) == {
        "traceID": "01" * 16,
        "spans": [
            {"spanID": "1", "processID": "p1"},
            {"spanID": "2", "processID": "p2"},
            {"spanID": "3", "processID": "p1"},
        ],
        "processes": {"p1": {"serviceName": 'or"ders', "tags": []}, "p2": {"serviceName": "catalog", "tags": []}},
        "warnings": ["cut"],
    }


def span(tags: dict[str, object], fields: dict[str, object] | None = None) -> str:
    def listed(values: dict[str, object]) -> list[dict[str, object]]:
        return [{"key": key, "value": value} for key, value in values.items()]

    return json.dumps({"tags": listed(tags), "logs": [{"fields": listed(fields or {})}]})


PROCESS_TAGS = '[{"key":"zone","value":"a"}]'


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"code": "200"}, True),
        ({"code": "20"}, False),
        ({"ok": "true"}, True),
        ({"ratio": "0.5"}, True),
        ({"zone": "a"}, True),
        ({"event": "retry"}, True),
        ({"code": "200", "zone": "b"}, False),
        ({"none": ""}, False),
        ({"error": "true"}, False),
        ({"error": "false"}, True),
        ({"span.kind": "SERVER"}, True),
    ],
)
def test_tags_are_found_in_the_span_its_logs_and_its_process(wanted: dict[str, str], found: bool) -> None:
    body = span({"code": 200, "ok": True, "ratio": 0.5, "span.kind": "server"}, {"event": "retry"})
    assert jaeger.carries(wanted, body, PROCESS_TAGS) is found
