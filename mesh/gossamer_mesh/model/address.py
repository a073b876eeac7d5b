"""How an address is written, so that equal ones are written alike."""

import ipaddress


def canonical(host: str) -> str:
    """Write an IP literal in its shortest form; anything else stays as it is."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def address(host: str, port: int) -> str:
    """Join a host and a port as `host:port`, with the host in brackets when it is an IPv6 literal."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
