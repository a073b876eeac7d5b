"""The stack's Valkey, started for real: it keeps services apart, and what it was given."""

import signal
import stat

import pytest
from harness.valkey import ValkeyServer
from valkey.asyncio import Valkey as Connection
from valkey.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ResponseError

from gossamer_mesh.local.valkey import MEMORY_MB, Valkey, ValkeyUnusableError


@pytest.fixture
async def server(tmp_path):
    async with ValkeyServer(tmp_path) as server:
        yield server


async def ask(url, *command):
    async with Connection.from_url(url) as connection:
        return await connection.execute_command(*command)


async def test_a_service_has_its_own_keys_and_nobody_elses(server):
    ours, theirs = [await server.valkey.ensure_user(name) for name in ("behaviour", "other")]
    await ask(ours, "SET", "behaviour:a", "1")
    assert await ask(ours, "GET", "behaviour:a") == b"1"
    for command in (("GET", "behaviour:a"), ("SET", "behaviour:a", "2"), ("SUBSCRIBE", "behaviour:news")):
        with pytest.raises(NoPermissionError):
            await ask(theirs, *command)
    with pytest.raises(NoPermissionError):
        await ask(ours, "SET", "a", "1")


@pytest.mark.parametrize(
    "command", [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "maxmemory", "0"), ("ACL", "LIST"), ("SHUTDOWN",)]
)
async def test_a_service_can_not_do_what_concerns_all(server, command):
    with pytest.raises(NoPermissionError):
        await ask(await server.valkey.ensure_user("behaviour"), *command)


async def test_nobody_enters_without_a_password(server):
    with pytest.raises((AuthenticationError, ResponseError), match="Authentication required"):
        await ask(f"redis://127.0.0.1:{server.valkey.port}/0", "PING")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_what_was_answered_outlives_its_process_and_so_do_users(server, number):
    url = await server.valkey.ensure_user("behaviour")
    await ask(url, "SET", "behaviour:a", "1")
    await server.kill(number)
    await server.start()
    assert await ask(url, "GET", "behaviour:a") == b"1"
    assert await server.valkey.ensure_user("behaviour") == url


async def test_what_does_not_fit_is_refused_and_nothing_thrown_away(server):
    url = await server.valkey.ensure_user("behaviour")
    await ask(url, "SET", "behaviour:first", "1")
    with pytest.raises(OutOfMemoryError):
        await fill(url, 2 * MEMORY_MB)
    assert await ask(url, "GET", "behaviour:first") == b"1"


async def fill(url, megabytes):
    for number in range(megabytes):
        await ask(url, "SET", f"behaviour:{number}", "x" * 1_000_000)


async def test_passwords_are_for_the_stacks_user_only(server):
    await server.valkey.ensure_user("behaviour")
    assert stat.S_IMODE(server.valkey.state.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["", "Behaviour", "a b", "gossamer", "default", "a\n"])
async def test_what_is_no_services_name_is_refused(server, name):
    with pytest.raises(ValkeyUnusableError, match="expected the name of a service"):
        await server.valkey.ensure_user(name)


async def test_another_server_on_its_port_is_told(server, tmp_path):
    stranger = Valkey(state=tmp_path / "stranger", port=server.valkey.port)
    with pytest.raises(ValkeyUnusableError, match="another Valkey has"):
        await stranger.ready()
