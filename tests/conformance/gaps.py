"""What a language's gRPC can't do, and its kit can't make up for: the one list of known gaps.

Each test that is listed here still runs, and has to fail: when it passes, its gap is to be taken out.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest


@dataclass(frozen=True)
class Gap:
    """A test that fails in one language.

    Attributes:
        test: the name of the test function.
        reason: what is missing, as a sentence that docs/languages.md can show.
        upstream: the address of the issue of the library.
        case: which cases of the test, as a pattern for what stands in brackets behind its name.
    """

    language: str
    test: str
    reason: str
    upstream: str
    case: str = "*"


GAPS: tuple[Gap, ...] = (
    Gap(
        language="java",
        test="test_headers_over_16_kib_are_refused",
        reason="Netty answers by itself, with the HTTP status 431, which clients take for UNKNOWN.",
        upstream="https://github.com/grpc/grpc-java/issues/11248",
    ),
    Gap(
        language="rust",
        test="test_headers_over_16_kib_are_refused",
        reason="hyper answers by itself, with the HTTP status 431, which clients take for UNKNOWN.",
        upstream="https://github.com/hyperium/hyper/issues/3695",
    ),
)


def expect(item: pytest.Function, languages: list[str]) -> None:
    """Have a test of these languages fail where it is a known gap of one of them."""
    case = item.callspec.id if hasattr(item, "callspec") else ""
    for gap in GAPS:
        if gap.language in languages and gap.test == item.originalname and fnmatchcase(case, gap.case):
            item.add_marker(pytest.mark.xfail(reason=f"{gap.reason} {gap.upstream}", strict=True))
