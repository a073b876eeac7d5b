"""A client of tests: grpc.aio with its xDS, and no kit.

It reads commands from standard input and answers each on standard output, both JSON, one a line:
tests/harness/client.py says what they are.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

import grpc
from envoy.admin.v3.config_dump_shared_pb2 import ClientResourceStatus
from grpc_csds import ClientStatusDiscoveryServiceServicer

from gossamer.probe.v1 import probe_pb2

Answer = tuple[str, int, float]
"""How one call went: who answered, the status as gRPC numbers it, the seconds it took."""


class Program:
    """What the commands do, one method each."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._load: asyncio.Task[None] | None = None
        self._loaded: dict[str, Any] = {}
        self._answers: list[asyncio.Task[Answer]] = []

    async def call(self, *, count: int, at_once: bool, **how: Any) -> list[Answer]:
        calls = (self._once(**how) for _ in range(count))
        return await asyncio.gather(*calls) if at_once else [await call for call in calls]

    async def start_load(self, *, every: float, **how: Any) -> None:
        self._answers.clear()
        self._loaded = how
        self._load = asyncio.create_task(self._call_steadily(every, **how))

    async def stop_load(self) -> list[Answer]:
        assert self._load
        self._load.cancel()
        return [*await asyncio.gather(*self._answers), await self._once(**self._loaded)]

    async def close(self, *, service: str) -> None:
        await self._channels.pop(service).close()

    async def config(self) -> list[dict[str, str]]:
        status = ClientStatusDiscoveryServiceServicer.FetchClientStatus(None, None)
        return [
            {
                "type": resource.type_url,
                "name": resource.name,
                "state": ClientResourceStatus.Name(resource.client_status),
                "version": resource.version_info,
            }
            for config in status.config
            for resource in config.generic_xds_configs
        ]

    async def _call_steadily(self, every: float, **how: Any) -> None:
        due = time.monotonic()
        while True:
            self._answers.append(asyncio.create_task(self._once(**how)))
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _once(
        self,
        *,
        service: str,
        path: str,
        timeout: float | None,  # noqa: ASYNC109 - of the call
        metadata: Iterable[Iterable[str]],
    ) -> Answer:
        """Make one call. Whatever the method is, it is taken for one that answers as Echo does."""
        if service not in self._channels:
            self._channels[service] = grpc.aio.insecure_channel(f"xds:///{service}")
        method = self._channels[service].unary_unary(
            path, probe_pb2.EchoRequest.SerializeToString, probe_pb2.EchoResponse.FromString
        )
        began = time.monotonic()
        instance, status = "", grpc.StatusCode.OK
        try:
            answer = await method(probe_pb2.EchoRequest(), timeout=timeout, metadata=[(*pair,) for pair in metadata])
            instance = answer.hop.instance
        except grpc.aio.AioRpcError as error:
            status = error.code()
        return instance, status.value[0], time.monotonic() - began


async def main() -> None:
    program, lines = Program(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        arguments = json.loads(line)
        try:
            answer = {"answer": await getattr(program, arguments.pop("do"))(**arguments)}
        except Exception as error:  # noqa: BLE001 - the test is told, and fails with it
            answer = {"error": repr(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


asyncio.run(main())
