"""The Python twin of main.go: calls a service by its name in the mesh, steadily, and notes when each instance answered.

    client.py SERVICE INTERVAL      (seconds)

A plain gRPC client that knows xDS, no kit. For each line on standard input it answers one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import grpc

from gossamer.probe.v1 import probe_pb2, probe_pb2_grpc

DEADLINE = 5.0


class Notes:
    """What calls saw since the last report: wall clock times in nanoseconds."""

    def __init__(self) -> None:
        self._instances: dict[str, dict[str, int]] = {}
        self._failures = 0

    def answered(self, instance: str, began: int, ended: int) -> None:
        """Note an answer."""
        seen = self._instances.setdefault(instance, {"first": ended, "last": began})
        seen["last"] = max(seen["last"], began)

    def failed(self) -> None:
        """Note a failure."""
        self._failures += 1

    def take(self) -> dict[str, Any]:
        """Give what was seen, and begin again."""
        taken = {"instances": self._instances, "failures": self._failures}
        self._instances, self._failures = {}, 0
        return taken


async def main(service: str, interval: float) -> None:
    """Call until standard input ends."""
    notes, lines = Notes(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with grpc.aio.insecure_channel(f"xds:///{service}") as channel:
        calling = asyncio.create_task(call_steadily(probe_pb2_grpc.ProbeServiceStub(channel), interval, notes))
        while await lines.readline():
            print(json.dumps(notes.take()), flush=True)
        calling.cancel()


async def call_steadily(probe: Any, interval: float, notes: Notes) -> None:
    """Begin a call every so many seconds, whatever became of those before."""
    due = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        while True:
            calls.create_task(call(probe, notes))
            due += interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def call(probe: Any, notes: Notes) -> None:
    """Call once."""
    began = time.time_ns()
    try:
        answer = await probe.Echo(probe_pb2.EchoRequest(), timeout=DEADLINE)
    except grpc.aio.AioRpcError:
        notes.failed()
    else:
        notes.answered(answer.hop.instance, began, time.time_ns())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
