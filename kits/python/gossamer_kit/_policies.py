"""What this process has to do to its calls: one stream from the control plane, and what it said last of each service.

While there is no stream, what was said last holds. No call waits for the stream, but for those that are made before it
was first said what is done to them: these wait until it is, until the stream fails, or a second from when their client
was opened. gRPC itself waits for the control plane then, too.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc

from gossamer.mesh.v1.traffic_pb2 import WatchCallPoliciesRequest
from gossamer.mesh.v1.traffic_pb2_grpc import TrafficServiceStub
from gossamer_kit._budget import Budget
from gossamer_kit._rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gossamer.mesh.v1.traffic_pb2 import CallPolicy
    from gossamer_kit._config import Config
    from gossamer_kit._rules import Metadata, Rule

_log = logging.getLogger(__name__)

_FIRST_WAIT = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.5, 2.0, 1.6
_OPTIONS = [("grpc.keepalive_time_ms", 300_000)]  # as gRPC's own streams to a control plane


class Policy:
    """What is done to the calls of one service."""

    def __init__(self) -> None:
        self.idle = False
        """Whether it is settled that nothing is done to any call: most calls look at nothing else."""
        self.budget = Budget()
        self._rules = Rules(())
        self._settled = asyncio.Event()

    @property
    def settled(self) -> bool:
        """Whether no call has to wait."""
        return self._settled.is_set()

    async def settle_within(self, seconds: float) -> None:
        """Wait until no call has to, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds if seconds < math.inf else None):
                await self._settled.wait()

    def find(self, path: str, metadata: Metadata) -> Rule:
        """Give the rule that a call falls under."""
        return self._rules.find(path, metadata)

    def become(self, said: CallPolicy, *, carries_retries: bool) -> None:
        """Do from now on what was said. Raises ValueError, and does as before, where that can't be done."""
        self._rules = Rules(said.rules, carries_retries=carries_retries)
        if said.HasField("retry_budget"):
            self.budget.allow(said.retry_budget.percent, said.retry_budget.min_per_second)
        else:
            self.budget.allow_all()
        self.settle()

    def settle(self) -> None:
        """Have no call wait any longer."""
        self.idle = not self._rules
        self._settled.set()


class Policies:
    """The policies of all services that this process has clients of."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._of: dict[str, Policy] = {}
        self._streams: set[asyncio.Task[None]] = set()
        self._lost = False

    def of(self, service: str) -> Policy:
        """Give the policy of a service, which the control plane is asked for from now on."""
        policy = self._of[service] = Policy()
        if self._config.control is None:
            policy.settle()
            return policy
        asyncio.get_running_loop().call_later(_FIRST_WAIT, policy.settle)
        for stream in self._streams:
            stream.cancel()
        stream = asyncio.ensure_future(self._follow(self._config.control, sorted(self._of)))
        self._streams.add(stream)
        stream.add_done_callback(self._streams.discard)
        return policy

    async def close(self) -> None:
        """End the stream."""
        for stream in self._streams:
            stream.cancel()
        if self._streams:
            await asyncio.wait(self._streams)

    async def _follow(self, control: str, services: list[str]) -> None:
        """Keep a stream for these services open, and open it again whenever it ends."""
        request = WatchCallPoliciesRequest(services=services, caller=self._config.service, zone=self._config.zone)
        pause = _FIRST_PAUSE
        while True:
            try:
                async with grpc.aio.insecure_channel(control, _OPTIONS) as channel:
                    async for said in TrafficServiceStub(channel).WatchCallPolicies(request):
                        pause = _FIRST_PAUSE
                        self._take(said.changed)
                        self._settle(services)
            except grpc.aio.AioRpcError as error:
                self._note(control, error)
            self._settle(services)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  (no secret)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)

    def _take(self, changed: Iterable[CallPolicy]) -> None:
        for said in changed:
            try:
                if policy := self._of.get(said.service):
                    policy.become(said, carries_retries=self._config.carries_retries)
            except ValueError as error:
                _log.error("calls to %s can't be treated as was said, and go on as before: %s", said.service, error)
        if self._lost:
            _log.info("the control plane says again what is done to calls")
        self._lost = False

    def _settle(self, services: list[str]) -> None:
        for service in services:
            self._of[service].settle()

    def _note(self, control: str, error: grpc.aio.AioRpcError) -> None:
        """Log once that the stream is gone."""
        if not self._lost:
            what = f"{error.code().name} {error.details()}"
            _log.warning("the control plane at %s doesn't say what is done to calls; asking again: %s", control, what)
        self._lost = True
