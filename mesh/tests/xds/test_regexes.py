"""Which regular expressions every client compiles."""

import pytest

from gossamer_mesh.xds.rules.regexes import problem_of


@pytest.mark.parametrize(
    "regex",
    [
        "",
        "/shop.Catalog/(Get|List)",
        "(?i)abc",
        "(?P<name>a+)b*?",
        r"\\1",
        r"[(?=)+]+",
        "a{1,1000}",
        r"\d+\.\w",
        r"\+\+",
    ],
)
def test_what_re2_knows(regex):
    assert list(problem_of(regex)) == []


@pytest.mark.parametrize(
    ("regex", "problem"),
    [
        ("(", "missing ), unterminated subpattern"),
        ("a**", "multiple repeat"),
        ("[[:alpha:]]", "Possible nested set"),
        (r"(a)\1", r"RE2 does not know '\\1'"),
        ("(?=a)", "RE2 does not know '(?='"),
        ("(?!a)", "RE2 does not know '(?!'"),
        ("(?<=a)b", "RE2 does not know '(?<='"),
        ("(?<!a)b", "RE2 does not know '(?<!'"),
        ("(?P<n>a)(?P=n)", "RE2 does not know '(?P='"),
        ("(?>a)", "RE2 does not know '(?>'"),
        ("(?#a)", "RE2 does not know '(?#'"),
        ("a++", "RE2 does not know '++'"),
        ("a{1001}", "RE2 does not know '{1001}'"),
        ("a{2,1001}", "RE2 does not know '{2,1001}'"),
    ],
)
def test_what_re2_does_not_know(regex, problem):
    (found,) = problem_of(regex)
    assert found.startswith(f"the regular expression {regex!r}: ")
    assert problem in found
