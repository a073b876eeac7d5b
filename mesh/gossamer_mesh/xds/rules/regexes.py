r"""Which regular expressions all clients compile: those of RE2, as far as can be told without it.

What Python's own can't compile is refused as well. That is more than needed, since RE2 has a few forms of its own, such
as `\pN`; but each of them can be written otherwise.
"""

import re
import warnings

from gossamer_mesh.xds.rules import Problems

MOST_REPEATS = 1000
"""RE2 refuses to count further."""

PART = re.compile(
    r"""(?P<reference>\\[1-9])
      | \\.                                 # anything else that is escaped
      | \[\^?\]?(?:\\.|[^]\\])*\]           # a set: nothing in it means anything more
      | (?P<group>\(\?(?:<?[=!]|>|\(|P=|\#))  # looking around, atomic, conditional, back, comment
      | (?P<possessive>[*+?}]\+)
      | \{(?P<counts>[\d,]+)\}
    """,
    re.VERBOSE | re.DOTALL,
)


def problem_of(regex: str) -> Problems:
    """Say why some client can't compile it."""
    try:
        with warnings.catch_warnings(action="error"):
            re.compile(regex)
    except (re.error, OverflowError, FutureWarning, DeprecationWarning) as error:
        yield f"the regular expression {regex!r}: {error}"
        return
    for part in PART.finditer(regex):
        found = part["reference"] or part["group"] or part["possessive"]
        counts = [int(count) for count in (part["counts"] or "").split(",") if count]
        if found or max(counts, default=0) > MOST_REPEATS:
            yield f"the regular expression {regex!r}: RE2 does not know {part[0]!r}"
