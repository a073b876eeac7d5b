"""What the kit contract is tested with: one Consul, one control plane and one OTLP receiver for each test process, and
for each language a standing instance of its probe. Every test runs for every kit that has a probe in its kit.yaml.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from conformance.mesh import Mesh, Probes
from conformance.otlp import Receiver
from conformance.programs import build
from conformance.results import Results, assign
from harness.consul import Consul
from harness.control import ControlPlane
from harness.probe import Language, Probe, languages

LANGUAGES = languages()

session = pytest_asyncio.fixture(scope="session", loop_scope="session")
each_test = pytest_asyncio.fixture(loop_scope="session")


def pytest_configure(config: pytest.Config) -> None:
    """Count what the tests say of each language."""
    config.addinivalue_line("markers", "row(name): the row of docs/kit.md that a test is about")
    config.pluginmanager.register(Results())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder on one loop, which the session's servers and channels live on too."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            assign(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the tests start, so that no test's deadline includes a build."""
    ours = [item for item in session.items if Path(__file__).parent in item.path.parents]
    if ours and not session.config.option.collectonly:
        build(_programs(session.config._tmp_path_factory))  # no fixture is there yet to get it from


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes `language`, or `caller` and `callee`, every kit there is."""
    for name in ("language", "caller", "callee"):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, LANGUAGES, ids=[language.name for language in LANGUAGES])


@session
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@session
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """A Consul and a control plane, and the way of this process's own gRPC clients to it."""
    folder = tmp_path_factory.mktemp("mesh")
    async with (
        Consul(folder / "consul") as consul,
        ControlPlane(folder / "control", consul.url, "--second-look", "0.5") as control,
    ):
        os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = control.bootstrap()
        try:
            yield Mesh(consul, control)
        finally:
            del os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs are built, once for all test processes of a run."""
    return _programs(tmp_path_factory)


def _programs(temporary: pytest.TempPathFactory) -> Path:
    base = temporary.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "programs"


@session
async def standing(
    mesh: Mesh, receiver: Receiver, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callable[[Language], Awaitable[Probe]]]:
    """One instance of each language's probe that no test harms: in the mesh, with every call traced."""
    async with Probes(mesh, receiver, programs, tmp_path_factory.mktemp("standing")) as probes:
        running: dict[str, Probe] = {}

        async def get(language: Language) -> Probe:
            if language.name not in running:
                running[language.name] = await probes.start(language, f"standing-{language.name}", joined=True)
            return running[language.name]

        yield get


@each_test
async def probes(mesh: Mesh, receiver: Receiver, programs: Path, tmp_path: Path) -> AsyncIterator[Probes]:
    """Starts probes that belong to one test."""
    async with Probes(mesh, receiver, programs, tmp_path) as probes:
        yield probes


@each_test
async def probe(language: Language, standing: Callable[[Language], Awaitable[Probe]]) -> Probe:
    """The standing instance of the language under test."""
    return await standing(language)
