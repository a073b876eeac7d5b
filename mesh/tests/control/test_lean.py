"""The control plane's memory is a part of every stack: what it must not import, and the surfaces of its rooms."""

import json
import subprocess
import sys

import pytest

import gossamer_mesh.consul
import gossamer_mesh.discovery
import gossamer_mesh.model
import gossamer_mesh.policy
import gossamer_mesh.xds


def test_it_imports_nothing_that_it_does_not_need():
    program = "import json, sys, gossamer_mesh.control.__main__; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60).stdout
    roots = {name.partition(".")[0] for name in json.loads(output)}
    assert not roots & {
        "typer",
        "rich",
        "opentelemetry",
        "protovalidate",
        "yaml",
        "asyncpg",
        "psutil",
        "gossamer_kit",
        "re2",
    }


@pytest.mark.parametrize(
    ("room", "names"),
    [
        (
            gossamer_mesh.model,
            [
                *("Abort", "Audience", "Balance", "Cluster", "Delay", "Endpoint", "Entries", "Fault", "Header"),
                *("HeaderIs", "Health", "Instance", "Match", "Mesh", "Outlier", "PathIs", "Plan", "Retry", "Route"),
                "RetryBudget",
                *("Service", "Share"),
            ],
        ),
        (gossamer_mesh.consul, ["ConsulSource"]),
        (gossamer_mesh.policy, ["Audiences", "Contracts", "ContractsError", "Planned", "Refusal", "Shape", "plan"]),
        (
            gossamer_mesh.discovery,
            [
                "Discovery",
                "FileSource",
                "Held",
                "Listener",
                "MemorySource",
                "SecondLook",
                "Snapshot",
                "Source",
                "SourceError",
            ],
        ),
        (
            gossamer_mesh.xds,
            [
                "AdsServer",
                "Dialect",
                "IllegalResourceError",
                "LoadReports",
                "ResourceSet",
                "Resources",
                "Session",
                "Signal",
                "Stream",
                "Type",
                "View",
            ],
        ),
    ],
)
def test_a_room_shows_these_names(room, names):
    assert sorted(room.__all__) == sorted(names)
    assert all(hasattr(room, name) for name in names)


def test_rooms_know_only_the_rooms_before_them():
    """consul -> model -> policy -> xds; model imports no room, policy only the model."""
    program = "import sys; import gossamer_mesh.{0}; print([m for m in sys.modules if m.startswith('gossamer_mesh.')])"
    for room, allowed in {"model": {"model"}, "policy": {"policy", "model"}, "xds": {"xds", "model"}}.items():
        command = [sys.executable, "-c", program.format(room)]
        output = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True).stdout
        assert {name.split(".")[1] for name in json.loads(output.replace("'", '"'))} == allowed
