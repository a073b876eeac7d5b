"""Which regular expressions every client compiles, and what they match."""

import time

import pytest

from gossamer_mesh.model.pattern import matches, problem_of


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/shop.Catalog/(Get|List)",
        "(?i)abc",
        "(?P<name>a+)b*?",
        r"\\C",
        r"[(?=)+]+",
        "a{1,1000}",
        r"\d+\.\w",
        r"\+\+",
        "[[:alpha:]]",
        r"\pN",
    ],
)
def test_what_every_client_knows(pattern):
    assert problem_of(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(", "missing )"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", "invalid perl operator"),
        ("(?!a)", "invalid perl operator"),
        ("(?<=a)b", "not every client knows '(?<'"),
        ("(?<n>a)", "not every client knows '(?<'"),
        (r"a\C", r"not every client knows '\\C'"),
        ("(?P<n>a)(?P=n)", "invalid perl operator"),
        ("a**", "bad repetition operator"),
        ("(?>a)", "invalid perl operator"),
        ("a{1001}", "invalid repetition size"),
        ("(a{100}){100}", "invalid repetition size"),
        ("a" * 100_000, "pattern too large"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_what_some_client_does_not_know(pattern, problem):
    assert problem in problem_of(pattern)


def test_all_of_a_text_has_to_match():
    assert matches("/shop.Catalog/(Get|List)", "/shop.Catalog/Get")
    assert not matches("/shop.Catalog/(Get|List)", "/shop.Catalog/GetAll")
    assert not matches("(", "(")


def test_a_hostile_one_takes_no_longer_than_others():
    """Python's own would take longer than the age of the world."""
    began = time.monotonic()
    assert not matches("(a|a)*c", "a" * 1000)
    assert time.monotonic() - began < 1
