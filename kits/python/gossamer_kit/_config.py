"""What a service is told by its environment. Only this file reads it; it checks everything and binds nothing."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gossamer_kit._errors import ConfigError

T = TypeVar("T")

_DURATION = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHORTEST, _LONGEST = 1e-9, 2**63 / 1e9  # as Go counts: nanoseconds in 64 bits
_MOST_MILLISECONDS = 2**31 - 1
_HOST_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]+)")
_MAX_PORT = 65535
_REQUIRED = ""  # a default that no variable that may be left out has


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a kit is told. Each field names its variable, its unit and its default."""

    service: str
    """GOSSAMER_SERVICE: the service's name; required."""
    instance: str
    """GOSSAMER_INSTANCE: this instance's id; default: the service's name and a random suffix."""
    version: str = "dev"
    """GOSSAMER_VERSION: label for splits and subsets."""
    zone: str = "local"
    """GOSSAMER_ZONE: locality."""
    listen: tuple[str, int] = ("127.0.0.1", 0)
    """GOSSAMER_LISTEN: host:port; port 0 lets the system choose."""
    advertise: str = "127.0.0.1"
    """GOSSAMER_ADVERTISE: the address others reach it by; default: the listen host, or the first no loopback."""
    deadline: float = 5.0
    """GOSSAMER_DEADLINE: seconds that outgoing calls get which set none."""
    drain: float = 20.0
    """GOSSAMER_DRAIN: most seconds for a drain."""
    static: Mapping[str, tuple[str, ...]] | None = None
    """GOSSAMER_DISCOVERY: addresses by service for `static:...`; None follows the control plane by xDS."""
    bootstrap: Mapping[str, Any] | None = field(default=None, repr=False)
    """GRPC_XDS_BOOTSTRAP or GRPC_XDS_BOOTSTRAP_CONFIG, which gRPC itself reads too."""
    control: str | None = None
    """host:port of the control plane, out of the bootstrap."""
    carries_retries: bool = False
    """Whether calls are tried again here: the bootstrap's node says so (metadata "gossamer.retries" = "kit"), so that
    gRPC itself is not told to."""
    consul: str | None = None
    """CONSUL_HTTP_ADDR as a URL; default http://127.0.0.1:8500, with static discovery none: it joins nothing."""
    consul_token: str | None = field(default=None, repr=False)
    """CONSUL_HTTP_TOKEN."""
    telemetry: str | None = None
    """OTEL_EXPORTER_OTLP_ENDPOINT as a URL; None exports nothing."""
    span_delay: float = 0.2
    """OTEL_BSP_SCHEDULE_DELAY (there in milliseconds): most seconds until a span is sent."""
    follow_sampling: bool = True
    """OTEL_TRACES_SAMPLER: whether what a caller says about keeping its trace is followed (`parentbased_...`)."""
    sampling_ratio: float = 1.0
    """OTEL_TRACES_SAMPLER and its _ARG: the share of traces that is kept of those that begin here."""
    metric_interval: float = 5.0
    """OTEL_METRIC_EXPORT_INTERVAL (there in milliseconds): seconds between two reports of the metrics."""
    database_url: str | None = field(default=None, repr=False)
    """DATABASE_URL, for services that have a database."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Config:
        """Read and check everything. Raises ConfigError, which names every bad variable at once."""
        return _Reader(os.environ if environment is None else environment).config()


class _Reader:
    """Reads variables one by one and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def config(self) -> Config:
        service = self._get("GOSSAMER_SERVICE", _service_name, _REQUIRED)
        listen = self._get("GOSSAMER_LISTEN", _listen, ("127.0.0.1", 0))
        static = self._get("GOSSAMER_DISCOVERY", _discovery, None)
        follow, ratio = self._sampling()
        bootstrap, control, carries_retries = (None, None, False) if static is not None else self._bootstrap()
        config = Config(
            service=service,
            instance=self._get("GOSSAMER_INSTANCE", _label, f"{service}-{secrets.token_hex(4)}"),
            version=self._get("GOSSAMER_VERSION", _label, "dev"),
            zone=self._get("GOSSAMER_ZONE", _label, "local"),
            listen=listen,
            advertise=self._get("GOSSAMER_ADVERTISE", _address, _reachable(listen[0])),
            deadline=self._get("GOSSAMER_DEADLINE", _duration, 5.0),
            drain=self._get("GOSSAMER_DRAIN", _duration, 20.0),
            static=static,
            bootstrap=bootstrap,
            control=control,
            carries_retries=carries_retries,
            consul=self._get("CONSUL_HTTP_ADDR", _url, "http://127.0.0.1:8500" if static is None else None),
            consul_token=self._environment.get("CONSUL_HTTP_TOKEN"),
            telemetry=self._get("OTEL_EXPORTER_OTLP_ENDPOINT", _url, None),
            span_delay=self._get("OTEL_BSP_SCHEDULE_DELAY", _milliseconds, 0.2),
            follow_sampling=follow,
            sampling_ratio=ratio,
            metric_interval=self._get("OTEL_METRIC_EXPORT_INTERVAL", _milliseconds, 5.0),
            database_url=self._environment.get("DATABASE_URL"),
        )
        if self._problems:
            raise ConfigError(self._problems)
        return config

    def _get(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self._environment.get(name, "")
        if not text and default is not _REQUIRED:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._problems.append(f"{name}: {error}, found {text!r}")
            return default

    def _sampling(self) -> tuple[bool, float]:
        """Read the standard sampler: whether callers are followed, and the share that is kept of what begins here."""
        sampler = self._get("OTEL_TRACES_SAMPLER", _sampler, "parentbased_always_on")
        share = self._get("OTEL_TRACES_SAMPLER_ARG", _share, 1.0) if sampler.endswith("traceidratio") else 1.0
        return sampler.startswith("parentbased_"), 0.0 if sampler.endswith("always_off") else share

    def _bootstrap(self) -> tuple[Mapping[str, Any] | None, str | None, bool]:
        """Read the bootstrap where gRPC itself does; in it, where the control plane is, and who is told of retries.

        A file wins over text (gRFC A27).
        """
        name = "GRPC_XDS_BOOTSTRAP" if self._environment.get("GRPC_XDS_BOOTSTRAP") else "GRPC_XDS_BOOTSTRAP_CONFIG"
        text = self._environment.get(name)
        if not text:
            self._problems.append(
                "GRPC_XDS_BOOTSTRAP_CONFIG: expected gRPC's xDS bootstrap, found nothing; "
                "set it, or set GOSSAMER_DISCOVERY=static:... to do without a control plane"
            )
            return None, None, False
        try:
            bootstrap = json.loads(Path(text).read_text() if name == "GRPC_XDS_BOOTSTRAP" else text)
            control = str(bootstrap["xds_servers"][0]["server_uri"]).removeprefix("http://")
            return bootstrap, control, bootstrap.get("node", {}).get("metadata", {}).get("gossamer.retries") == "kit"
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            self._problems.append(f"{name}: expected JSON with xds_servers[0].server_uri, found {text!r} ({error})")
            return None, None, False


def _service_name(text: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("expected a name of lower-case letters, digits and dashes, such as catalog")
    return text


def _label(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text):
        raise ValueError("expected letters, digits, dots, dashes and underscores")
    return text


def _duration(text: str) -> float:
    """Parse a positive duration as Go writes it, e.g. 5s, 500ms, 1m30s."""
    parts = _DURATION.findall(text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not _SHORTEST <= seconds < _LONGEST:
        raise ValueError("expected a time above zero with its unit, such as 5s or 500ms")
    return seconds


def _milliseconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+", text) or not 0 < int(text) <= _MOST_MILLISECONDS:
        raise ValueError("expected a whole number of milliseconds above zero, such as 200")
    return int(text) / 1000


def _sampler(text: str) -> str:
    if text.removeprefix("parentbased_") not in {"always_on", "always_off", "traceidratio"}:
        raise ValueError("expected always_on, always_off or traceidratio, or one of these after parentbased_")
    return text


def _share(text: str) -> float:
    if not re.fullmatch(r"[0-9]*\.?[0-9]+", text) or float(text) > 1:
        raise ValueError("expected a share from 0 to 1, such as 0.01")
    return float(text)


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.is_unspecified:
        raise ValueError("expected an IP address that others can reach, without a port, such as 10.0.0.7")
    return str(address)


def _host_port(text: str) -> tuple[str, int]:
    found = _HOST_PORT.fullmatch(text)
    if found is None or int(found[3]) > _MAX_PORT:
        raise ValueError("expected host:port")
    return found[1] or found[2], int(found[3])


def _listen(text: str) -> tuple[str, int]:
    try:
        host, port = _host_port(text)
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), port
    except ValueError:
        raise ValueError("expected host:port with an IP address, such as 127.0.0.1:0") from None


def _discovery(text: str) -> Mapping[str, tuple[str, ...]] | None:
    if text == "xds":
        return None
    kind, colon, pairs = text.partition(":")
    problem = "expected xds or static:service=host:port,..."
    if kind + colon != "static:":
        raise ValueError(problem)
    found: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, pairs.split(",")):
        service, _, address = pair.partition("=")
        try:
            _service_name(service)
            _, port = _host_port(address)
        except ValueError:
            raise ValueError(problem) from None
        if port == 0:
            raise ValueError(problem)
        found[service] = (*found.get(service, ()), address)
    return found


def _url(text: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # the port is no number
        good = False
    if not good:
        raise ValueError("expected an address such as http://127.0.0.1:8500")
    return url


def _reachable(host: str) -> str:
    """Find an address that others reach a listener by: its own, or for "all" the first that is no loopback."""
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # connecting a datagram socket sends nothing
        try:
            probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
