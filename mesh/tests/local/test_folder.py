"""The state folder: nothing but a stack's own is ever written to or removed."""

from pathlib import Path

import pytest

from gossamer_mesh.errors import Problem
from gossamer_mesh.local.folder import LONGEST_SOCKET, StateFolder


def test_a_folder_with_files_of_others_is_neither_used_nor_erased(tmp_path: Path) -> None:
    (tmp_path / "consul").mkdir()
    folder = StateFolder(tmp_path)
    for act in (folder.make, folder.erase):
        with pytest.raises(Problem, match="holds files that are none of a stack's"):
            act()
    assert (tmp_path / "consul").is_dir()


def test_an_empty_folder_is_used_and_erased(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.path.mkdir()
    folder.make()
    folder.make()
    folder.erase()
    assert not folder.path.exists()


def test_erasing_leaves_what_others_put_into_a_state_folder(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.make()
    (folder.path / "notes.txt").touch()
    folder.erase()
    assert [each.name for each in folder.path.iterdir()] == ["notes.txt"]


def test_the_socket_lies_in_the_state_folder_where_its_path_is_short_enough(tmp_path: Path) -> None:
    near, far = StateFolder(tmp_path / "s"), StateFolder(tmp_path / ("deep" * LONGEST_SOCKET)[:200])
    for folder in (near, far):
        folder.make()
        with folder.supervising() as socket:
            assert socket.is_relative_to(folder.path) is (folder is near)
            assert len(bytes(socket)) <= LONGEST_SOCKET
            assert socket.parent.stat().st_mode & 0o077 == 0
