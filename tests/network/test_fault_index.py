"""Consul's index goes backwards, as when a snapshot is restored: what is there then is followed, and every change.

Consul lets go of whoever waits when that happens. The control reads it through a proxy that hides both: whoever goes on
waiting behind the old index does not hear of what is below it.
"""

import asyncio
import contextlib
import time

import aiohttp
import pytest
from aiohttp import web
from harness.client import Client
from harness.control import ControlPlane
from harness.instance import Instance
from harness.running import failures, running, splitter, subsets

from gossamer_mesh.local.parts import have


class Hiding:
    """A proxy in front of a Consul that answers when there is a higher index than before, and not earlier."""

    def __init__(self, consul):
        self._consul = consul
        self._highest = {}

    async def __aenter__(self):
        async with contextlib.AsyncExitStack() as stack:
            self._session = await stack.enter_async_context(aiohttp.ClientSession(self._consul))
            application = web.Application()
            application.router.add_get("/{path:.*}", self._forward)
            runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    async def _forward(self, request):
        until = time.monotonic() + float(request.query.get("wait", "0s").removesuffix("s"))
        status, body, index = await self._ask(request)
        while str(index) == request.query.get("index") and time.monotonic() < until:
            status, body, index = await self._ask(request)
        return web.Response(status=status, body=body, headers={"X-Consul-Index": str(index)})

    async def _ask(self, request):
        async with self._session.get(request.path_qs) as answer:
            key, index = (request.path, request.query.get("filter")), int(answer.headers.get("X-Consul-Index", 1))
            self._highest[key] = max(index, self._highest.get(key, 0))
            return answer.status, await answer.read(), self._highest[key]


async def snapshot(consul, verb, file):
    """Save or restore one."""
    command = (have("consul"), "snapshot", verb, f"-http-addr={consul.url}", file)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output


async def index(consul):
    """Consul's index of the entries that split calls."""
    async with aiohttp.ClientSession() as session, session.get(f"{consul.url}/v1/config/service-splitter") as answer:
        return int(answer.headers["X-Consul-Index"])


async def go_back(mesh, folder, *clients):
    """Split all calls to b, and restore a snapshot of when all went to a."""
    file = folder / "snapshot"
    await mesh.write(subsets("shop"), splitter("shop", a=100, b=0))
    await mesh.client.until("shop", "a")
    await snapshot(mesh.consul, "save", file)
    await mesh.register("other")
    await mesh.write(splitter("shop", a=0, b=100))
    for client in clients:
        await client.until("shop", "b")
    before = await index(mesh.consul)
    await snapshot(mesh.consul, "restore", file)
    assert await index(mesh.consul) < before


async def test_an_older_snapshot_is_followed_and_so_is_every_change_after_it(tmp_path):
    async with running(tmp_path) as mesh, Instance("c") as c:
        await mesh.client.start_load("shop", every=0.03)
        await go_back(mesh, tmp_path, mesh.client)
        await mesh.client.until("shop", "a")
        await mesh.write(splitter("shop", a=0, b=100))
        await mesh.client.until("shop", "b", within=5)
        await mesh.consul.delete("/v1/config/service-splitter/shop")
        await mesh.register(instances=[c])
        await mesh.client.until("shop", "abc", within=5)
        assert failures(await mesh.client.stop_load()) == {}


async def test_control_behind_a_proxy_that_hides_it_the_snapshot_is_missed(tmp_path):
    async with (
        running(tmp_path) as mesh,
        Hiding(mesh.consul.url) as proxy,
        ControlPlane(tmp_path / "second", proxy.url) as control,
        Client(control.bootstrap(), tmp_path / "second.log") as client,
    ):
        await client.until("shop", "ab")
        await go_back(mesh, tmp_path, mesh.client, client)
        await mesh.client.until("shop", "a")
        with pytest.raises(AssertionError, match=r"answered by .'b': 4., expected .'a'"):
            await client.until("shop", "a", within=5)
