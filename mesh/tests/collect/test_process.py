"""The collector's process ends when it can no longer store, and never because of its log."""

from pathlib import Path

import pytest

from gossamer_mesh.collect import __main__ as process
from gossamer_mesh.collect.intake import Intake


def test_a_writer_that_ends_ends_the_process_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Intake) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Intake, "_trim", fail)
    ports = [f"--{port}=127.0.0.1:0" for port in ("grpc", "http", "query")]
    assert process.main(["--store", str(tmp_path / "spans.db"), "--max-age=1s", *ports]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "the collector's writer failed, as its log says: start the collector again"


def test_a_line_that_cannot_be_written_is_lost_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, monkeypatch.context() as replaced:
        replaced.setattr("sys.stderr", full)
        process.log("error", "the disk is full")
