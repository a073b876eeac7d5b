"""The Python twin of main.go: calls ProbeService/Echo as often as it can when it is told to, and says how that went.

    client.py [-bare] TARGET

With -bare it is grpc.aio alone and TARGET any that gRPC knows; else the kit, and TARGET the name of a service. For each
line `CALLS_AT_ONCE SECONDS` on standard input it answers one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import grpc

from gossamer.probe.v1.probe_pb2 import EchoRequest
from gossamer.probe.v1.probe_pb2_grpc import ProbeServiceStub
from gossamer_kit import Config, Kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE = 5.0
REQUEST = EchoRequest(payload=bytes(64))


@contextlib.asynccontextmanager
async def opened(target: str, *, bare: bool) -> AsyncIterator[Any]:
    """Give a stub."""
    if bare:
        async with grpc.aio.insecure_channel(target) as channel:
            yield ProbeServiceStub(channel)
    else:
        async with Kit(Config.from_environment()) as kit:
            yield kit.client(ProbeServiceStub, target)


async def main(target: str, *, bare: bool) -> None:
    """Answer lines until standard input ends."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with opened(target, bare=bare) as stub:
        while line := await lines.readline():
            at_once, seconds = line.split()
            print(json.dumps(await measure(stub, int(at_once), float(seconds))), flush=True)


async def measure(stub: Any, at_once: int, seconds: float) -> dict[str, Any]:
    """Keep so many calls going for a while."""
    took: list[float] = []
    failed: list[str] = []
    began = time.perf_counter()

    async def call() -> None:
        while (start := time.perf_counter()) < began + seconds:
            try:
                await stub.Echo(REQUEST, timeout=DEADLINE)
            except grpc.aio.AioRpcError as error:
                failed.append(f"{error.code().name}: {error.details()}")
            else:
                took.append(time.perf_counter() - start)

    await asyncio.gather(*(call() for _ in range(at_once)))
    whole = time.perf_counter() - began
    took.sort()
    return {
        "calls": len(took),
        "failed": len(failed),
        "failure": failed[0] if failed else "",
        "seconds": whole,
        "p50_ms": quantile(took, 0.5) * 1e3,
        "p99_ms": quantile(took, 0.99) * 1e3,
    }


def quantile(ordered: list[float], share: float) -> float:
    """Give the value that a share of the ordered values does not exceed; 0 for none."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1], bare="-bare" in sys.argv))
