"""What stands between gRPC and a service's handlers: trace, deadline, validation, errors, metrics.

Each method is wrapped once, when it is added, and not once a call as an interceptor would: that is most of the
kit's speed. The wrappers are coroutines also for streams, so that whatever ends a call ends in them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import grpc
from grpc import StatusCode
from opentelemetry import context as otel
from opentelemetry import trace

from gossamer_kit import _recording, _status
from gossamer_kit._call import Incoming, incoming
from gossamer_kit._errors import Error
from gossamer_kit._spans import NOWHERE
from gossamer_kit._validation import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Context = grpc.aio.ServicerContext[Any, Any]
    Behaviour = Callable[[Any, Context], Any]
    Handler = grpc.RpcMethodHandler[Any, Any]

_log = logging.getLogger(__name__)

# A caller whose time is over cancels its call, and that can arrive before our own clock says so: deadlines travel as
# what is left of them, rounded up to 10 ms.
_EXPIRED = 0.02


class _InvalidMessage(Exception):  # noqa: N818  (never leaves the kit)
    """A message of a stream breaks the contract's rules."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__("invalid message")
        self.fields = fields


def wrap(path: str, handler: Handler, recorder: _recording.Recorder) -> Handler:
    """Put everything the kit does with an incoming call around one method."""
    method = _Method(path, recorder)
    handlers: Any = handler  # the types know only handlers without async
    read, write = _reading(handlers.request_deserializer), handlers.response_serializer
    match handler.request_streaming, handler.response_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(method.unary(handlers.unary_unary, check=True), read, write)
        case False, True:
            return grpc.unary_stream_rpc_method_handler(method.stream(handlers.unary_stream, check=True), read, write)
        case True, False:
            single = method.unary(handlers.stream_unary, check=False)
            return grpc.stream_unary_rpc_method_handler(single, _validating(read), write)
        case _:
            stream = method.stream(handlers.stream_stream, check=False)
            return grpc.stream_stream_rpc_method_handler(stream, _validating(read), write)


class _NoMessage(Exception):  # noqa: N818  (never leaves the kit)
    """What came in is no message of the method."""


def _reading(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Hand what can't be read to the handler's wrapper: gRPC itself would answer UNKNOWN and tell why."""

    def readable(data: bytes) -> Any:
        try:
            return read(data)
        except Exception as error:  # noqa: BLE001  (whatever the generated code raises)
            return _NoMessage(str(error))

    return readable


def _validating(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Check each message of a stream as it is read, however the handler reads it."""

    def checked(data: bytes) -> Any:
        message = read(data)
        _check(message)
        return message

    return checked


def _check(message: Any) -> None:
    if isinstance(message, _NoMessage):
        raise message
    if found := violations(message):
        raise _InvalidMessage(found)


class _Method:
    """One method: its name, and the two wrappers that its four shapes need."""

    def __init__(self, path: str, recorder: _recording.Recorder) -> None:
        contract, _, _ = path.removeprefix("/").partition("/")
        self._path = path
        self._domain = contract.rpartition(".")[0]
        self._recording = _recording.Method(recorder, path, {})

    def unary(self, behaviour: Behaviour, *, check: bool) -> Behaviour:
        """Wrap a handler that answers once."""
        waits = inspect.iscoroutinefunction(behaviour)  # the generated answer to what isn't implemented doesn't

        async def handle(request: Any, context: Context) -> Any:
            call = self._begin(context)
            try:
                if check:
                    _check(request)
                response = await behaviour(request, context) if waits else behaviour(request, context)
            except BaseException as error:  # noqa: BLE001  (cancellation included: whatever ends the call ends here)
                await call.fail(error)
            else:
                call.succeed()
                return response

        return handle

    def stream(self, behaviour: Behaviour, *, check: bool) -> Behaviour:
        """Wrap a handler that answers with a stream, as a generator or through `context.write`."""

        async def handle(request: Any, context: Context) -> None:
            call = self._begin(context)
            try:
                if check:
                    _check(request)
                responses = behaviour(request, context)
                if inspect.isawaitable(responses):
                    await responses
                else:
                    await _write(responses, context)
            except BaseException as error:  # noqa: BLE001  (cancellation included: whatever ends the call ends here)
                await call.fail(error)
            else:
                call.succeed()

        return handle

    def _begin(self, context: Context) -> _Call:
        caller = _recording.caller(context.invocation_metadata() or ())
        record = self._recording.start(caller.trace, caller.service)
        call = _Call(self._path, self._domain, context, record, caller.baggage)
        # Nothing is put back afterwards: gRPC runs each call in a task, and so in a context, of its own.
        incoming.set(call)
        if record.span.is_recording():
            otel.attach(trace.set_span_in_context(record.span, NOWHERE))
        return call


async def _write(responses: AsyncIterator[Any], context: Context) -> None:
    try:
        async for response in responses:
            await context.write(response)
    finally:
        await responses.aclose()  # type: ignore[attr-defined]  # generated handlers are generators


class _Call(Incoming):
    """One incoming call, from its first line to its status."""

    __slots__ = ("_context", "_domain", "_path", "_record")

    def __init__(self, path: str, domain: str, context: Context, record: _recording.Record, baggage: str) -> None:
        super().__init__(context.time_remaining(), record.span, baggage)
        self._path = path
        self._domain = domain
        self._context = context
        self._record = record

    def succeed(self) -> None:
        """End with the status that the handler set, if it set any."""
        self.over()
        code = self._context.code() or StatusCode.OK
        self._record.end(code, "" if code is StatusCode.OK else self._context.details())

    async def fail(self, error: BaseException) -> None:
        """End with the status that belongs to what the handler raised. Always raises."""
        gone = self.over()
        if isinstance(error, grpc.aio.AbortError):
            self._record.end(self._context.code() or StatusCode.UNKNOWN, self._context.details())
            raise error
        if gone and not isinstance(error, Error):
            # gRPC cancels the handler when its caller or its time is gone. Whatever the handler makes of that is no
            # news to anyone. A cancellation for another reason is an error like any other.
            self._record.end(self._code_of_the_gone())
            raise asyncio.CancelledError from error
        if isinstance(error, grpc.aio.InternalError):  # a write failed, and so would an answer
            self._record.end(self._code_of_the_gone())
            raise error
        if not isinstance(error, Exception | asyncio.CancelledError):
            raise error
        answer = self._answer(error)
        self._record.end(answer.code, answer.message)
        await self._context.abort(answer.code, answer.message, answer.trailers)

    def _code_of_the_gone(self) -> StatusCode:
        return StatusCode.DEADLINE_EXCEEDED if self.remaining() < _EXPIRED else StatusCode.CANCELLED

    def _answer(self, error: BaseException) -> _status.Answer:
        if isinstance(error, Error):
            return _status.of_error(error, self._domain)
        if isinstance(error, _InvalidMessage):
            return _status.of_violations(error.fields, self._domain)
        if isinstance(error, _NoMessage):
            return _status.Answer(StatusCode.INTERNAL, "the request can't be read as the method's message", ())
        if (code := self._context.code()) not in (None, StatusCode.OK):  # as a method that isn't implemented does
            return _status.Answer(code, self._context.details(), ())
        if self.remaining() <= (_EXPIRED if isinstance(error, grpc.RpcError) else 0):
            return _status.Answer(StatusCode.DEADLINE_EXCEEDED, "deadline exceeded", ())
        _log.error("%s failed unexpectedly", self._path, exc_info=error)
        self._record.span.record_exception(error)
        return _status.of_unexpected(self._domain)
