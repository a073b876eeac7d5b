"""Echoes from a server of the kit."""

from echoes import Echoes

from gossamer.probe.v1.probe_pb2_grpc import add_ProbeServiceServicer_to_server
from gossamer_kit import Config, Kit, run


async def serve() -> None:
    """Serve until SIGTERM."""
    async with Kit(Config.from_environment()) as kit:
        await kit.serve(add_ProbeServiceServicer_to_server, Echoes())  # type: ignore[abstract]  # nothing else is called
        await kit.join()
        await kit.wait()


if __name__ == "__main__":
    run(serve)
