"""Makes .venv from requirements.lock. Owns nothing else; needs only a Python of 3.11 or newer with venv.

Run by make when the lock has changed. Ends with 64 and one line when something is missing.
"""

import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "bin")
OWNERS = ("opentelemetry-proto", "googleapis-common-protos")
PACKAGES = ("mesh", os.path.join("kits", "python"), os.path.join("gen", "python"))


def main():
    """Make the environment, or say in one line why that is not possible."""
    if sys.version_info < (3, 11):
        found = "%d.%d at %s" % (sys.version_info[0], sys.version_info[1], sys.executable)
        fail("Python 3.11 or newer is needed, found %s; name a newer one: make up PYTHON=python3.12" % found)
    started = time.time()
    print("python   making .venv: 80 packages from requirements.lock, about 80 MB ...", flush=True)
    has_python = os.path.exists(os.path.join(BIN, "python"))  # not when the Python it leads to was upgraded away
    if not has_python or not os.path.exists(os.path.join(BIN, "pip")):
        clear = [] if has_python else ["--clear"]  # cleared only then: a running stack lives in it
        run(
            [sys.executable, "-m", "venv", *clear, VENV],
            "python3 has no working venv; on Debian: apt-get install python3-venv",
        )
    with open(os.path.join(ROOT, "requirements.lock")) as lock:
        uv = next(line.split(" ")[0] for line in lock if line.startswith("uv=="))
    network = "the packages could not be had; is the network up, or a proxy or package index to be set for pip?"
    run([os.path.join(BIN, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", uv], network)
    install = [os.path.join(BIN, "uv"), "pip", "install", "--quiet", "--python", os.path.join(BIN, "python")]
    install += ["--compile-bytecode"]
    locked = install + ["--require-hashes", "-r", os.path.join(ROOT, "requirements.lock")]
    run(locked, network)
    # xds-protos carries older copies of modules that these own, and whichever is written last is there.
    run(locked + [word for owner in OWNERS for word in ("--reinstall-package", owner)], network)
    editable = [part for package in PACKAGES for part in ("-e", os.path.join(ROOT, package))]
    run(install + ["--no-deps", "--offline"] + editable, "the project's own packages could not be installed")
    print("python   .venv is ready after %.0f s" % (time.time() - started), flush=True)


def run(command, hint):
    """Run a command; when it fails, end with its output and the hint."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    except OSError as error:
        fail("%s (failed: %s)" % (hint, error))
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        fail("%s (failed: %s)" % (hint, " ".join(command[:4])))


def fail(message):
    """End with one line and the exit status of a configuration error."""
    sys.stderr.write("bootstrap: %s\n" % message)
    sys.exit(64)


if __name__ == "__main__":
    main()
