"""A gRPC client that follows the mesh, official grpcio and nothing else, in a process of its own.

gRPC reads its bootstrap once a process; so each client that follows another control plane needs one. The process is
this file run as a program: a command a line in, an answer a line out.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from envoy.admin.v3.config_dump_shared_pb2 import ClientResourceStatus
from grpc_csds import ClientStatusDiscoveryServiceServicer

from gossamer.probe.v1 import probe_pb2, probe_pb2_grpc

DEADLINE = 60.0
"""Seconds that any command may take."""


class Client:
    """One client process. `async with` starts and ends it."""

    def __init__(self, bootstrap: str, log: Path) -> None:
        self._bootstrap = bootstrap
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                __file__,
                env={"GRPC_XDS_BOOTSTRAP_CONFIG": self._bootstrap, "GRPC_VERBOSITY": "NONE"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=2**24,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()

    async def call(
        self,
        service: str,
        count: int = 1,
        *,
        method: str = "Echo",
        timeout: float = 5.0,  # noqa: ASYNC109 - of the call
        metadata: Mapping[str, str] | None = None,
        at_once: bool = False,
    ) -> list[str]:
        """Call one after the other, or all at once. Gives who answered each, or the status code as `!UNAVAILABLE`."""
        how = {"method": method, "timeout": timeout, "metadata": [*(metadata or {}).items()]}
        return list(await self._do("call", service=service, count=count, at_once=at_once, **how))

    async def until(self, service: str, instances: Iterable[str], within: float = 15.0) -> float:
        """Call until exactly these answer, an even share each. Gives how many seconds that took."""
        return float(await self._do("until", service=service, instances=sorted(instances), within=within))

    async def start_load(self, service: str, *, every: float = 0.01) -> None:
        """Begin to call every so many seconds, whatever comes back."""
        await self._do("start_load", service=service, every=every)

    async def stop_load(self) -> Counter[str]:
        """Stop calling. Gives how often each instance answered, and each status code."""
        return Counter(await self._do("stop_load"))

    async def config(self) -> list[dict[str, str]]:
        """What the client itself says it holds (CSDS): type, name, state and version of each resource."""
        return list(await self._do("config"))

    async def close(self, service: str) -> None:
        """Close the channel to a service; the next call opens another."""
        await self._do("close", service=service)

    def pause(self) -> None:
        """Have the process stand still: its connections stay, and nobody answers on them."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    async def _do(self, command: str, **arguments: Any) -> Any:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        async with asyncio.timeout(DEADLINE):
            line = await self._process.stdout.readline()
        assert line, f"the client ended:\n{self._log.read_text()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["answer"]


class _Program:
    """The client's side of the commands."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._load: asyncio.Task[None] | None = None
        self._answers: list[asyncio.Task[str]] = []

    async def call(self, service: str, count: int, *, at_once: bool, **how: Any) -> list[str]:
        calls = (self._once(service, **how) for _ in range(count))
        return await asyncio.gather(*calls) if at_once else [await call for call in calls]

    async def until(self, service: str, instances: list[str], within: float) -> float:
        began = time.monotonic()
        expected = dict.fromkeys(instances, 4)
        while (answers := Counter(await self.call(service, 4 * len(instances), at_once=False))) != expected:
            if time.monotonic() - began > within:
                raise AssertionError(f"{service} is answered by {dict(answers)}, expected {expected}, after {within} s")
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def close(self, service: str) -> None:
        await self._channels.pop(service).close()

    async def start_load(self, service: str, every: float) -> None:
        self._answers.clear()
        self._load = asyncio.create_task(self._call_steadily(service, every))

    async def stop_load(self) -> dict[str, int]:
        assert self._load
        self._load.cancel()
        return Counter(await asyncio.gather(*self._answers))

    async def config(self) -> list[dict[str, str]]:
        status = ClientStatusDiscoveryServiceServicer.FetchClientStatus(None, None)
        return [
            {
                "type": resource.type_url.rpartition(".")[2],
                "name": resource.name,
                "state": ClientResourceStatus.Name(resource.client_status),
                "version": resource.version_info,
            }
            for config in status.config
            for resource in config.generic_xds_configs
        ]

    async def _call_steadily(self, service: str, every: float) -> None:
        due = time.monotonic()
        while True:
            self._answers.append(asyncio.create_task(self._once(service)))
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _once(
        self,
        service: str,
        method: str = "Echo",
        timeout: float = 5.0,  # noqa: ASYNC109 - of the call
        metadata: Iterable[Iterable[str]] = (),
    ) -> str:
        if service not in self._channels:
            self._channels[service] = grpc.aio.insecure_channel(f"xds:///{service}")
        stub = probe_pb2_grpc.ProbeServiceStub(self._channels[service])
        request = {"Echo": probe_pb2.EchoRequest, "Wait": probe_pb2.WaitRequest}[method]()
        try:
            answer = await getattr(stub, method)(request, timeout=timeout, metadata=[tuple(pair) for pair in metadata])
        except grpc.aio.AioRpcError as error:
            return f"!{error.code().name}"
        return str(answer.hop.instance)


async def _main() -> None:
    program, lines = _Program(), asyncio.StreamReader()
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


if __name__ == "__main__":
    asyncio.run(_main())
