"""Builds a Maven module of the workspace, and writes the program that starts it.

    build.py services/inventory dev.gossamer.inventory.Main .gossamer/bin/inventory

The program runs copies of what was built: Java reads its archives as it goes, and a build must not change them under an
instance that runs. Beside them lies an archive of their classes as Java needs them in memory, which halves the time
of a start. All are kept by the content of the sources, so that a stack beside another one waits for no Maven. Maven is
asked without the network first, which spares it seconds.
"""

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from gossamer_mesh.local.build import fingerprint

ROOT = Path(__file__).parents[2]
COPIES = ROOT / "kits/java/target/copies"
SOURCES = (
    "kits/java/parent/pom.xml",
    "kits/java/build.py",
    "kits/java/pom.xml",
    "kits/java/src/main/**/*",
    "kits/java/contracts/pom.xml",
    "protos/gossamer/mesh/**/*.proto",
    "{module}/pom.xml",
    "{module}/src/main/**/*",
)
FLAGS = (
    "-XX:+UseSerialGC",  # and one compiler: services are small, start often, and share the processors with others
    "-XX:TieredStopAtLevel=1",
    "-Xss512k",
    "-Xmx256m",
    "-Xlog:disable",  # standard output is for the announcement
    "-Xlog:all=error:stderr",
)
REHEARSAL = {
    "GOSSAMER_SERVICE": "rehearsal",
    "GOSSAMER_LISTEN": "127.0.0.1:0",
    "GRPC_XDS_BOOTSTRAP": "",
    "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(
        {
            "xds_servers": [{"server_uri": "127.0.0.1:1", "channel_creds": [{"type": "insecure"}]}],
            "node": {"id": "rehearsal"},
        }
    ),
    "GOSSAMER_DISCOVERY": "xds",
    "CONSUL_HTTP_ADDR": "127.0.0.1:1",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
}
REHEARSAL_S = 30
KEPT = 4
"""Copies of a program that stay: what runs may be of those before."""


def main(module: str, main_class: str, output: str) -> int:
    """Build, copy, and write the program; gives the exit status."""
    with (ROOT / "kits/java/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several services are built at once, and share modules
        contracts = re.findall("<include>(.*[.]proto)</include>", (ROOT / module / "pom.xml").read_text())
        patterns = [*SOURCES, *(f"protos/{contract}" for contract in contracts)]
        sources = fingerprint(ROOT, [pattern.format(module=module) for pattern in patterns])
        place = COPIES / main_class / sources[:16]
        if not is_whole(place):
            if status := build(module):
                return status
            copy(ROOT / module / "target", place)
            rehearse([*words(place), main_class], place)
        place.touch()
        for old in sorted(place.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    target = Path(output).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    command = ["java", *FLAGS, f"-XX:SharedArchiveFile={place / 'classes.jsa'}", *words(place), main_class]
    part.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    part.chmod(0o755)
    part.replace(target)
    return 0


def build(module: str) -> int:
    """Have Maven build a module and what it needs."""
    command = ["mvn", "--quiet", "--batch-mode", "--also-make", "--projects", module, "-Dmaven.test.skip", "package"]
    offline = subprocess.run([*command, "--offline"], cwd=ROOT, capture_output=True, check=False)
    return offline.returncode and subprocess.run(command, cwd=ROOT, check=False).returncode


def copy(built: Path, place: Path) -> None:
    """Copy the archives that are made here, and note where all are."""
    shutil.rmtree(place, ignore_errors=True)
    part = place.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    classpath = []
    for jar in [next(built.glob("*.jar")), *map(Path, (built / "classpath").read_text().split(os.pathsep))]:
        ours = jar.is_relative_to(ROOT)
        classpath.append(str(place / jar.name if ours else jar))
        if ours:
            shutil.copy2(jar, part)
    (part / "classpath").write_text(os.pathsep.join(classpath))
    part.rename(place)


def is_whole(place: Path) -> bool:
    """Tell whether all is there that a program runs, that of Maven's own repository included."""
    noted = place / "classpath"
    return noted.exists() and all(Path(jar).exists() for jar in noted.read_text().split(os.pathsep))


def words(place: Path) -> list[str]:
    """Say to Java where the classes are."""
    return ["-cp", (place / "classpath").read_text()]


def rehearse(run: list[str], place: Path) -> None:
    """Start the program alone, and end it, upon which it leaves an archive of the classes that it loaded.

    One that can't run alone leaves that of fewer classes.
    """
    part = place / "classes.part"
    command = ["java", *FLAGS, "-Dgossamer.rehearsal=true", f"-XX:ArchiveClassesAtExit={part}", *run]
    environment = {**os.environ, **REHEARSAL}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        limit = threading.Timer(REHEARSAL_S, program.kill)
        limit.start()
        if program.stdout and program.stdout.readline():  # its announcement, by when it has called itself
            program.terminate()
        program.wait()
        limit.cancel()
    if part.exists() and program.returncode >= 0:
        part.rename(place / "classes.jsa")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
