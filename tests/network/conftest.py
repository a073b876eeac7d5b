"""What network tests share: clients of every language; for each module, a Consul and a control plane to follow."""

import itertools

import pytest
import pytest_asyncio
from harness.client import LANGUAGES, Client, Program, build
from harness.consul import Consul
from harness.control import ControlPlane
from harness.instance import Instance
from harness.scenario import Scenario, refusals

_numbers = itertools.count()


@pytest.fixture(scope="session")
def programs(tmp_path_factory) -> dict[str, Program]:
    """The client of every language, built once for each process that runs tests."""
    return build(tmp_path_factory.mktemp("clients"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(tmp_path_factory):
    """A Consul whose services all speak gRPC."""
    async with Consul(tmp_path_factory.mktemp("consul"), limits={"http_max_conns_per_client": 1000}) as consul:
        await consul.speak_grpc()
        yield consul


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def control(consul, tmp_path_factory):
    # each change is told alone, so that what a client does belongs to what was written last
    async with ControlPlane(tmp_path_factory.mktemp("control"), consul.url, "--coalescing", "0") as control:
        yield control


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request) -> str:
    return request.param


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(control, tmp_path_factory, programs, language):
    """A client of each language; every test that uses it is run for all of them."""
    log = tmp_path_factory.mktemp("client") / "client.log"
    async with Client(control.bootstrap(), log, programs[language]) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def scenario(consul, control, client, language):
    """A service that no other test knows. No client has refused anything in the end."""
    yield Scenario(consul, control.address, client, f"service{next(_numbers)}", language)
    assert await refusals(control.address) == []


@pytest_asyncio.fixture(loop_scope="module")
async def instances():
    async with Instance("a") as a, Instance("b") as b, Instance("c") as c, Instance("d") as d:
        yield a, b, c, d
