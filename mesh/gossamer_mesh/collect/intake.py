"""Takes payloads from the receivers, and stores them in one writer thread, many in one transaction.

A sender is answered when its spans are stored, so what was acknowledged can be read at once and survives a crash of
the process. What waits is bounded by bytes: beyond, the sender is asked to come again (``Overloaded``). A full disk
asks the same, for as long as it lasts.
"""

import asyncio
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from gossamer_mesh.collect import otlp, spans
from gossamer_mesh.collect.store import Damaged, Store, StoreError, TooLarge, Unavailable

MAX_WAITING: Final = 16 * 2**20
"""Bytes of payloads that may wait for the writer."""

RETRY_SECONDS: Final = 1
"""When a sender that was turned away may come again."""

_BATCH: Final = 4 * 2**20  # bytes of payloads in one transaction
_TRIM_SECONDS: Final = 5.0  # between two looks for spans that are too old; less if none may grow that old


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
    payload: bytes
    encoding: otlp.Encoding
    answer: asyncio.Future[Outcome]
    rows: spans.Rows | None = None


class Intake:
    """The queue and the thread before a store. Use as an asynchronous context manager; leaving it stores what waits."""

    def __init__(self, store: Store, log: Log) -> None:
        self.counts = Counts()
        self._store = store
        self._log = log
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

    async def take(self, signal: otlp.Signal[Any], payload: bytes, encoding: otlp.Encoding) -> otlp.Response:
        """Store the spans of a payload; metrics and logs are counted, and go no further yet.

        Raises:
            otlp.Malformed: the payload is no request of this signal.
            Overloaded: nothing was stored; the sender should come again.
        """
        if signal is otlp.TRACES:
            outcome = await self._offer(payload, encoding)
            return otlp.trace_response(outcome.rejected, outcome.reason)
        found = otlp.count(otlp.decode(signal, payload, encoding))
        setattr(self.counts, signal.name, getattr(self.counts, signal.name) + found)
        return signal.response()

    async def _offer(self, payload: bytes, encoding: otlp.Encoding) -> Outcome:
        parcel = _Parcel(payload, encoding, self._loop.create_future())
        with self._changed:
            if self._closing or self._waiting + len(payload) > MAX_WAITING:
                self.counts.turned_away += 1
                raise Overloaded(f"the collector has {self._waiting} bytes waiting to be stored")
            self._waiting += len(payload)
            self._parcels.append(parcel)
            self._changed.notify()
        return await parcel.answer

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            self._process(batch)
            self._trim()

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
            self._log(
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
                parcel.rows = _rows(parcel)
                good.append(parcel)
            except otlp.Malformed as error:
                answers.append((parcel, error))
        try:
            self._append([row for parcel in good if parcel.rows for row in parcel.rows.spans])
        except TooLarge:
            if len(good) > 1:  # together they are too many: each on its own
                return answers + [answer for parcel in good for answer in self._store_batch([parcel])]
            return answers + [(parcel, self._reject(parcel)) for parcel in good]
        except StoreError as error:
            self._note(str(error))
            self.counts.turned_away += len(good)
            return answers + [(parcel, Overloaded(str(error))) for parcel in good]
        self._note("")
        return answers + [(parcel, self._accept(parcel)) for parcel in good]

    def _append(self, rows: list[spans.SpanRow]) -> None:
        if not rows:
            return
        try:
            new = self._store.append(rows)
        except Damaged as error:
            self._store.start_over()
            self._log("error", f"{error}: set aside as {self._store.aside}; going on with an empty store")
            new = self._store.append(rows)
        self.counts.spans += new
        self.counts.duplicates += len(rows) - new

    def _accept(self, parcel: _Parcel) -> Outcome:
        rows = parcel.rows or spans.Rows()
        self.counts.rejected += rows.rejected
        return Outcome(rejected=rows.rejected, reason=rows.reason)

    def _reject(self, parcel: _Parcel) -> Outcome:
        rows = parcel.rows or spans.Rows()
        rejected = rows.rejected + len(rows.spans)
        self.counts.rejected += rejected
        return Outcome(rejected=rejected, reason=f"more than the store's --max-bytes {self._store.max_bytes} can hold")

    def _note(self, failing: str) -> None:
        """Log once when storing begins to fail, and once when it works again."""
        if failing and not self._failing:
            self._log("error", f"spans can't be stored: {failing}; senders are asked to come again")
        elif self._failing and not failing:
            self._log("info", "spans are stored again")
        self._failing = failing

    def _trim(self) -> None:
        now = time.monotonic()
        try:
            if now - self._trimmed > self._trim_seconds or self._store.is_crowded:
                self._trimmed = now
                self._store.trim()
        except Unavailable as error:
            self._note(str(error))
        except Damaged:
            self._store.start_over()
            self._log("error", f"the store was damaged: set aside as {self._store.aside}; going on with an empty one")


def _rows(parcel: _Parcel) -> spans.Rows:
    return spans.rows(otlp.decode(otlp.TRACES, parcel.payload, parcel.encoding))


def _answer(answers: list[tuple[_Parcel, Outcome | Exception]]) -> None:
    for parcel, answer in answers:
        if parcel.answer.done():  # the sender went away
            continue
        if isinstance(answer, Exception):
            parcel.answer.set_exception(answer)
        else:
            parcel.answer.set_result(answer)
