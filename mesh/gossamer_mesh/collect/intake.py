"""Takes payloads from the receivers, and stores them in one writer thread, many in one transaction.

A sender is answered when its spans are stored, so what was acknowledged can be read at once and survives a crash of
the process. What is in memory is bounded: few bodies arrive at a time, and what waits is counted in bytes. Beyond, the
sender is asked to come again (``Overloaded``). A full disk asks the same, for as long as it lasts. If the thread itself
fails, the process has to end: it would take in what nobody stores.
"""

import asyncio
import contextlib
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self, TypeVar

from gossamer_mesh.collect import otlp, spans
from gossamer_mesh.collect.store import Damaged, Store, StoreError, TooLarge

MAX_WAITING: Final = 16 * 2**20
"""Bytes of payloads that may wait for the writer."""

ARRIVALS: Final = 8
"""Bodies that may arrive at a time, since each may be as long as the longest until it is there."""

ARRIVAL_SECONDS: Final = 5.0
"""How long a body may wait for its turn and arrive; less than exporters wait for their answer."""

RETRY_SECONDS: Final = 1
"""When a sender that was turned away may come again."""

_BATCH: Final = 4 * 2**20  # bytes of payloads in one transaction
_TRIM_SECONDS: Final = 5.0  # between two looks for spans that are too old; less if none may grow that old

T = TypeVar("T")


class Overloaded(Exception):  # noqa: N818 - an adjective of the collector
    """Not now: the sender should keep its spans and send them again after ``RETRY_SECONDS``."""


class Log(Protocol):
    """Writes one line."""

    def __call__(self, level: str, message: str, /, **fields: object) -> None:
        """Write it, with fields beside its message."""


