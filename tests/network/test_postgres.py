"""The stack's PostgreSQL, started for real: it keeps what it was given, keeps services apart, and comes back."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from harness.postgres import PostgresServer, running_postgres

from gossamer_mesh.local import postgres as module
from gossamer_mesh.local.postgres import Account, Postgres, PostgresError, choose_account, find_programs, reachable

ROOT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def shared() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def server(shared: PostgresServer) -> Iterator[PostgresServer]:
    """One that a test may end; the next test finds it running."""
    yield shared
    if not shared.running:
        shared.start()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="gossamer-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def query(url: str, *statements: str) -> list[object]:
    async def run() -> list[object]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return [await connection.fetchval(statement) for statement in statements]
        finally:
            await connection.close()

    return asyncio.run(run())


def test_what_was_answered_survives_kill_9(server: PostgresServer) -> None:
    url = server.database("kept")
    query(url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
    server.kill()
    server.start()
    assert query(url, "SELECT n FROM kept") == [7]


def test_no_setting_gives_up_safety_for_speed(server: PostgresServer) -> None:
    url = server.database("kept")
    assert query(url, "SHOW fsync", "SHOW full_page_writes", "SHOW synchronous_commit") == ["on", "on", "on"]


def test_a_service_cannot_enter_the_database_of_another(server: PostgresServer) -> None:
    """Its own is the control: it can create and read a table there."""
    one, two = server.database("one"), server.database("two")
    assert query(one, "CREATE TABLE IF NOT EXISTS mine (n int)", "SELECT count(*) FROM mine") == [None, 0]
    for other in (two.rpartition("/")[2], "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
            query(one.rpartition("/")[0] + f"/{other}", "SELECT 1")


def test_a_service_has_no_rights_over_the_whole(server: PostgresServer) -> None:
    url = server.database("one")
    rights = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert query(url, f"SELECT {rights} FROM pg_roles WHERE rolname = current_user") == [False]


def test_a_database_needs_its_password(server: PostgresServer) -> None:
    url, other = server.database("one"), server.database("two")
    password = url.split(":")[2].split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        query(other.replace(other.split(":")[2].split("@")[0], password), "SELECT 1")


def test_asking_for_a_database_again_changes_nothing(server: PostgresServer) -> None:
    url = server.database("again")
    query(url, "CREATE TABLE stays (n int)")
    assert server.database("again") == url
    assert query(url, "SELECT count(*) FROM stays") == [0]


def test_databases_can_be_asked_for_at_once(server: PostgresServer) -> None:
    async def ask() -> list[str]:
        return await asyncio.gather(*(server.postgres.ensure_database(f"side-{n}") for n in range(4)))

    assert [query(url, "SELECT current_database()") for url in asyncio.run(ask())] == [[f"side-{n}"] for n in range(4)]


@pytest.mark.parametrize("name", ["", "postgres", "Orders", 'a"; DROP DATABASE kept', "1st"])
def test_a_database_for_what_is_no_service_is_refused(server: PostgresServer, name: str) -> None:
    with pytest.raises(PostgresError, match="expected the name of a service"):
        server.database(name)


def test_passwords_are_readable_by_their_owner_only(server: PostgresServer) -> None:
    server.database("one")
    passwords = server.postgres.state / "passwords"
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in passwords.iterdir()} == {0o600}


def test_it_listens_on_loopback_only(server: PostgresServer) -> None:
    assert server.process
    listening = [c for c in server.process.net_connections("all") if c.status == psutil.CONN_LISTEN or not c.raddr]
    assert [connection.laddr for connection in listening] == [("127.0.0.1", server.postgres.port)]


def test_it_starts_although_the_process_id_in_its_lock_is_somebody_elses_now(server: PostgresServer) -> None:
    """Without `prepare` it would not: the control."""
    server.kill()
    account, options = server.postgres.account, server.postgres.process_options
    stranger = subprocess.Popen(["sleep", "100"], **({"user": account.uid, "group": account.gid} if account else {}))
    try:
        lock = server.postgres.data / "postmaster.pid"
        lock.write_text(f"{stranger.pid}\n{server.postgres.data}\n0\n{server.postgres.port}\n\n127.0.0.1\n")
        control = subprocess.run(server.postgres.command, check=False, capture_output=True, timeout=30, **options)
        assert b'lock file "postmaster.pid" already exists' in control.stderr
        server.start()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_start_on_the_same_data_is_refused(server: PostgresServer) -> None:
    second = Postgres(state=server.postgres.state, port=1)
    with pytest.raises(PostgresError, match=r"another PostgreSQL \(process \d+\) runs on"):
        asyncio.run(second.prepare())


def test_data_of_another_version_is_refused(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(PostgresError, match="was made by PostgreSQL 15, expected 18"):
        asyncio.run(Postgres(state=folder, port=1).prepare())


def test_a_folder_that_holds_something_else_is_refused(folder: Path) -> None:
    (folder / "data").mkdir()
    with pytest.raises(PostgresError, match="is no PostgreSQL data folder"):
        asyncio.run(Postgres(state=folder, port=1).prepare())


def test_a_first_start_that_was_killed_half_way_is_begun_again(folder: Path) -> None:
    (folder / "data-unfinished").mkdir()
    postgres = Postgres(state=folder, port=1)
    asyncio.run(postgres.prepare())
    assert (postgres.data / "PG_VERSION").read_text() == "18\n"
    assert not (folder / "data-unfinished").exists()


def test_programs_of_another_version_are_refused(folder: Path) -> None:
    with pytest.raises(PostgresError, match=f"expected the programs of PostgreSQL 18 in {folder}, found none"):
        asyncio.run(find_programs(folder))


@needs_root
def test_below_a_closed_folder_data_and_programs_go_where_postgres_can_reach_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARED", folder / "shared")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    brought = asyncio.run(find_programs()).parents[1]
    for part in brought.parent.glob(f"{brought.name}*"):
        shutil.copytree(part, closed / part.name, symlinks=True)
    server = PostgresServer(closed)
    programs = closed / brought.name / "pginstall18" / "bin"
    server.postgres = Postgres(state=closed / "state", port=server.postgres.port, programs=programs)
    server.start()
    try:
        assert query(server.database("orders"), "SELECT 1") == [1]
        program = next(word for word in server.postgres.command if word.endswith("/bin/postgres"))
        assert Path(program).is_relative_to(folder / "shared")
        assert server.postgres.data.resolve().parent == folder / "shared"
    finally:
        server.kill()
    server.postgres.erase()
    assert list((folder / "shared").glob("data-*")) == []


@needs_root
def test_it_runs_as_the_owner_of_its_data(folder: Path) -> None:
    os.chown(folder, 12345, 23456)
    assert choose_account(folder) == Account(12345, 23456)


@pytest.mark.parametrize(("mode", "expected"), [(0o755, True), (0o711, True), (0o700, False), (0o750, False)])
def test_a_folder_is_reachable_when_everything_above_it_is(folder: Path, mode: int, expected: bool) -> None:
    inside = folder / "above" / "inside"
    inside.mkdir(parents=True)
    inside.parent.chmod(mode)
    assert reachable(inside, Account(54321, 54321)) is expected


@needs_root
def test_it_works_for_a_user_who_is_not_root(folder: Path) -> None:
    """As `nobody`, who may read everything here, because Python itself may lie in a closed folder."""
    os.chown(folder, 65534, 65534)
    script = folder / "script.py"
    script.write_text(
        textwrap.dedent("""
            import os, sys
            from pathlib import Path
            from harness.postgres import PostgresServer
            state = Path(sys.argv[1])
            state.mkdir()
            server = PostgresServer(state)
            server.start()
            server.kill()
            server.start()
            print(os.geteuid(), server.database("orders").partition(":")[0], server.postgres.account)
            server.stop()
        """)
    )
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    command += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search", "--"]
    if not shutil.which("setpriv") or subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs setpriv (util-linux) and the capability dac_read_search")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "mesh")])}
    result = subprocess.run(
        [*command, sys.executable, script, folder / "state"],
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout == "65534 postgresql None\n", result.stderr
