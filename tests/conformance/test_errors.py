"""Rows errors and validate of the kit contract: what a caller is told, and what it must never be told."""

import secrets

import grpc
import pytest
from conformance.mesh import until
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from harness.probe import Probe, channel

from gossamer.probe.v1 import probe_pb2 as pb

pytestmark = pytest.mark.row("errors")

DOMAIN = "gossamer.probe.v1"
STACKLESS = {"go"}
"""Languages whose errors have no stack."""


async def _failure(call: grpc.aio.Call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call if hasattr(call, "__await__") else [each async for each in call]
    return caught.value


def _info(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    [info] = _details(error, error_details_pb2.ErrorInfo)
    return info.reason, info.domain


def _fields(error: grpc.aio.AioRpcError) -> list[str]:
    return [field for field, _ in _violations(error)]


def _violations(error: grpc.aio.AioRpcError) -> list[tuple[str, str]]:
    [bad] = _details(error, error_details_pb2.BadRequest)
    assert all(violation.description for violation in bad.field_violations)
    return [(violation.field, violation.description) for violation in bad.field_violations]


def _details(error, kind):
    status = rpc_status.from_call(_Done(error))
    assert status is not None, error
    assert (status.code, status.message) == (error.code().value[0], error.details())
    found = []
    for packed in status.details:
        message = kind()
        if packed.Unpack(message):
            found.append(message)
    return found


class _Done:
    """A finished call as grpcio-status wants it."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code
        self.details = error.details
        self.trailing_metadata = lambda: tuple(error.trailing_metadata())


async def test_a_domain_error_has_its_status_its_reason_and_its_contract(probe: Probe) -> None:
    error = await _failure(probe.stub.Fail(pb.FailRequest(mode=pb.FAIL_MODE_DOMAIN), timeout=5))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert _info(error) == ("PROBE_NOT_FOUND", DOMAIN)


@pytest.mark.parametrize("code", [1, 2, 5, 8, 14, 16])
async def test_a_status_is_passed_as_it_is(probe: Probe, code: int) -> None:
    error = await _failure(probe.stub.Fail(pb.FailRequest(mode=pb.FAIL_MODE_STATUS, code=code), timeout=5))
    assert error.code().value[0] == code


UNEXPECTED = pytest.mark.parametrize("mode", [pb.FAIL_MODE_UNEXPECTED, pb.FAIL_MODE_PANIC], ids=["error", "panic"])


@UNEXPECTED
async def test_the_unexpected_is_internal_and_says_nothing(probe: Probe, mode: int) -> None:
    error = await _failure(probe.stub.Fail(pb.FailRequest(mode=mode), timeout=5))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert _info(error) == ("INTERNAL", DOMAIN)
    assert "secret" not in str(error).lower()


@UNEXPECTED
async def test_the_unexpected_is_logged_with_where_it_comes_from(probe: Probe, mode: int) -> None:
    """That is its stack; or what it wraps, for an error in a language where errors have no stack."""
    trace = secrets.token_hex(16)
    sent = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
    await probe.stub.Fail(pb.FailRequest(mode=mode), metadata=sent, timeout=5).code()

    async def logged() -> bool:
        return any(line.get("trace_id") == trace for line in probe.child.lines())

    await until(logged, "a log line", 5)
    [line] = [line for line in probe.child.lines() if line.get("trace_id") == trace]
    assert line["level"] == "error"
    stackless = probe.language in STACKLESS and mode == pb.FAIL_MODE_UNEXPECTED
    origin = line["causes"][-1] if stackless else line["stack"]
    assert "nobody must see this" in str(line)
    assert ("nobody must see this" if stackless else "probe") in origin


@UNEXPECTED
async def test_after_a_failure_the_instance_goes_on(probe: Probe, mode: int) -> None:
    await probe.stub.Fail(pb.FailRequest(mode=mode), timeout=5).code()
    assert (await probe.stub.Fail(pb.FailRequest(), timeout=5)).hop.instance == probe.instance


@pytest.mark.row("validate")
async def test_every_bad_field_of_a_request_is_named(probe: Probe) -> None:
    error = await _failure(probe.stub.Fail(pb.FailRequest(code=99, every=-1, only_instance="x" * 129), timeout=5))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert _info(error) == ("INVALID_REQUEST", DOMAIN)
    assert _fields(error) == ["code", "every", "only_instance"]


@pytest.mark.row("validate")
async def test_a_bad_field_in_a_list_is_named_with_its_place(probe: Probe) -> None:
    error = await _failure(probe.stub.Relay(pb.RelayRequest(services=["fine", "", "x" * 64]), timeout=5))
    assert _fields(error) == ["services[1]", "services[2]"]


KEYLESS = pb.WaitRequest(ignore_cancellation=True)
KEYLESS_TEXT = "a wait that ignores cancellation needs a key"
SLOW = Duration(seconds=1)


@pytest.mark.row("validate")
@pytest.mark.parametrize(
    ("method", "request_", "field", "text"),
    [
        ("Wait", pb.WaitRequest(key="a b"), "key", "a key has no blanks"),
        ("Wait", KEYLESS, "", KEYLESS_TEXT),
        ("Call", pb.CallRequest(service="a", method=pb.CALL_METHOD_WAIT, wait=KEYLESS), "wait", KEYLESS_TEXT),
        (
            "Count",
            pb.CountRequest(to=1001, interval=SLOW),
            "",
            "\"!has(this.interval) || this.interval == duration('0s') || this.to <= 1000\" returned false",
        ),
    ],
    ids=["of a field", "of a message", "of a message in a message", "without a text"],
)
async def test_a_rule_in_cel_is_told_in_its_own_words(
    probe: Probe, method: str, request_: Message, field: str, text: str
) -> None:
    error = await _failure(getattr(probe.stub, method)(request_, timeout=5))
    assert (error.code(), _violations(error)) == (grpc.StatusCode.INVALID_ARGUMENT, [(field, text)])


@pytest.mark.row("validate")
async def test_of_many_bad_fields_twenty_are_named(probe: Probe) -> None:
    """Clients refuse an answer whose details are too large."""
    error = await _failure(probe.stub.Relay(pb.RelayRequest(services=[""] * 32), timeout=5))
    assert _fields(error) == [f"services[{place}]" for place in range(20)]


@pytest.mark.row("validate")
async def test_of_a_large_message_one_bad_field_is_named(probe: Probe) -> None:
    """A hostile one could keep a processor busy for seconds."""
    error = await _failure(probe.stub.Fail(pb.FailRequest(every=-1, only_instance="x" * 5000), timeout=5))
    assert _fields(error) == ["every"]


@pytest.mark.row("validate")
async def test_a_bad_request_of_a_server_stream_is_refused(probe: Probe) -> None:
    error = await _failure(probe.stub.Count(pb.CountRequest(to=-1), timeout=5))
    assert (error.code(), _fields(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["to"])


@pytest.mark.row("validate")
async def test_a_bad_message_of_a_client_stream_is_refused(probe: Probe) -> None:
    requests = [pb.SumRequest(number=1), pb.SumRequest(number=1_000_001)]
    error = await _failure(probe.stub.Sum(iter(requests), timeout=5))
    assert (error.code(), _fields(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["number"])


@pytest.mark.row("validate")
async def test_a_bad_message_ends_a_conversation(probe: Probe) -> None:
    call = probe.stub.Chat(iter([pb.ChatRequest(text="hello"), pb.ChatRequest(text="x" * 1001)]), timeout=5)
    assert (await call.read()).text == "hello"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert (caught.value.code(), _fields(caught.value)) == (grpc.StatusCode.INVALID_ARGUMENT, ["text"])


@pytest.mark.row("validate")
async def test_a_good_request_passes(probe: Probe) -> None:
    """The control of the refusals above."""
    assert (await probe.stub.Sum(iter([pb.SumRequest(number=1_000_000)] * 2), timeout=5)).sum == 2_000_000
    assert [each.number async for each in probe.stub.Count(pb.CountRequest(to=3), timeout=5)] == [1, 2, 3]
    assert (await probe.stub.Count(pb.CountRequest(to=3, interval=SLOW), timeout=5).read()).number == 1
    request = pb.WaitRequest(ignore_cancellation=True, key=secrets.token_hex(4))
    assert (await probe.stub.Wait(request, timeout=5)).hop.instance == probe.instance


async def test_an_unknown_method_is_unimplemented(probe: Probe) -> None:
    async with channel(probe.address) as open_channel:
        call = open_channel.unary_unary("/gossamer.probe.v1.ProbeService/Nothing")(b"", timeout=5)
        assert await call.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_what_is_no_message_is_refused(probe: Probe) -> None:
    async with channel(probe.address) as open_channel:
        call = open_channel.unary_unary("/gossamer.probe.v1.ProbeService/Echo")(b"\xff\xff\xff", timeout=5)
        assert await call.code() == grpc.StatusCode.INTERNAL
