"""Regular expressions that people wrote: which ones every client compiles, and what they match.

They are foreign input. Python's own would try a hostile one with backtracking, for ever; RE2 takes time in proportion
to the text, and is what gRPC's core, Go, Java, Node and Envoy have, too.
https://github.com/google/re2/wiki/Syntax
"""

import re
from typing import Any

MEMORY = 1 << 18
"""Bytes that a compiled one may take; RE2's own limit, and the clients', is 32 times as much."""

NOT_EVERYWHERE = re.compile(r"\\(?:C|[^C])|\(\?<", re.DOTALL)
r"""Finds what RE2 in C++ knows and others don't: `\C`, and `(?<name>` for `(?P<name>`; and any other escape."""


def problem_of(pattern: str) -> str:
    """Say why some client can't compile it; empty if all can."""
    if unknown := [found for found in NOT_EVERYWHERE.findall(pattern) if found in {r"\C", "(?<"}]:
        return f"not every client knows {unknown[0]!r}"
    try:
        _compiled(pattern)
    except UnicodeEncodeError as error:
        return error.reason
    except _re2().error as error:
        (reason,) = error.args
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return ""


def matches(pattern: str, text: str) -> bool:
    """Tell whether all of a text is matched; by one that has a problem, nothing is."""
    return not problem_of(pattern) and _compiled(pattern).fullmatch(text) is not None


def _compiled(pattern: str) -> Any:
    """Compile, or find among the last 128. Raises `re2.error`."""
    options = _re2().Options()
    options.max_mem = MEMORY
    options.log_errors = False
    return _re2().compile(pattern, options)


def _re2() -> Any:
    import re2  # noqa: PLC0415 - 3 MB that a mesh without regular expressions does without

    return re2
