"""How an address is written, so that equal ones are written alike."""

import socket


def packed(host: str) -> bytes | None:
    """Give the bytes of an IP literal, 4 or 16 of them; none if it isn't one."""
    try:
        # the system's own reading of it is a tenth as slow as Python's, which matters with thousands of instances
        return socket.inet_pton(_family(host), host)
    except (OSError, ValueError):
        return None


def canonical(host: str) -> str:
    """Write an IP literal in its shortest form; anything else stays as it is."""
    found = packed(host)
    return host if found is None else socket.inet_ntop(_family(host), found)


def address(host: str, port: int) -> str:
    """Join a host and a port as `host:port`, with the host in brackets when it is an IPv6 literal."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
