"""Which rule a call falls under. The cases are those of all kits."""

import json
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from grpc import StatusCode

from gossamer.mesh.v1.traffic_pb2 import CallRule
from gossamer_kit._rules import Rules

CASES = json.loads((Path(__file__).parents[3] / "tests" / "conformance" / "call_rules.json").read_text())


def numbered(rules: list[dict]) -> list[CallRule]:
    """Give each rule a time limit that tells it from the others."""
    return [ParseDict({**rule, "timeout": f"{number + 1}s"}, CallRule()) for number, rule in enumerate(rules)]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_call_falls_under_its_rule(case) -> None:
    rules = Rules(numbered(case["rules"]))
    for call in case["calls"]:
        sent = [(key, value.encode() if key.endswith("-bin") else value) for key, value in call.get("metadata", [])]
        expected = float("inf") if call["rule"] is None else call["rule"] + 1
        assert rules.find(call["path"], sent).timeout == expected, call


@pytest.mark.parametrize(
    "match", [{"pathComparison": "COMPARISON_REGEX", "path": "("}, {"pathComparison": 99}, {}], ids=str
)
def test_what_no_call_can_be_compared_with_is_refused(match) -> None:
    with pytest.raises(ValueError, match="expected"):
        Rules([ParseDict({"match": match}, CallRule())])


RETRIES = {
    "match": {"pathComparison": "COMPARISON_PREFIX"},
    "timeout": "2s",
    "attemptTimeout": "0.5s",
    "retry": {"times": 3, "statuses": ["UNAVAILABLE", "SOMETHING_NEW"]},
}


def test_a_limit_of_an_attempt_makes_its_end_one_to_try_again_after() -> None:
    rule = Rules([ParseDict(RETRIES, CallRule())]).find("/a/B", ())
    assert (rule.timeout, rule.attempt_timeout, rule.retries) == (2.0, 0.5, 3)
    assert rule.statuses == {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED}


def test_where_grpc_itself_tries_again_only_the_time_is_limited() -> None:
    rule = Rules([ParseDict(RETRIES, CallRule())], carries_retries=False).find("/a/B", ())
    assert (rule.timeout, rule.attempts) == (2.0, False)
