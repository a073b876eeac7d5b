"""Channels to other services by name: discovery, policy, deadline, trace and metrics of outgoing calls.

A channel is wrapped instead of intercepted: gRPC's aio interceptors cost two tasks a call and lose the end of streams.
"""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from grpc import StatusCode

from gossamer_kit import _recording, _spans
from gossamer_kit._attempts import Attempts
from gossamer_kit._call import current_trace, incoming, limit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from gossamer_kit._config import Config
    from gossamer_kit._policies import Policy
    from gossamer_kit._recording import Record
    from gossamer_kit._rules import Metadata

_MAX_MESSAGE = 4 * 1024 * 1024
_MAX_HEADERS = 16 * 1024
_REFUSING = "127.0.0.1:1"  # nothing listens there: a name without instances fails at once, as by xDS


class Channel:
    """What a generated stub needs of a channel."""

    def __init__(self, config: Config, service: str, policy: Policy, recorder: _recording.Recorder) -> None:
        self._service = service
        self._policy = policy
        self._default = config.deadline
        self._recorder = recorder
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", _MAX_MESSAGE),
            ("grpc.max_send_message_length", _MAX_MESSAGE),
            ("grpc.max_metadata_size", _MAX_HEADERS),
            ("grpc.absolute_max_metadata_size", _MAX_HEADERS),
            ("grpc.primary_user_agent", _recording.user_agent(config.service)),
        ]
        if config.static is not None:
            options.append(("grpc.lb_policy_name", "round_robin"))
        self._channel = grpc.aio.insecure_channel(_target(config, service), options)

    async def close(self) -> None:
        """End the channel and every call on it."""
        await self._channel.close()

    def unary_unary(self, path: str, *args: Any, **kwargs: Any) -> Callable[..., grpc.aio.Call]:
        """Make a method that takes one message and gives one."""
        return self._method(path, self._channel.unary_unary(path, *args, **kwargs), streams=False)

    def unary_stream(self, path: str, *args: Any, **kwargs: Any) -> Callable[..., grpc.aio.Call]:
        """Make a method that takes one message and gives a stream."""
        return self._method(path, self._channel.unary_stream(path, *args, **kwargs), streams=True)

    def stream_unary(self, path: str, *args: Any, **kwargs: Any) -> Callable[..., grpc.aio.Call]:
        """Make a method that takes a stream and gives one message."""
        return self._method(path, self._channel.stream_unary(path, *args, **kwargs), streams=True)

    def stream_stream(self, path: str, *args: Any, **kwargs: Any) -> Callable[..., grpc.aio.Call]:
        """Make a method that takes a stream and gives a stream."""
        return self._method(path, self._channel.stream_stream(path, *args, **kwargs), streams=True)

    def _method(self, path: str, inner: Any, *, streams: bool) -> Callable[..., Any]:
        method = _recording.Method(self._recorder, path, {"server.address": self._service})
        default, service, policy = self._default, self._service, self._policy

        def ended(record: _recording.Record, call: grpc.aio.Call) -> None:
            code = _now(call.code())
            record.end(code, "" if code is StatusCode.OK else _now(call.details()) or "")

        def start(request: Any, seconds: float | None, metadata: Metadata, record: Record, kwargs: Any) -> Any:
            """Begin a call about which the control plane may have said something."""
            policy.budget.called()
            rule = policy.find(path, metadata)
            if streams or (policy.settled and not rule.attempts):
                return inner(request, timeout=_least(seconds, rule.timeout), metadata=metadata, **kwargs)
            attempt = partial(inner, request, metadata=metadata, **kwargs)
            return Attempts(attempt, policy, path, metadata, seconds, record)

        def call(
            request: Any = None,
            *,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str | bytes]] | None = None,
            **kwargs: Any,
        ) -> Any:
            record = method.start(current_trace(), service)
            state = incoming.get()
            sent = (*(metadata or ()), *_spans.written(record.span.get_span_context()))
            if state is not None and state.baggage and all(key != "baggage" for key, _ in sent):
                sent = (*sent, ("baggage", state.baggage))
            try:
                seconds = limit(timeout, default)
                if policy.idle:
                    started = inner(request, timeout=seconds, metadata=sent, **kwargs)
                else:
                    started = start(request, seconds, sent, record, kwargs)
            except BaseException:
                record.end(StatusCode.INTERNAL, "not sent")
                raise
            started.add_done_callback(lambda done: ended(record, done))
            if state is not None and state.gone:
                started.cancel()  # nobody waits for what this call is for
            return Stream(started) if streams else started

        return call


class Stream:
    """A call that streams. Dropped before its end, it is cancelled at once and not when memory is next collected."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._responses: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self._call.__await__())  # by a generator, which keeps this object until there is an answer

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Any:
        if self._responses is None:
            self._responses = self._call.__aiter__()
        return await self._responses.__anext__()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._call, name)
        return partial(self._kept, attribute) if inspect.iscoroutinefunction(attribute) else attribute

    async def _kept(self, method: Callable[..., Any], *args: Any) -> Any:
        """Ask the call something and be there until it answers: `await stub.Watch(request).read()` drops nothing."""
        return await method(*args)

    def __del__(self) -> None:
        self._call.cancel()


def _target(config: Config, service: str) -> str:
    if config.static is None:
        return f"xds:///{service}"
    addresses = config.static.get(service) or (_REFUSING,)
    return ("ipv6:" if addresses[0].startswith("[") else "ipv4:") + ",".join(addresses)


def _least(seconds: float | None, most: float) -> float | None:
    least = most if seconds is None else min(seconds, most)
    return None if least == math.inf else least


def _now(answer: Any) -> Any:
    """Take the result of a coroutine that has nothing to wait for, since its call is done."""
    try:
        answer.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the call is not done")  # gRPC runs callbacks only when it is
