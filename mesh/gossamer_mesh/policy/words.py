"""The routes of a plan in words, for people: a sentence each, without a capital and a full stop."""

from collections.abc import Iterator, Sequence

from gossamer_mesh.model import Fault, Header, HeaderIs, Match, PathIs, Plan, Retry, RetryBudget, Route, Share
from gossamer_mesh.model.plan import WHOLE
from gossamer_mesh.policy.extras import STATUSES

COMPARED = {
    HeaderIs.PREFIX: "beginning with",
    HeaderIs.SUFFIX: "ending with",
    HeaderIs.CONTAINS: "containing",
    HeaderIs.REGEX: "matching",
}


def summaries(plan: Plan) -> tuple[str, ...]:
    """Say which calls each route takes, where they go, and what is done to them."""
    return tuple(
        "; ".join([f"{_calls(route.match, first=not index)} go {_to(route.to)}", *_done(route, plan.retry_budget)])
        for index, route in enumerate(plan.routes)
    )


def _calls(match: Match, *, first: bool) -> str:
    headers = f" with {_listed([_header(header) for header in match.headers])}" if match.headers else ""
    if not match.path:
        other = "" if first else " other"
        return f"{'' if headers else 'all'}{other} calls{headers}".lstrip()
    return f"calls {_path(match)}{headers}"


def _path(match: Match) -> str:
    name = match.path.removeprefix("/")
    if match.is_ is PathIs.EXACT:
        return f"of {name}"
    if match.is_ is PathIs.REGEX:
        return f"whose path matches {match.path}"
    contract, slash, method = name.partition("/")
    if slash and not method:
        return f"of {contract}"
    return f"of {'methods' if slash else 'contracts'} that begin with {name}"


def _header(header: Header) -> str:
    if header.is_ is HeaderIs.PRESENT:
        return f"{'no' if header.invert else 'any'} {header.name}"
    if header.is_ is HeaderIs.EXACT:
        return f"{header.name} {'!=' if header.invert else '='} {header.value}"
    return f"{header.name} {'not ' if header.invert else ''}{COMPARED[header.is_]} {header.value}"


def _to(shares: Sequence[Share]) -> str:
    places = [share.cluster.partition("/") for share in shares]
    services = {service for service, _, _ in places}
    if len(shares) == 1 or len(services) > 1 or not all(subset for _, _, subset in places):
        names = [f"{subset} of {service}" if subset else service for service, _, subset in places]
        end = ""
    else:
        names, end = [subset for _, _, subset in places], f" of {services.pop()}"
    if len(shares) == 1:
        return f"to {names[0]}"
    return (
        _listed([f"{_number(share.weight * 100 / WHOLE)} % to {n}" for share, n in zip(shares, names, strict=True)])
        + end
    )


def _done(route: Route, budget: RetryBudget | None) -> Iterator[str]:
    if route.hash_on:
        yield f"those with the same {_listed(route.hash_on)} go to the same instance"
    if route.fault:
        yield from _on_purpose(route.fault)
    if route.timeout is not None:
        yield f"at most {_number(route.timeout)} s"
    if route.attempt_timeout is not None:
        yield f"at most {_number(route.attempt_timeout)} s an attempt"
    if route.retry:
        within = budget if route.by_kit else None
        yield _again(route.retry) + (f", within a budget of {_budget(within)}" if within else "")


def _on_purpose(fault: Fault) -> Iterator[str]:
    if fault.delay:
        yield f"{_number(fault.delay.percent)} % are held up for {_number(fault.delay.seconds)} s on purpose"
    if fault.abort:
        yield f"{_number(fault.abort.percent)} % fail with {STATUSES[fault.abort.status]} on purpose"


def _again(retry: Retry) -> str:
    statuses = [on.upper().replace("-", "_") for on in retry.on]
    often = "once" if retry.times == 1 else f"up to {retry.times} times"
    return f"{_listed(statuses)} {'is' if len(statuses) == 1 else 'are'} tried again {often}"


def _budget(budget: RetryBudget) -> str:
    return f"{_number(budget.percent)} % of the calls and {_number(budget.min_per_second)} a second"


def _listed(words: Sequence[str]) -> str:
    """Join words as in a sentence: `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _number(number: float) -> str:
    return f"{number:.10g}"
