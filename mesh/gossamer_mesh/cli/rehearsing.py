"""Checks entries in this process, as a control plane does: for checkouts of which no stack runs."""

from collections.abc import Iterable
from pathlib import Path

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer_mesh.cli import show
from gossamer_mesh.declare.workspace import IMAGE
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import parts
from gossamer_mesh.model import Mesh
from gossamer_mesh.policy import Contracts, ContractsError


async def check(files: Iterable[pb.EntryFile], root: Path) -> list[pb.CheckFinding]:
    """Try files with a throw-away Consul, which has nothing but the protocol of all services to begin with.

    Raises:
        Problem: it can't be tried.
    """
    from gossamer_mesh.handles import check as checking  # noqa: PLC0415 - half a second that no other verb needs
    from gossamer_mesh.handles.rehearsal import RehearsalError  # noqa: PLC0415 - as above

    program = (await parts.bring("consul", root, show.console.print)).path
    try:
        contracts = Contracts.parse((root / IMAGE).read_bytes())
        wanted = [checking.File(name=each.name, text=each.text) for each in files]
        findings = await checking.check(wanted, program, mesh=Mesh(), contracts=contracts)
    except (RehearsalError, ContractsError, OSError) as error:
        raise Problem(str(error)) from error
    return [pb.CheckFinding(file=each.file, subject=each.subject, reason=each.reason) for each in findings]
