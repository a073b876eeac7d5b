"""Which ports are free, and who holds those that are not."""

import contextlib
import socket
import sys
from collections.abc import Mapping

import psutil

from gossamer_mesh.declare import Settings
from gossamer_mesh.errors import Problem

HOST = "127.0.0.1"
CONSUL_SERVER_OFFSET = -200  # 8300 beside 8500, as Consul's own defaults are
CONSUL_SERF_OFFSET = -199
CONNECT_TIMEOUT_S = 1.0


def wanted(settings: Settings) -> dict[str, int]:
    """Give the ports that the parts of a stack listen on, by name; those that the system chooses are left out."""
    numbers = {name: port for name, port in settings.ports.items() if port and name != "instances"}
    http = numbers.get("consul")
    if settings.consul_address:
        numbers.pop("consul", None)
    elif http:
        numbers |= {"consul server": http + CONSUL_SERVER_OFFSET, "consul serf": http + CONSUL_SERF_OFFSET}
    return numbers


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a loopback port now."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return not _answers(port)


def _answers(port: int) -> bool:
    """Tell whether someone listens on a port; macOS lets a loopback port be bound beside one of all addresses."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as caller:
        caller.settimeout(CONNECT_TIMEOUT_S)
        # A caller whose own port happens to be the one it calls reaches itself.
        return caller.connect_ex((HOST, port)) == 0 and caller.getsockname() != caller.getpeername()


class Reserved:
    """Free loopback ports that the system gives to nobody else until this is closed.

    Each is bound and never listened on. Whoever names it can listen there, because servers set SO_REUSEADDR; but it is
    given neither to a listener that asks for port 0 nor to an outgoing connection, so a server that is killed finds
    its port again. Where a bound port can't be bound a second time (macOS), it is only chosen.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """Let the system choose one more."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        port = int(holder.getsockname()[1])
        if sys.platform == "linux":
            self._held.append(holder)
        else:
            holder.close()
        return port

    def close(self) -> None:
        """Give all of them back."""
        for holder in self._held:
            holder.close()
        self._held.clear()


def first_free(start: int, taken: set[int]) -> int:
    """Give the first free port from start up that is not among those taken.

    Raises:
        Problem: there is none in the next thousand.
    """
    for port in range(start, start + 1000):
        if port not in taken and is_free(port):
            return port
    raise Problem(f"no free port from {start} to {start + 999}; move them all: GOSSAMER_PORT_OFFSET=100 gossamer up")


def require_free(ports: Mapping[str, int]) -> None:
    """Refuse to go on when a port is held by someone else.

    Raises:
        Problem: with a line for each port, and who holds it.
    """
    held = {name: port for name, port in ports.items() if port and not is_free(port)}
    if held:
        lines = [f"port {port} ({name}) is in use by {holder(port)}" for name, port in held.items()]
        lines.append("end it, or move every port of this stack: GOSSAMER_PORT_OFFSET=100 gossamer up")
        raise Problem("\n".join(lines))


def holder(port: int) -> str:
    """Describe the process that listens on a port, as far as the system tells."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                with contextlib.suppress(psutil.Error):
                    return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another process"
