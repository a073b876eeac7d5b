"""What kits are told to do to calls, for every audience: from the plans that xDS is made of, and no other source.

Equal callers share the messages. A watch looks again only after a rule of its audience changed: that instances come and
go costs it nothing.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from google.protobuf.duration_pb2 import Duration

from gossamer.mesh.v1.traffic_pb2 import (
    CallMatch,
    CallPolicy,
    CallRule,
    Comparison,
    HeaderMatch,
    RetryBudget,
    RetryPolicy,
)
from gossamer_mesh import model
from gossamer_mesh.model import Audience, HeaderIs, Match, PathIs, Plan, Retry, Route
from gossamer_mesh.policy.call_rules import call_rules
from gossamer_mesh.xds import Signal

NONE: Mapping[str, CallPolicy] = MappingProxyType({})


class CallPolicies:
    """The policies of all audiences in use. What was handed out is never changed."""

    def __init__(self, audience: Callable[[Audience], Audience], begin: Callable[[Audience], None]) -> None:
        """Tell callers what `audience` gives for them is told; call `begin` for one that comes, to be updated of it."""
        self._audience = audience
        self._begin = begin
        self._of: dict[Audience, Mapping[str, CallPolicy]] = {}
        """By audience and service, those that have rules."""
        self._watched: Counter[Audience] = Counter()
        self._complete = False
        self._ended = False
        self._changed = Signal()

    @property
    def audiences(self) -> Iterable[Audience]:
        """Those that watch, as they say."""
        return self._watched.keys()

    def update(self, audience: Audience, plans: Iterable[Plan]) -> None:
        """Tell an audience these plans from now on; services that are not among them are told as before."""
        before = self._of.setdefault(audience, NONE)
        made = {plan.service: _policy(plan) for plan in plans}
        changed = {name: policy for name, policy in made.items() if policy != before.get(name)}
        if changed:
            after = {name: policy for name, policy in {**before, **changed}.items() if policy}
            self._of[audience] = MappingProxyType(after)

    def keep(self, audiences: Collection[Audience]) -> None:
        """Forget all audiences but these."""
        for audience in self._of.keys() - audiences:
            del self._of[audience]

    def publish(self) -> None:
        """Have those who watch look again; before the first time, there is nothing to tell."""
        self._complete = True
        self._changed.send()

    def end(self) -> None:
        """End every watch."""
        self._ended = True
        self._changed.send()

    async def watch(self, audience: Audience, services: Collection[str]) -> AsyncGenerator[list[CallPolicy]]:
        """Give the policies of all these services, and then, whenever some changed, those."""
        self._watched[audience] += 1
        try:
            while not self._complete and not self._ended:
                await self._changed.wait()
            seen: Mapping[str, CallPolicy] | None = None
            while not self._ended:
                now = self._now(audience)
                if now is not seen:
                    before, seen = seen, now
                    changed = [name for name in services if before is None or now.get(name) != before.get(name)]
                    if changed:
                        yield [now.get(name) or CallPolicy(service=name) for name in changed]
                        continue
                await self._changed.wait()
        finally:
            self._watched[audience] -= 1
            if not self._watched[audience]:
                del self._watched[audience]

    def _now(self, asked: Audience) -> Mapping[str, CallPolicy]:
        audience = self._audience(asked)
        if audience not in self._of:
            self._begin(audience)
        return self._of[audience]


def _policy(plan: Plan) -> CallPolicy | None:
    """Make the policy of a service; none if there is nothing to do."""
    rules = call_rules(plan.routes)
    if not rules:
        return None
    policy = CallPolicy(service=plan.service, rules=map(_rule, rules))
    if plan.retry_budget:
        policy.retry_budget.CopyFrom(retry_budget(plan.retry_budget))
    return policy


def _rule(route: Route) -> CallRule:
    rule = CallRule(match=call_match(route.match))
    if route.timeout is not None:
        rule.timeout.CopyFrom(duration(route.timeout))
    if route.by_kit and route.retry:
        rule.retry.CopyFrom(retry_policy(route.retry))
    if route.by_kit and route.attempt_timeout is not None:
        rule.attempt_timeout.CopyFrom(duration(route.attempt_timeout))
    return rule


def call_match(match: Match) -> CallMatch:
    """Show which calls a route takes."""
    headers = [
        HeaderMatch(name=header.name, comparison=HEADERS[header.is_], value=header.value, invert=header.invert)
        for header in match.headers
    ]
    return CallMatch(path_comparison=PATHS[match.is_], path=match.path, headers=headers)


def retry_policy(retry: Retry) -> RetryPolicy:
    """Show how a call is tried again."""
    return RetryPolicy(statuses=[on.upper().replace("-", "_") for on in retry.on], times=retry.times)


def retry_budget(budget: model.RetryBudget) -> RetryBudget:
    """Show how many calls may be tried again."""
    return RetryBudget(percent=budget.percent, min_per_second=budget.min_per_second)


def duration(seconds: float) -> Duration:
    """Show a number of seconds."""
    shown = Duration()
    shown.FromNanoseconds(round(seconds * 1e9))
    return shown


HEADERS = {
    HeaderIs.EXACT: Comparison.COMPARISON_EXACT,
    HeaderIs.PREFIX: Comparison.COMPARISON_PREFIX,
    HeaderIs.SUFFIX: Comparison.COMPARISON_SUFFIX,
    HeaderIs.CONTAINS: Comparison.COMPARISON_CONTAINS,
    HeaderIs.REGEX: Comparison.COMPARISON_REGEX,
    HeaderIs.PRESENT: Comparison.COMPARISON_PRESENT,
}

PATHS = {
    PathIs.EXACT: Comparison.COMPARISON_EXACT,
    PathIs.PREFIX: Comparison.COMPARISON_PREFIX,
    PathIs.REGEX: Comparison.COMPARISON_REGEX,
}
