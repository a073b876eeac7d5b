"""Two kits in one process: one that serves the probe contract as a test wants it, and one that calls it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceServicer, ProbeServiceStub, add_ProbeServiceServicer_to_server
from gossamer_kit import Config, Kit


@dataclass
class Pair:
    """A serving kit and a calling one, with the spans of both."""

    server: Kit
    caller: Kit
    address: str
    stub: Any
    finished: InMemorySpanExporter

    def spans(self, kind: str) -> list[ReadableSpan]:
        """Give the finished spans of one side."""
        return [span for span in self.finished.get_finished_spans() if span.kind.name == kind]


def configured(service: str, **changes: Any) -> Config:
    """Make the configuration of a service that runs alone."""
    return Config(service=service, instance=f"{service}-1", static=changes.pop("static", {}), **changes)


@pytest.fixture
def config() -> Callable[..., Config]:
    """Makes configurations."""
    return configured


@pytest.fixture
async def pair() -> AsyncIterator[Callable[..., Any]]:
    """Starts a pair around a servicer; the rest is the caller's configuration."""
    async with AsyncExitStack() as stack:

        async def start(servicer: ProbeServiceServicer, **caller: Any) -> Pair:
            finished = InMemorySpanExporter()
            server = await stack.enter_async_context(Kit(configured("callee")))
            address = await server.serve(add_ProbeServiceServicer_to_server, servicer)
            caller = await stack.enter_async_context(Kit(configured("caller", static={"callee": (address,)}, **caller)))
            for kit in (server, caller):
                kit._telemetry._tracers.add_span_processor(SimpleSpanProcessor(finished))
            return Pair(server, caller, address, caller.client(ProbeServiceStub, "callee"), finished)

        yield start
