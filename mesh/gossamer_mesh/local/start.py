"""What it takes to have a stack run in the background, and to end it, leftovers of a killed one included."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable

from gossamer.local.v1 import stack_pb2 as pb
from gossamer_mesh.declare import Workspace
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import client, leftovers, ports, ready
from gossamer_mesh.local.folder import StateFolder
from gossamer_mesh.local.launch import plain
from gossamer_mesh.local.process import tail

STARTS_WITHIN_S = 20.0
STOPS_WITHIN_S = 120.0
ENDS_WITHIN_S = 10.0  # the supervisor itself, after all else has ended
LOOK_S = 0.05


def ensure_supervisor(workspace: Workspace, say: Callable[[str], None]) -> bool:
    """Have a supervisor run; tell whether this call started it.

    Raises:
        Problem: a port is in use, or the supervisor does not start or does not answer.
    """
    folder = StateFolder(workspace.settings.state)
    with folder.starting():
        if folder.is_supervised():
            _until_it_answers(folder, folder.is_supervised)
            return False
        if ended := leftovers.end(folder.path):
            say(f"ended {ended} processes that were left over from a stack whose supervisor died")
        ports.require_free(ports.wanted(workspace.settings))
        if workspace.settings.consul_address:
            ready.require_leader(workspace.settings.consul_address)
        with (folder.logs / "supervisor.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", leftovers.SUPERVISOR, "--root", str(workspace.root)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=workspace.root,
                env={**plain(folder.path), **_settings_of_person()},
                start_new_session=True,
            )
        try:
            _until_it_answers(folder, lambda: process.poll() is None)
        except BaseException:  # Ctrl-C as well: nothing half started stays
            process.terminate()
            process.wait()
            raise
    return True


def _until_it_answers(folder: StateFolder, lives: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and lives():
        if folder.socket() is not None and client.runs(folder):
            return
        time.sleep(LOOK_S)
    if lives():
        raise Problem("the supervisor of this stack runs and does not answer; end it: gossamer down")
    raise Problem(
        "the supervisor did not start; its last lines:\n" + "\n".join(tail(folder.logs / "supervisor.log", 10))
    )


def _settings_of_person() -> dict[str, str]:
    """Keep what a person set for the whole stack; plain() removes it because processes get their own."""
    own = ("GOSSAMER_PORT_OFFSET", "GOSSAMER_STATE", "GOSSAMER_ZONE", "GOSSAMER_VERSION", "CONSUL_HTTP_ADDR")
    return {name: os.environ[name] for name in own if name in os.environ}


def apply(workspace: Workspace) -> list[str]:
    """Have the supervisor follow the declarations; return what only another start of the stack follows.

    Raises:
        Problem: it refused them.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), **_settings_of_person()}
    with client.connect(StateFolder(workspace.settings.state)) as api:
        return list(api.ApplyStack(pb.ApplyStackRequest(environment=environment), timeout=30).notes)


def stop(folder: StateFolder, see: Callable[[pb.Stack], None] = lambda _: None) -> bool:
    """End the stack in order, and whatever a killed supervisor left; tell whether there was anything.

    Args:
        folder: the stack's state folder.
        see: is shown the stack while it ends.

    Raises:
        Problem: something could not be ended.
    """
    ran = folder.is_supervised()
    if ran:
        with contextlib.suppress(Problem), client.connect(folder) as api:
            api.StopStack(pb.StopStackRequest(), timeout=30)
            for response in api.WatchStack(pb.WatchStackRequest(), timeout=STOPS_WITHIN_S):
                see(response.stack)
            deadline = time.monotonic() + ENDS_WITHIN_S
            while folder.is_supervised() and time.monotonic() < deadline:
                time.sleep(LOOK_S)
    left = leftovers.end(folder.path)
    if still := leftovers.find(folder.path):
        names = ", ".join(f"{process.name()} ({process.pid})" for process in still)
        raise Problem(f"these processes could not be ended: {names}")
    return ran or left > 0
