"""How an address is written."""


def address(host: str, port: int) -> str:
    """Join a host and a port as `host:port`, with the host in brackets when it is an IPv6 literal."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
