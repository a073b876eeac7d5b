"""Runs the control plane until SIGTERM or SIGINT.

Example: python -m gossamer_mesh.control --consul http://127.0.0.1:8500 --contracts gen/contracts.binpb
"""

import asyncio
import gc
import signal
import sys

from gossamer_mesh.control import logs
from gossamer_mesh.control.plane import BindError, ControlPlane
from gossamer_mesh.control.settings import ERROR_STATUS, Settings, SettingsError, parse
from gossamer_mesh.policy import ContractsError


async def run(settings: Settings) -> None:
    """Serve until a signal comes."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with ControlPlane(settings) as plane:
        logs.announce(settings.instance, plane.address)
        gc.collect()
        gc.freeze()  # what was loaded stays: looking through it takes as long as telling hundreds of clients
        running, stopping = asyncio.create_task(plane.run()), asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        if running in done:
            await running
        running.cancel()


def main() -> int:
    """Run, and give the exit status."""
    try:
        settings = parse(sys.argv[1:])
        logs.configure(settings.instance)
        asyncio.run(run(settings))
    except (SettingsError, ContractsError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who started it
        return ERROR_STATUS
    except BindError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who started it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