@dataclass(kw_only=True, slots=True)
class Counts:
    """What came in since the start."""

    spans: int = 0
    duplicates: int = 0
    rejected: int = 0
    turned_away: int = 0
    metrics: int = 0
    logs: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a payload."""

    rejected: int
    reason: str


@dataclass(slots=True)
class _Parcel:
    signal: otlp.Signal[Any]
    payload: bytes
    encoding: otlp.Encoding
    answer: asyncio.Future[Outcome]
    rows: spans.Rows = field(default_factory=spans.Rows)


class Intake:
    """The queue and the thread before a store. Use as an asynchronous context manager; leaving it stores what waits.

    Args:
        store: where spans go.
        log: says what fails; its own failures are none of the writer's.
        on_failure: called in the event loop when the writer has ended though it should not; ``has_failed`` is set.
    """

    def __init__(self, store: Store, log: Log, *, on_failure: Callable[[], None]) -> None:
        self.counts = Counts()
        self.has_failed = False
        """Whether the writer has ended though it should not: nothing is stored any more."""
        self._store = store
        self._log = log
        self._on_failure = on_failure
        self._aside = store.aside
        self._arrivals = asyncio.Semaphore(ARRIVALS)
        self._parcels: deque[_Parcel] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = False
        self._failing = ""
        self._trimmed = 0.0
        self._trim_seconds = min(_TRIM_SECONDS, store.max_age / 4)
        self._thread = threading.Thread(target=self._run, name="collector-writer")

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of payloads that wait for the writer."""
        return self._waiting

    @property
    def failing(self) -> str:
        """Why nothing can be stored at present; empty when all is well."""
        return self._failing

    @contextlib.asynccontextmanager
    async def arrival(self) -> AsyncIterator[None]:
        """Wait for a turn to read a body, and have it while the body is read.

        Raises:
            Overloaded: all of that took too long.
        """
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS), self._arrivals:
                yield
        except TimeoutError as error:
            self.counts.turned_away += 1
            raise Overloaded(f"the request did not arrive within {ARRIVAL_SECONDS:.0f} s") from error

    async def take(self, signal: otlp.Signal[Any], payload: bytes, encoding: otlp.Encoding) -> otlp.Response:
        """Store the spans of a payload; metrics and logs are counted, and go no further yet.

        Raises:
            otlp.Malformed: the payload is no request of this signal.
            Overloaded: nothing was stored; the sender should come again.
        """
        outcome = await self._offer(_Parcel(signal, payload, encoding, self._loop.create_future()))
        return otlp.trace_response(outcome.rejected, outcome.reason) if signal is otlp.TRACES else signal.response()

    async def _offer(self, parcel: _Parcel) -> Outcome:
        size = len(parcel.payload)
        with self._changed:
            if self._closing or self._waiting + size > MAX_WAITING:
                self.counts.turned_away += 1
                raise Overloaded(f"the collector has {self._waiting} bytes waiting to be stored")
            self._waiting += size
            self._parcels.append(parcel)
            self._changed.notify()
        return await parcel.answer

    def _run(self) -> None:
        try:
            while (batch := self._take()) is not None:
                self._process(batch)
                self._trim()
                self._tell_aside()
        except BaseException:  # noqa: BLE001 - whatever it was, senders must not wait for a thread that is gone
            self._say("error", "the collector ends because of a fault in its writer", stack=traceback.format_exc())
            self._loop.call_soon_threadsafe(self._fail)

    def _fail(self) -> None:
        self.has_failed = True
        with self._changed:
            self._closing = True
            left = list(self._parcels)
            self._parcels.clear()
        _answer([(parcel, Overloaded("the collector is ending")) for parcel in left])
        self._on_failure()

    def _take(self) -> list[_Parcel] | None:
        """Wait for parcels, at most until the next trimming is due; None when all is done."""
        with self._changed:
            if not self._parcels and not self._closing:
                self._changed.wait(self._trim_seconds)
            if not self._parcels:
                return None if self._closing else []
            batch: list[_Parcel] = []
            size = 0
            while self._parcels and (not batch or size + len(self._parcels[0].payload) <= _BATCH):
                parcel = self._parcels.popleft()
                size += len(parcel.payload)
                batch.append(parcel)
            return batch

    def _process(self, batch: list[_Parcel]) -> None:
        try:
            answers = self._store_batch(batch)
        except Exception as error:  # noqa: BLE001 - one payload must not end the only writer
            self._say(
                "error", "spans were not stored because of a fault in the collector", stack=traceback.format_exc()
            )
            answers = [(parcel, Overloaded(f"a fault in the collector: {type(error).__name__}")) for parcel in batch]
        with self._changed:
            self._waiting -= sum(len(parcel.payload) for parcel in batch)
        if answers:
            self._loop.call_soon_threadsafe(_answer, answers)

    def _store_batch(self, batch: list[_Parcel]) -> list[tuple[_Parcel, Outcome | Exception]]:
        answers: list[tuple[_Parcel, Outcome | Exception]] = []
        good = []
        for parcel in batch:
            try:
                request = otlp.decode(parcel.signal, parcel.payload, parcel.encoding)
            except otlp.Malformed as error:
                answers.append((parcel, error))
                continue
            if parcel.signal is otlp.TRACES:
                parcel.rows = spans.rows(request)
                good.append(parcel)
            else:
                answers.append((parcel, self._count(parcel.signal, request)))
        try:
            self._append([row for parcel in good for row in parcel.rows.spans])
        except TooLarge:
            if len(good) > 1:  # together they are too many: each on its own
                return answers + [answer for parcel in good for answer in self._store_batch([parcel])]
            return answers + [(parcel, self._reject(parcel)) for parcel in good]
        except StoreError as error:
            self._note(str(error))
            self.counts.turned_away += len(good)
            return answers + [(parcel, Overloaded(str(error))) for parcel in good]
        return answers + [(parcel, self._accept(parcel)) for parcel in good]

    def _append(self, rows: list[spans.SpanRow]) -> None:
        if not rows:
            return
        new = self._mending(lambda: self._store.append(rows))
        self._note("")
        self.counts.spans += new
        self.counts.duplicates += len(rows) - new

    def _mending(self, act: Callable[[], T]) -> T:
        """Act on the store; if that is damaged, on an empty one in its place."""
        try:
            return act()
        except Damaged:
            self._store.start_over()
            return act()

    def _count(self, signal: otlp.Signal[Any], request: otlp.Request) -> Outcome:
        setattr(self.counts, signal.name, getattr(self.counts, signal.name) + otlp.count(request))
        return Outcome(rejected=0, reason="")

    def _accept(self, parcel: _Parcel) -> Outcome:
        self.counts.rejected += parcel.rows.rejected
        return Outcome(rejected=parcel.rows.rejected, reason=parcel.rows.reason)

    def _reject(self, parcel: _Parcel) -> Outcome:
        rejected = parcel.rows.rejected + len(parcel.rows.spans)
        self.counts.rejected += rejected
        return Outcome(rejected=rejected, reason=f"more than the store's --max-bytes {self._store.max_bytes} can hold")

    def _note(self, failing: str) -> None:
        """Log once when storing begins to fail, and once when it works again."""
        if failing and not self._failing:
            self._say("error", f"spans can't be stored: {failing}; senders are asked to come again")
        elif self._failing and not failing:
            self._say("info", "spans are stored again")
        self._failing = failing

    def _trim(self) -> None:
        try:
            self._mending(self._trim_when_due)
        except StoreError as error:
            self._note(str(error))

    def _trim_when_due(self) -> None:
        now = time.monotonic()
        is_due = now - self._trimmed > self._trim_seconds
        if is_due or self._store.is_crowded or self._store.has_long_log:
            self._trimmed = now
            self._store.trim()

    def _tell_aside(self) -> None:
        if self._store.aside != self._aside:
            self._aside = self._store.aside
            self._say("error", f"the store was damaged: set aside as {self._aside}; going on with an empty store")

    def _say(self, level: str, message: str, **fields: object) -> None:
        """Log; what can't be, on a full disk for instance, is lost, as senders wait for this thread."""
        with contextlib.suppress(OSError):
            self._log(level, message, **fields)


def _answer(answers: list[tuple[_Parcel, Outcome | Exception]]) -> None:
    for parcel, answer in answers:
        if parcel.answer.done():  # the sender went away
            continue
        if isinstance(answer, Exception):
            parcel.answer.set_exception(answer)
        else:
            parcel.answer.set_result(answer)
