"""The command line `gossamer`: one file a verb. This one joins them and turns a Problem into a line and a status."""

import os
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what gRPC logs is for programmers; a verb says what matters itself
# The stack is on this machine, whatever proxy leads elsewhere.
os.environ["no_grpc_proxy"] = "127.0.0.1,localhost"  # noqa: SIM112 - gRPC knows it in small letters only
os.environ.pop("GRPC_XDS_BOOTSTRAP", None)  # it would win over the bootstrap that a verb makes

import typer
from typer.core import TyperGroup

from gossamer_mesh.cli.address import address
from gossamer_mesh.cli.call import call
from gossamer_mesh.cli.check import check
from gossamer_mesh.cli.doctor import doctor
from gossamer_mesh.cli.down import down
from gossamer_mesh.cli.fault import fault
from gossamer_mesh.cli.kill import kill
from gossamer_mesh.cli.logs import logs
from gossamer_mesh.cli.new import new
from gossamer_mesh.cli.policy import policy
from gossamer_mesh.cli.ps import ps
from gossamer_mesh.cli.restart import restart
from gossamer_mesh.cli.run import run
from gossamer_mesh.cli.scale import scale
from gossamer_mesh.cli.split import split
from gossamer_mesh.cli.trace import trace
from gossamer_mesh.cli.up import up
from gossamer_mesh.errors import Problem

__all__ = ["app", "main"]

EXAMPLES: dict[Callable[..., Any], list[str]] = {
    up: ["gossamer up", "GOSSAMER_PORT_OFFSET=100 gossamer up    a second checkout beside the first"],
    down: ["gossamer down"],
    ps: ["gossamer ps", "gossamer ps --json | jq '.processes[].memory_bytes'"],
    logs: ["gossamer logs -f", "gossamer logs catalog -n 20", "gossamer logs consul --json"],
    restart: ["gossamer restart catalog", "gossamer restart orders-1"],
    kill: ["gossamer kill catalog-1", "gossamer kill consul --signal TERM"],
    scale: ["gossamer scale catalog 3", "gossamer scale catalog 3 --version v2    the third one is of version v2"],
    call: [
        "gossamer call catalog ListProducts '{\"page_size\": 3}'",
        'gossamer call orders WatchOrder \'{"id": "..."}\' --timeout 60',
        'gossamer call catalog GetProduct \'{"id": "x"}\' --instance catalog-2',
    ],
    address: [
        "gossamer address catalog",
        "grpcurl -plaintext $(gossamer address catalog) list",
        "gossamer address catalog --instance catalog-2",
    ],
    split: ["gossamer split catalog dev=90 v2=10", "gossamer split catalog", "gossamer split catalog --clear"],
    fault: [
        "gossamer fault catalog --abort UNAVAILABLE --percent 10",
        "gossamer fault catalog --delay 200ms --method GetProduct --from orders --header x-tenant=acme",
        "gossamer fault catalog --clear",
    ],
    policy: ["gossamer policy", "gossamer policy catalog --from orders", "gossamer policy catalog --clear"],
    check: ["gossamer check", "gossamer check catalog-router.hcl"],
    trace: ["gossamer trace", "gossamer trace 4bf92f3577b34da6"],
    new: [
        "gossamer new loyalty --language go",
        "gossamer new loyalty --language python --proto protos/shop/loyalty/v1/loyalty.proto",
        "gossamer new loyalty --update    a method for each RPC that the contract got since",
    ],
    run: [
        "gossamer run --service legacy --port 9000 -- ./their-server",
        "gossamer run --service greeter --port 50051 --contract helloworld.Greeter -- python greeter_server.py",
    ],
    doctor: ["gossamer doctor"],
}


class _InOrder(TyperGroup):
    """Lists the verbs in the order in which a person needs them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click gives it
        """Give the names as they were added."""
        return list(self.commands)


app = typer.Typer(
    name="gossamer",
    cls=_InOrder,
    help="A service mesh for gRPC that adds no proxy to any service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
for verb, examples in EXAMPLES.items():
    epilog = "**Examples:**\n\n" + "\n\n".join(f"`{example}`" for example in examples)
    app.command(epilog=epilog)(verb)


def main() -> None:
    """Run a verb; print a Problem as it is and end with its status.

    Typer itself ends with 130 when interrupted, and with 1 when the reader of a pipe has gone.
    """
    try:
        app()
    except Problem as problem:
        sys.stdout.flush()
        sys.stderr.write(f"gossamer: {problem}\n")
        sys.exit(problem.status)
    except OSError as error:  # a folder that is closed, a disk that is full: what and where is in its text
        sys.stderr.write(f"gossamer: the system refused: {error.strerror or error}: {error.filename or 'no file'}\n")
        sys.exit(1)
