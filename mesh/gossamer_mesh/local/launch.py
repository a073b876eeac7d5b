"""The commands and environments of everything a stack runs. Pure: values in, values out."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gossamer_mesh.local.leftovers import MARK

HOST = "127.0.0.1"
NODE = "gossamer"
# Set by the stack for each process; what the person's own shell holds of them must not leak in.
OWN = (
    "GOSSAMER_",
    "GRPC_XDS_BOOTSTRAP",
    "CONSUL_",
    "OTEL_EXPORTER_OTLP_",
    "DATABASE_URL",
    "VALKEY_URL",
    "PG",
    "PYTHONPATH",
)


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the parts of a stack listen; host:port, Consul's as a URL."""

    consul: str
    control: str
    otlp_grpc: str
    otlp_http: str
    jaeger: str


def plain(state: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment that every process of a stack starts from: the person's own, and the stack's mark."""
    environment = os.environ if environment is None else environment
    kept = {key: value for key, value in environment.items() if not key.startswith(OWN)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a start that compiles every module again takes seconds
    # Nothing of a mesh on one machine goes through a proxy.
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        "no_proxy": ",".join(filter(None, (kept.get("no_proxy"), "127.0.0.1,localhost"))),
        MARK: str(state),
    }


def consul(program: Path, root: Path, data: Path, ports: Mapping[str, int]) -> list[str]:
    """Give the command of a Consul server; ports holds http, server and serf."""
    return [
        str(program),
        "agent",
        f"-config-file={root / 'consul' / 'agent.hcl'}",
        f"-data-dir={data}",
        f"-node={NODE}",
        f"-http-port={ports['http']}",
        f"-server-port={ports['server']}",
        f"-serf-lan-port={ports['serf']}",
        "-serf-wan-port=-1",
        "-dns-port=-1",
        "-grpc-port=-1",
        "-grpc-tls-port=-1",
    ]


def control(root_image: Path, consul_program: Path, addresses: Addresses) -> list[str]:
    """Give the command of the control plane; the program need not be there yet."""
    return [
        *(sys.executable, "-m", "gossamer_mesh.control"),
        *("--listen", addresses.control),
        *("--consul", addresses.consul),
        *("--contracts", str(root_image)),
        *("--consul-program", str(consul_program)),
        *("--otlp", f"http://{addresses.otlp_grpc}"),
    ]


def collector(store: Path, addresses: Addresses) -> list[str]:
    """Give the command of the collector."""
    return [
        *(sys.executable, "-m", "gossamer_mesh.collect"),
        *("--grpc", addresses.otlp_grpc),
        *("--http", addresses.otlp_http),
        *("--query", addresses.jaeger),
        *("--store", str(store)),
    ]


def bootstrap(stack: str, service: str, instance: str, zone: str, control_address: str, *, by_kit: bool = False) -> str:
    """Give the xDS bootstrap of a client, as JSON; `by_kit`: its kit tries calls again where a library can't."""
    node = {"id": f"{stack}/{service}/{instance}", "cluster": service, "locality": {"zone": zone}}
    if by_kit:
        node["metadata"] = {"gossamer.retries": "kit"}
    return json.dumps(
        {
            "xds_servers": [
                {
                    "server_uri": control_address,
                    "channel_creds": [{"type": "insecure"}],
                    "server_features": ["xds_v3", "ignore_resource_deletion"],
                }
            ],
            "node": node,
        }
    )


def instance(
    stack: str, service: str, name: str, listen: str, addresses: Addresses, *, by_kit: bool, version: str = ""
) -> dict[str, str]:
    """Give what an instance's environment holds beyond the plain one; `by_kit` as for its bootstrap.

    Without a version of its own, it has that of the stack.
    """
    zone = os.environ.get("GOSSAMER_ZONE", "local")
    return {
        "GOSSAMER_SERVICE": service,
        "GOSSAMER_INSTANCE": name,
        "GOSSAMER_VERSION": version or os.environ.get("GOSSAMER_VERSION", "dev"),
        "GOSSAMER_ZONE": zone,
        "GOSSAMER_LISTEN": listen,
        "CONSUL_HTTP_ADDR": addresses.consul,
        "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap(stack, service, name, zone, addresses.control, by_kit=by_kit),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{addresses.otlp_grpc}",
    }
