"""The supervisor's process: `python -m gossamer_mesh.local --root CHECKOUT`.

Started in the background by `gossamer up`. Ends when it is told to by its API, by SIGTERM or by SIGINT, and always
after everything it runs.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import grpc

from gossamer.local.v1 import stack_pb2_grpc
from gossamer_mesh.declare import load
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import logs
from gossamer_mesh.local.folder import StateFolder
from gossamer_mesh.local.server import StackService
from gossamer_mesh.local.supervisor import Supervisor


async def supervise(root: Path) -> None:
    """Run the stack of a checkout until it is told to end.

    Raises:
        Problem: the declarations are off, or another supervisor runs this stack.
    """
    settings = load(root).settings
    folder = StateFolder(settings.state)
    folder.make()
    with folder.supervising() as socket:
        ended = asyncio.Event()
        supervisor = Supervisor(root, settings, folder)
        service = StackService(supervisor, ended)
        server = grpc.aio.server()
        stack_pb2_grpc.add_StackServiceServicer_to_server(service, server)
        server.add_insecure_port(f"unix:{socket}")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, service.begin_stop)
        await server.start()
        bounded = asyncio.create_task(logs.keep_bounded(folder.logs))
        try:
            await ended.wait()
        finally:
            bounded.cancel()
            await server.stop(grace=1)


def main() -> int:
    """Parse, supervise, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gossamer_mesh.local", description="Runs the stack of a checkout.")
    parser.add_argument("--root", type=Path, required=True, help="the checkout")
    try:
        asyncio.run(supervise(parser.parse_args().root.resolve()))
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
