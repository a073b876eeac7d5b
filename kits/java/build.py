"""Builds a Maven module of the workspace, and writes the program that starts it.

    build.py services/inventory dev.gossamer.inventory.Main .gossamer/bin/inventory

The program runs copies of what was built: Java reads its archives as it goes, and a build must not change them under an
instance that runs. Beside them lies an archive of their classes as Java needs them in memory, which halves the time
of a start. Maven is asked without the network first, which spares it seconds.
"""

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
KEPT = 2
"""Copies that stay: what runs may be of the one before."""


def main(module: str, main_class: str, output: str) -> int:
    """Build, copy, and write the program; gives the exit status."""
    target = Path(output).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (ROOT / "kits/java/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several services are built at once, and share modules
        if status := build(module):
            return status
        classpath = [Path(path) for path in (ROOT / module / "target/classpath").read_text().split(os.pathsep)]
        own = next((ROOT / module / "target").glob("*.jar"))
        place, copies = copied(target.with_name(f"{target.name}.jars"), [own, *classpath])
    run = ["-cp", os.pathsep.join(map(str, copies)), main_class]
    archive = place / "classes.jsa"
    if not archive.exists():
        rehearse(run, archive)
    words = ["exec", "java", *FLAGS, f"-XX:SharedArchiveFile={archive}", *run]
    part = target.with_name(f"{target.name}.part")
    part.write_text(f'#!/bin/sh\n{shlex.join(words)} "$@"\n')
    part.chmod(0o755)
    part.replace(target)
    return 0


def build(module: str) -> int:
    """Have Maven build a module and what it needs."""
    command = ["mvn", "--quiet", "--batch-mode", "--also-make", "--projects", module, "-Dmaven.test.skip", "package"]
    offline = subprocess.run([*command, "--offline"], cwd=ROOT, capture_output=True, check=False)
    return offline.returncode and subprocess.run(command, cwd=ROOT, check=False).returncode


def copied(folder: Path, jars: list[Path]) -> tuple[Path, list[Path]]:
    """Copy those that are made here; give the copies' folder, and where all are."""
    ours = [jar for jar in jars if jar.is_relative_to(ROOT)]
    content = [bytes(jar) if jar not in ours else jar.read_bytes() for jar in jars]
    place = folder / hashlib.sha256(b"".join(content)).hexdigest()[:16]
    if not place.is_dir():
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for jar in ours:
            shutil.copy2(jar, part)
        part.rename(place)
    place.touch()
    for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return place, [place / jar.name if jar in ours else jar for jar in jars]


def rehearse(run: list[str], archive: Path) -> None:
    """Start the program alone, and end it, upon which it leaves an archive of the classes that it loaded.

    One that can't run alone leaves that of fewer classes.
    """
    part = archive.with_suffix(".part")
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
        part.rename(archive)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
