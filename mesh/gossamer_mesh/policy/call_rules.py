"""The routes of a plan -> the rules that kits follow. As with routes, the first that matches a call is taken."""

from collections.abc import Iterable

from gossamer_mesh.model import Match, PathIs, Route

NOTHING = Route(to=())
"""What a call gets that no rule takes."""


def call_rules(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Give the routes that a kit has to know, in their order: as few as tell it the same of every call.

    One that asks for something is left out before another that asks for the same and takes its calls as well. One that
    asks for nothing is needed only before others that would take some of its calls.
    """
    rules: list[Route] = []  # from the last to the first
    for route in reversed(tuple(routes)):
        behind = rules[-1] if rules else NOTHING
        if _asked(route) == _asked(NOTHING):
            needed = any(_meet(route.match, rule.match) for rule in rules)
        else:
            needed = _asked(route) != _asked(behind) or not _takes(behind.match, route.match)
        if needed:
            rules.append(route)
    return tuple(reversed(rules))


def _asked(route: Route) -> tuple[object, ...]:
    return route.timeout, route.by_kit and (route.retry, route.attempt_timeout)


def _takes(match: Match, other: Match) -> bool:
    """Tell whether a match surely takes every call that the other does."""
    if not {*match.headers} <= {*other.headers}:
        return False
    if match.is_ is PathIs.PREFIX:
        return not match.path or (other.is_ is not PathIs.REGEX and other.path.startswith(match.path))
    return (match.is_, match.path) == (other.is_, other.path)


def _meet(one: Match, other: Match) -> bool:
    """Tell whether some call may be taken by both."""
    if PathIs.REGEX in {one.is_, other.is_}:
        return True
    if one.is_ is PathIs.EXACT:
        return one.path == other.path if other.is_ is PathIs.EXACT else one.path.startswith(other.path)
    return other.path.startswith(one.path) or (other.is_ is PathIs.PREFIX and one.path.startswith(other.path))
