"""Calls that wait in a probe's handler, and knowing that they have got there."""

from conformance.mesh import until
from harness.probe import Probe

from gossamer.probe.v1 import probe_pb2 as pb


def wait(seconds: float, key: str = "", *, ignore_cancellation: bool = False) -> pb.WaitRequest:
    """Ask for a wait."""
    request = pb.WaitRequest(key=key, ignore_cancellation=ignore_cancellation)
    request.duration.FromMilliseconds(int(seconds * 1000))
    return request


async def until_waiting(probe: Probe, key: str, count: int = 1) -> None:
    """Wait until so many calls of a key have reached their handlers."""

    async def there() -> bool:
        return await waiting(probe, key) == count

    await until(there, f"{count} calls of {key} in their handlers")


async def waiting(probe: Probe, key: str) -> int:
    """Count the calls of a key that are in their handlers."""
    return int((await probe.stub.Wait(wait(0, key), timeout=10)).waiting)


async def cancelled(probe: Probe, key: str) -> int:
    """Count the calls of a key whose handlers were cancelled."""
    return int((await probe.stub.Wait(wait(0, key), timeout=10)).cancelled)
