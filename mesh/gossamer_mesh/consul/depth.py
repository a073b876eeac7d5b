"""JSON that is nested deeper than Python reads: Consul takes 10,000 levels, in `proxy-defaults` for one. Pure."""

import re

DEEPEST = 100
"""Levels that are kept. What Consul itself gives, and what is followed of it, has less than twenty."""

TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')
"""Texts, so that brackets in them don't count, and brackets."""


def cut(text: str) -> str:
    """Put null in place of every list and object that is nested deeper."""
    kept, depth, begin = [], 0, 0
    for token in TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept.append(text[begin : token.start()])
        elif token[0] in "]}":
            if depth == DEEPEST + 1:
                kept.append("null")
                begin = token.end()
            depth -= 1
    return "".join([*kept, text[begin:]])
