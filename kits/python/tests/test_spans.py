"""Which calls get a span, and how a trace is read and written."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, TraceFlags

from gossamer_kit import _spans
from gossamer_kit._spans import Spans, TraceIds

ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KEPT, DROPPED = f"00-{ID}-{PARENT}-01", f"00-{ID}-{PARENT}-00"


def spans(*, follow: bool = True, ratio: float = 1.0) -> Spans:
    ids = TraceIds()
    return Spans(TracerProvider(ALWAYS_ON, id_generator=ids, shutdown_on_exit=False), ids, follow=follow, ratio=ratio)


@pytest.mark.parametrize(("ratio", "kept"), [(1.0, True), (0.0, False)])
def test_a_trace_that_begins_here_is_kept_by_the_ratio(ratio: float, *, kept: bool) -> None:
    span = spans(ratio=ratio).start("a", SpanKind.SERVER, None)
    assert span.is_recording() is kept
    assert span.get_span_context().is_valid


def test_about_as_many_are_kept_as_the_ratio_says() -> None:
    begun = spans(ratio=0.25)
    kept = sum(begun.start("a", SpanKind.SERVER, None).is_recording() for _ in range(2000))
    assert 380 < kept < 620


@pytest.mark.parametrize(("traceparent", "kept"), [(KEPT, True), (DROPPED, False)])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_caller_is_followed(traceparent: str, ratio: float, *, kept: bool) -> None:
    span = spans(ratio=ratio).start("a", SpanKind.SERVER, _spans.read(traceparent, ""))
    assert span.is_recording() is kept
    assert f"{span.get_span_context().trace_id:032x}" == ID


def test_a_caller_is_not_followed_when_so_configured() -> None:
    assert spans(follow=False, ratio=1.0).start("a", SpanKind.SERVER, _spans.read(DROPPED, "")).is_recording()


def test_a_kept_span_is_a_child_of_its_caller() -> None:
    span = spans().start("a", SpanKind.SERVER, _spans.read(KEPT, ""))
    assert f"{span.parent.span_id:016x}" == PARENT  # type: ignore[attr-defined]  # only the SDK's has it
    assert f"{span.get_span_context().span_id:016x}" != PARENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"00-{ID}-{PARENT}",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"ff-{ID}-{PARENT}-01",
        f"00-{ID.upper()}-{PARENT}-01",
        f"00-{ID}-{PARENT}-1",
    ],
)
def test_what_is_no_trace(text: str) -> None:
    assert _spans.read(text, "") is None


def test_a_later_version_is_read_as_far_as_known() -> None:
    context = _spans.read(f"01-{ID}-{PARENT}-01-more", "")
    assert context is not None
    assert context.trace_flags == TraceFlags.SAMPLED


def test_a_trace_is_written_as_it_was_read() -> None:
    context = _spans.read(KEPT, "a=1,b=2")
    assert context is not None
    assert _spans.written(context) == (("traceparent", KEPT), ("tracestate", "a=1,b=2"))
