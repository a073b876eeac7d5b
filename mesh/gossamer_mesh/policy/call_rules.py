"""The routes of a plan -> the rules that kits follow. As with routes, the first that matches a call is taken."""

from collections.abc import Iterable

from gossamer_mesh.model import Match, PathIs, Route

NOTHING = Route(to=())
"""What a call gets that no rule takes."""


def call_rules(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Give the routes that a kit has to know, in their order: those that ask for something, and those before them.

    None of them matters behind the last that asks for something. One before another that asks for the same and takes
    its calls as well is left out: what a kit does is the same without it.
    """
    rules: list[Route] = []
    for route in reversed(tuple(routes)):
        behind = rules[-1] if rules else NOTHING
        if _asked(route) != _asked(behind) or not _takes(behind.match, route.match):
            rules.append(route)
    return tuple(reversed(rules))


def _asked(route: Route) -> tuple[object, ...]:
    return (route.timeout,)


def _takes(match: Match, other: Match) -> bool:
    """Tell whether a match surely takes every call that the other does."""
    if not {*match.headers} <= {*other.headers}:
        return False
    if match.is_ is PathIs.PREFIX:
        return not match.path or (other.is_ is not PathIs.REGEX and other.path.startswith(match.path))
    return (match.is_, match.path) == (other.is_, other.path)
