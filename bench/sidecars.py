"""One unary call: direct, by Gossamer, and through the Envoy sidecars of Consul's own mesh, in Python and in Go.

A caller and a called service of a language, in processes of their own, as they are started on any machine; real Consul,
real control plane. Both meshes read one registration in one Consul, and one called process answers on all ways:

    direct            the gRPC library at a fixed address
    Gossamer          the same library, no kit, at xds:///name: what the mesh itself costs
    sidecars, mTLS    the same library, through two Envoys, as `consul connect envoy` starts and Consul configures them
    sidecars, plain   the same two Envoys again, without TLS
    kits, direct      both sides with the kit, at a fixed address
    kits, Gossamer    both sides with the kit: what users get. Kits trace every call, count it and check its fields,
                      which nothing does on the first four ways; so they are compared with kits, direct

Consul has no plaintext mesh: it puts TLS into every sidecar. The plain ones are therefore Consul's own configuration,
read from the two running Envoys and served to two more from a file, without transport sockets and nothing else changed.
Services are declared as grpc (`proxy-defaults`), as Consul asks for gRPC: else Envoy would balance connections, not
calls. Neither mesh has any policy. Gossamer is plaintext, so that plain is what it is compared with at equal terms;
mTLS is what an owner of Consul's mesh has.

Serial means that a call begins when the last one has ended: latency alone, with nothing to wait for. At 64 at once,
a closed loop of 64, few cores are busy all the time: calls a second and latency both say how much work a call is.
Ways take turns in every round, beginning with another one each time; ratios are made within a round. Processor time is
user and system time of caller, called and Envoys. Memory (PSS) is what caller, called and Envoys hold more than on the
direct way, after the load and when the plain Envoys have ended, as all Envoys share the pages of their program. Neither
holds Consul and the control plane, which are there once for all services and have figures of their own.

    python bench/sidecars.py [--language go] [--seconds 1.5] [--rounds 12]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import statistics
import sys
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import figures
import ways
from ways import DIRECT, KITS_DIRECT, KITS_MESH, LOADS, MESH, MTLS, PLAIN, Way

from gossamer_mesh.local.memory import held

LANGUAGES = ("go", "python")
NEAR = {"max": 1.05}
FASTER = {"min": 1.8}
RATIOS = (
    (MESH, DIRECT, NEAR, "the same library at a fixed address"),
    (KITS_MESH, KITS_DIRECT, NEAR, "the same kits at a fixed address"),
    (KITS_MESH, DIRECT, None, "what traces and metrics of two kits cost is in it"),
    (PLAIN, MESH, FASTER, "Gossamer; equal terms, as both are plaintext"),
    (MTLS, MESH, FASTER, "Gossamer, which is plaintext; TLS is in it"),
    (PLAIN, KITS_MESH, None, "Gossamer with traces and metrics of two kits, which sidecars are spared here"),
    (MTLS, KITS_MESH, None, "Gossamer with traces and metrics of two kits, which sidecars are spared here"),
)
"""What is divided by what, what is aimed at, and what the latter is."""
FEWEST_ROUNDS = 7
SPREAD = 0.02
"""Rounds go on until the middle half of the ratios with an aim is within this of their median."""
UNITS = {"median": "ms", "p99": "ms", "calls a second": "calls/s", "processor time of 1,000 calls": "ms"}
ADDS = {MESH: DIRECT, MTLS: DIRECT, KITS_MESH: KITS_DIRECT}
"""What is weighed against what; the plaintext twins are none that anybody would have."""
WEIGHED = {*ADDS, *ADDS.values()}


async def compare(mesh: ways.Mesh, language: str, seconds: float, rounds: int) -> dict[str, Way]:
    """Measure all ways of a language in turn."""
    async with contextlib.AsyncExitStack() as stack:
        twins = await stack.enter_async_context(contextlib.AsyncExitStack())
        by_name = await ways.open_ways(mesh, language, stack, twins)
        found = list(by_name.values())
        for done in range(1, rounds + 1):
            for load in LOADS:
                for number in range(len(found)):
                    await found[(done + number) % len(found)].measure(load, seconds)
            if done >= FEWEST_ROUNDS and settled(by_name):
                break
        await twins.aclose()  # before memory is looked at, since all Envoys share the pages of their program
        for each in WEIGHED:
            by_name[each].weigh()
        return by_name


def settled(by_name: Mapping[str, Way]) -> bool:
    """Tell whether the middle half of each ratio with an aim is near its median."""
    for load in LOADS:
        for one, other, aim, _ in RATIOS:
            low, middle, high = statistics.quantiles(ratios(by_name, load, one, other), n=4, method="inclusive")
            if aim and max(high - middle, middle - low) / middle > SPREAD:
                return False
    return True


def ratios(by_name: Mapping[str, Way], load: str, one: str, other: str) -> list[float]:
    """Divide the medians of one way by those of another, round by round."""
    values = by_name[one].values(load, "median"), by_name[other].values(load, "median")
    return [each / divisor for each, divisor in zip(*values, strict=True)]


def shown(languages: Mapping[str, Mapping[str, Way]]) -> list[figures.Figure]:
    """Make the figures of all languages."""
    return [*beside_each_other(languages), *added(languages), *compared(languages)]


def compared(languages: Mapping[str, Mapping[str, Way]]) -> list[figures.Figure]:
    """Make the ratios."""
    return [
        figures.Figure(
            figure=f"{language.title()}, {load}, median latency: {one} / {other}",
            values=ratios(by_name, load, one, other),
            unit="ratio",
            against=against,
            aim=aim,
        )
        for language, by_name in languages.items()
        for load in LOADS
        for one, other, aim, against in RATIOS
    ]


def beside_each_other(languages: Mapping[str, Mapping[str, Way]]) -> list[figures.Figure]:
    """Make what every way has."""
    return [
        figures.Figure(
            figure=f"{language.title()}, {load}: {what}",
            side=each.name,
            values=each.values(load, what),
            unit=unit,
            against="the other ways",
        )
        for load in LOADS
        for what, unit in UNITS.items()
        for language, by_name in languages.items()
        for each in by_name.values()
    ]


def added(languages: Mapping[str, Mapping[str, Way]]) -> list[figures.Figure]:
    """Make what a way adds."""
    megabytes = [
        figures.Figure(
            figure=f"{language.title()}: memory added for both",
            side=name,
            values=[by_name[name].megabytes - by_name[other].megabytes],
            unit="MB",
            against=other,
        )
        for language, by_name in languages.items()
        for name, other in ADDS.items()
    ]
    processes = [
        figures.Figure(
            figure=f"{language.title()}: processes added for each service by Gossamer",
            values=[len(by_name[MESH].added) / 2],
            unit="each",
            against=f"{len(by_name[MTLS].added) / 2:g} by sidecars",
            aim={"max": 0.0},
        )
        for language, by_name in languages.items()
    ]
    return [*megabytes, *processes]


async def measure(
    folder: Path, program: Path, languages: Sequence[str], seconds: float, rounds: int
) -> list[figures.Figure]:
    """Measure one language after the other."""
    async with ways.shared(folder, program) as mesh:
        found = shown({name: await compare(mesh, name, seconds, rounds) for name in languages})
        once = {"Consul, which both meshes need": mesh.consul.pid, "Gossamer's control plane": mesh.control.pid}
        against = "nothing; once for all services"
        for name, pid in once.items():
            megabytes = held(pid) / ways.MEGABYTE
            found.append(figures.Figure(figure=f"memory of {name}", values=[megabytes], unit="MB", against=against))
        return found


async def until_told(work: Coroutine[Any, Any, list[figures.Figure]]) -> list[figures.Figure]:
    """Run work; the first signal to end cancels it, so that all it started ends first."""
    task = asyncio.ensure_future(work)

    def told() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told)
    return await task


def main() -> int:
    """Measure the languages that are named, else all; only then is the result kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", choices=LANGUAGES, help="only this one")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each way is called at a time")
    parser.add_argument("--rounds", type=int, default=12, help="at most so many")
    asked = parser.parse_args()
    languages = [asked.language] if asked.language else LANGUAGES
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # end as by Ctrl-C, so that what was started ends too
    with tempfile.TemporaryDirectory() as folder:
        program = ways.build(Path(folder))
        try:
            found = asyncio.run(until_told(measure(Path(folder), program, languages, asked.seconds, asked.rounds)))
        except asyncio.CancelledError:
            return 130
    figures.show(found)
    if not asked.language and asked.seconds >= 1 and asked.rounds >= FEWEST_ROUNDS:
        figures.write("sidecars", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
