"""The supervisor: which processes a stack has, in which order they start and end, and how they follow what is declared.

    supervisor = Supervisor(root, settings, state)
    await supervisor.apply()          # reads the declarations; everything starts side by side
    await supervisor.stop()           # callers before those they call, services before parts

Processes are kept by process.Process; what they are is written in launch.py; this file joins the two.
"""

import asyncio
import contextlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gossamer_mesh.declare import Service, Settings, Workspace, load
from gossamer_mesh.declare.service import STORES
from gossamer_mesh.errors import Problem, UnknownName
from gossamer_mesh.local import build, entries, launch, parts, ports, ready
from gossamer_mesh.local.build import Built, Recipe
from gossamer_mesh.local.folder import StateFolder
from gossamer_mesh.local.launch import HOST, Addresses
from gossamer_mesh.local.process import Launch, Plan, Process, Say
from gossamer_mesh.local.stores import Stores

REGISTERED_WITHIN_S = 10.0
DEREGISTER_TIMEOUT_S = 2
LONGEST_BUILD_S = 3600
STARTS_WITHIN_S = 60.0
NOT_REPLACED = "not replaced"
CHECKED = "is checked for changes"
OWN_CODE = ("mesh/gossamer_mesh/**/*.py", "gen/python/gossamer/**/*.py", "gen/python/buf/**/*.py", "requirements.lock")
"""What the supervisor, the control plane and the collector run from."""
FOLLOW_CODE = ("control", "collector")


class Supervisor:
    """Everything that runs on one machine for one checkout.

    Args:
        root: the checkout.
        settings: read when the stack started; ports do not move while it runs.
        folder: where it keeps its state.
    """

    def __init__(self, root: Path, settings: Settings, folder: StateFolder) -> None:
        self.root = root
        self.settings = settings
        self.folder = folder
        self.parts: dict[str, Process] = {}
        self.instances: dict[str, Process] = {}
        self.stopping = False
        self.version = 0
        self._change = asyncio.Event()
        self._workspace: Workspace | None = None
        self._replicas: dict[str, int] = {}
        self._skipped: dict[str, Process] = {}
        self._ports: dict[str, int] = {}
        self._versions: dict[str, str] = {}  # instance -> its version, where that is not the stack's
        self._missing: dict[str, str] = {}  # language -> the tool that this machine lacks
        self._built: dict[str, asyncio.Task[Built]] = {}
        self._running: dict[str, Built] = {}  # instance -> what it was started from
        self._code = self._born_of = build.fingerprint(root, OWN_CODE)
        self.entries = entries.Outcome()
        """What of the declared traffic policy Consul does not hold as it is declared."""
        self._bringing = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._rolling: asyncio.Task[None] | None = None
        self._reserved = ports.Reserved()
        chosen = {name: port or self._reserved.take() for name, port in settings.ports.items() if name != "instances"}
        self.chosen = chosen
        self.addresses = Addresses(
            consul=settings.consul_address or f"http://{HOST}:{chosen['consul']}",
            control=f"{HOST}:{chosen['control']}",
            otlp_grpc=f"{HOST}:{chosen['otlp_grpc']}",
            otlp_http=f"{HOST}:{chosen['otlp_http']}",
            jaeger=f"{HOST}:{chosen['jaeger']}",
        )
        self.stores = Stores(folder.path, chosen)

    @property
    def processes(self) -> list[Process]:
        """All processes: parts first, then instances by service."""
        order = {name: place for place, name in enumerate(self._workspace.services if self._workspace else ())}
        instances = sorted(
            [*self.instances.values(), *self._skipped.values()],
            key=lambda process: (order.get(process.plan.service, 0), _number(process.plan.name)),
        )
        return [*self.parts.values(), *instances]

    async def apply(self, environment: Mapping[str, str] | None = None) -> list[str]:
        """Follow the declarations as they are now. Returns as soon as they are found good; the rest goes on behind.

        Args:
            environment: of the person who asks; tools are looked for on its PATH. None: our own.

        Returns:
            What of the declarations only another start follows, a line each.

        Raises:
            DeclarationProblem: they can't be followed; nothing was changed.
            Problem: the stack is ending.
        """
        workspace = await asyncio.to_thread(load, self.root, environment)
        os.environ["PATH"] = (environment or os.environ).get("PATH", os.defpath)  # tools may be there that were not
        self._missing = {name: await asyncio.to_thread(build.missing_tool, kit) for name, kit in workspace.kits.items()}
        self._refuse_while_stopping()
        if self._rolling:
            self._rolling.cancel()
        self._workspace = workspace
        self._start_parts(workspace)
        self._begin_instances(workspace)
        for process in (self.parts["control"], *self.instances.values()):
            if process.pid:
                process.note(CHECKED)
        self._rolling = asyncio.create_task(self._catch_up(workspace))
        return await asyncio.to_thread(self._only_at_start, workspace.settings)

    async def restart(self, names: Sequence[str]) -> list[str]:
        """Restart processes in order, the instances of a service one after the other; return their names.

        Raises:
            Problem: a name is unknown, or a process did not come back.
        """
        chosen = self._named(names) if names else list(self.instances.values())
        self._forget_builds()
        restarted = []
        for process in chosen:
            self._refuse_while_stopping()
            if self._is_current(process):
                await self._replace(process)
                restarted.append(process.plan.name)
        return restarted

    async def _replace(self, process: Process) -> None:
        """Restart an instance, and wait until callers can find it: the next one is drained then, and may be the last.

        Raises:
            Problem: it did not come back.
        """
        await process.restart()
        with contextlib.suppress(TimeoutError):  # Consul may be away: the instance serves all the same
            async with asyncio.timeout(REGISTERED_WITHIN_S):
                await ready.registered(self.addresses.consul, process.plan.name)

    def kill(self, name: str, number: int) -> int:
        """Send a signal to a process and return its number.

        Raises:
            Problem: the name is unknown, or it does not run.
        """
        (process, *more) = self._named([name])
        if more:
            raise Problem(f"{name} has {1 + len(more)} instances; name one: {process.plan.name}")
        return process.kill(number)

    async def scale(self, service: str, replicas: int, version: str = "") -> list[str]:
        """Change how many instances of a service run; return their names when all of them serve.

        Those that are started for it are of that version; empty: of the stack's.

        Raises:
            Problem: the service is unknown, or an instance does not come up.
        """
        workspace = self._workspace
        if workspace is None or service not in workspace.services:
            known = ", ".join(workspace.services) if workspace else "none"
            raise UnknownName(f"no service {service!r} is declared; declared: {known}")
        if service in self._skipped:
            raise Problem(f"{service} is left out: {self._skipped[service].detail}")
        async with self._changing:
            self._refuse_while_stopping()
            self._replicas[service] = replicas
            self._begin_instances(workspace, version)
            await self._end_surplus(workspace)
        running = [process for process in self.instances.values() if process.plan.service == service]
        await asyncio.gather(*(process.until_serving() for process in running))
        return [process.plan.name for process in running]

    async def stop(self) -> None:
        """End everything in order: callers before those they call, then the parts."""
        self.stopping = True
        self.changed()
        if self._rolling:
            self._rolling.cancel()
        async with self._changing:
            for wave in self._waves():
                await asyncio.gather(*(process.stop() for process in wave))
            await asyncio.gather(*(self.parts[name].stop() for name in ("control", *STORES) if name in self.parts))
            await asyncio.gather(*(process.stop() for process in self.parts.values()))
        self._reserved.close()

    async def changed_since(self, version: int) -> int:
        """Wait until something has changed after a version, and return the version it has now."""
        while self.version == version:
            await self._change.wait()
        return self.version

    def changed(self) -> None:
        """Tell those who wait in changed_since that something has changed."""
        self.version += 1
        self._change.set()
        self._change = asyncio.Event()

    def _only_at_start(self, wanted: Settings) -> list[str]:
        """Say what has changed since the supervisor started and is followed by another one only."""
        changed = [
            f"{name} {now or 'our own'} (now {wanted_ or 'our own'} is asked for)"
            for name, now, wanted_ in (
                ("the name", self.settings.name, wanted.name),
                ("CONSUL_HTTP_ADDR", self.settings.consul_address, wanted.consul_address),
                *((f"port {name} at", port, wanted.ports[name]) for name, port in self.settings.ports.items()),
            )
            if now != wanted_
        ]
        notes = [f"this stack keeps {', '.join(changed)}"] if changed else []
        if build.fingerprint(self.root, OWN_CODE) != self._born_of:
            notes.append("the supervisor itself runs code from before a change")
        return [f"{note}, until it is started anew: gossamer down, then gossamer up" for note in notes]

    def _process(self, plan: Plan) -> Process:
        return Process(plan, self.folder.logs / f"{plan.name}.log", self.changed)

    # -- parts

    def _start_parts(self, workspace: Workspace) -> None:
        if not self.settings.consul_address and "consul" not in self.parts:
            self.parts["consul"] = self._process(self._consul())
        if "control" not in self.parts:
            image, store = workspace.image, self.folder.traces
            self.parts["control"] = self._process(
                self._part("control", lambda: self._control(image), self.addresses.control)
            )
            self.parts["collector"] = self._process(
                self._part("collector", lambda: launch.collector(store, self.addresses), self.addresses.otlp_grpc)
            )
        wanted = {store for service in workspace.services.values() for store in service.stores}
        for name in STORES:
            if name in wanted and name not in self.parts:
                self.parts[name] = self._process(self.stores.plan(name))
        for process in self.parts.values():
            process.start()

    def _part(self, name: str, command: Callable[[], list[str]], address: str) -> Plan:
        async def give() -> Launch:
            argv = await asyncio.to_thread(command)
            return Launch(argv=argv, environment=launch.plain(self.folder.path), folder=self.root, address=address)

        async def serves(address: str) -> None:
            # The control plane serves once it has read Consul, and Consul may have to be built first.
            if name == "control" and "consul" in self.parts:
                await self.parts["consul"].serving.wait()
            if name == "control":
                await self._bring_entries()  # before any instance is called
            try:
                await asyncio.wait_for(ready.serving(address), STARTS_WITHIN_S)
            except TimeoutError:
                raise Problem(f"did not serve within {STARTS_WITHIN_S:.0f} s") from None

        return Plan(name=name, launch=give, ready=serves, ready_within=LONGEST_BUILD_S)

    def _control(self, image: Path) -> list[str]:
        found = parts.find("consul")
        return launch.control(image, found.path if found else parts.cached("consul"), self.addresses)

    def _consul(self) -> Plan:
        found: list[Path] = []
        http = self.chosen["consul"]
        free = not self.settings.ports["consul"]
        numbers = {
            "http": http,
            "server": self._reserved.take() if free else http + ports.CONSUL_SERVER_OFFSET,
            "serf": self._reserved.take() if free else http + ports.CONSUL_SERF_OFFSET,
        }

        async def bring(say: Say) -> None:
            found[:] = [(await parts.bring("consul", self.root, say)).path]

        async def give() -> Launch:
            return Launch(
                argv=launch.consul(found[0], self.root, self.folder.path / "consul", numbers),
                environment=launch.plain(self.folder.path),
                folder=self.root,
                address=f"{HOST}:{http}",
            )

        async def has_leader(address: str) -> None:
            await ready.has_leader(f"http://{address}")
            await ready.has_entry(
                f"http://{address}", "proxy-defaults/global"
            )  # of agent.hcl: it comes after the leader

        return Plan(name="consul", build=bring, launch=give, ready=has_leader)

    # -- services

    async def _catch_up(self, workspace: Workspace) -> None:
        """Do what takes longer: end what is too many, and replace what runs from older sources.

        One instance after the other is replaced; what can't be built goes on as it was.
        """
        async with self._changing:
            await self._end_surplus(workspace)
        await self._bring_entries_again()
        await self._replace_parts()
        broken: dict[str, str] = {}  # service -> why its first instance could not be replaced
        for process in [each for each in self.instances.values() if each.pid]:
            name, service = process.plan.name, process.plan.service
            try:
                recipe = self._recipe(workspace, workspace.services[service])
                if await self._is_of_now(recipe, name):
                    process.note("")
                elif service in broken:
                    process.note(f"{NOT_REPLACED}: {broken[service]}")
                elif self._is_current(process):
                    await self._replace(process)
            except Exception as error:  # noqa: BLE001 - whatever it is, a person must see it
                process.note(f"{NOT_REPLACED}: {error}")
                broken[service] = f"{name} does not run with what is new"

    async def _bring_entries_again(self) -> None:
        """Bring Consul what is declared now. Before the control plane serves, its start does it."""
        control = self.parts["control"]
        if control.serving.is_set():
            try:
                await self._bring_entries()
            except Problem as problem:
                control.note(f"{NOT_REPLACED}: {problem}")
                return
        if control.pid:
            control.note("")

    async def _bring_entries(self) -> None:
        async with self._bringing:
            wanted = self._workspace.entries if self._workspace else ()
            self.entries = await entries.bring(wanted, self.addresses.consul, self.folder.entries)
        self.changed()

    async def _replace_parts(self) -> None:
        """Start the parts that are written here anew when their code has changed."""
        code = await asyncio.to_thread(build.fingerprint, self.root, OWN_CODE)
        if code == self._code:
            return
        for name in FOLLOW_CODE:
            try:
                if self.parts[name].pid:
                    await self.parts[name].restart()
            except Problem as problem:
                self.parts[name].note(f"{NOT_REPLACED}: {problem}")
        self._code = code

    def _begin_instances(self, workspace: Workspace, version: str = "") -> None:
        """Have every declared instance, with its newest plan, and start those that don't run."""
        self._forget_builds()
        self._skipped = {}
        for service in workspace.services.values():
            if lacking := self._missing[service.language]:
                plan = Plan(name=service.name, launch=_never, ready=_never_ready, service=service.name)
                self._skipped[service.name] = self._process(plan)
                self._skipped[service.name].skip(lacking)
        for name, service in self._wanted(workspace).items():
            plan = self._instance(workspace, service, name)
            if name in self.instances:
                self.instances[name].plan = plan
            else:
                self._ports[name] = self._free_port()
                self._versions[name] = version
                self.instances[name] = self._process(plan)
            self.instances[name].start()
        self.changed()

    async def _end_surplus(self, workspace: Workspace) -> None:
        surplus = self.instances.keys() - self._wanted(workspace).keys()
        # Shielded: what has begun to end has to end, whoever changes the stack meanwhile.
        await asyncio.gather(*(asyncio.shield(self._end_instance(name)) for name in surplus))

    async def _end_instance(self, name: str) -> None:
        await self.instances[name].stop()
        del self.instances[name], self._ports[name], self._versions[name]
        self.changed()

    def _wanted(self, workspace: Workspace) -> dict[str, Service]:
        return {
            f"{service.name}-{number}": service
            for service in workspace.services.values()
            if service.name not in self._skipped
            for number in range(1, self._replicas.get(service.name, service.replicas) + 1)
        }

    def _forget_builds(self) -> None:
        """Have sources looked at again; a build that is under way goes on."""
        self._built = {name: task for name, task in self._built.items() if not task.done()}

    def _is_current(self, process: Process) -> bool:
        return process in self.parts.values() or self.instances.get(process.plan.name) is process

    def _refuse_while_stopping(self) -> None:
        if self.stopping:
            raise Problem("the stack is ending; wait until it has, then start it again")

    def _recipe(self, workspace: Workspace, service: Service) -> Recipe:
        output = self.folder.programs / service.name
        called = (workspace.services[name].contracts for name in service.calls)
        contracts = (*service.contracts, *(contract for each in called for contract in each))
        kit = workspace.kits[service.language]
        return Recipe(root=self.root, service=service, kit=kit, contracts=contracts, output=output)

    async def _build(self, recipe: Recipe, say: Say) -> Built:
        """Build a service once for all its instances."""
        name = recipe.service.name
        task = self._built.get(name)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._built[name] = asyncio.create_task(build.build(recipe, say))
        elif not task.done():
            say("building")
        return await asyncio.shield(task)

    async def _is_of_now(self, recipe: Recipe, name: str) -> bool:
        """Tell whether an instance runs what there is, also if other sources came to the same program.

        Raises:
            Problem: what there is can't be built.
        """
        running = self._running.get(name)
        if running is None or running.sources == await asyncio.to_thread(recipe.fingerprint):
            return running is not None
        if not recipe.kit.self_contained:
            return False
        now = await self._build(recipe, lambda _: None)
        if now.program == running.program:
            self._running[name] = now
        return now.program == running.program

    def _instance(self, workspace: Workspace, service: Service, name: str) -> Plan:
        async def make(say: Say) -> None:
            current = self._workspace or workspace
            self._running[name] = await self._build(self._recipe(current, current.services[service.name]), say)

        async def give() -> Launch:
            current = self._workspace or workspace
            recipe = self._recipe(current, current.services[service.name])
            if not ports.is_free(self._ports[name]):
                self._ports[name] = self._free_port()
            address = f"{HOST}:{self._ports[name]}"
            environment = {
                **launch.plain(self.folder.path),
                **recipe.environment(),
                **await self.stores.variables(service),
                **launch.instance(
                    *(self.settings.name, service.name, name, address, self.addresses),
                    by_kit=recipe.kit.retries,
                    version=self._versions.get(name, ""),
                ),
            }
            return Launch(argv=recipe.fill(recipe.kit.run), environment=environment, folder=self.root, address=address)

        needs = [self.parts[part] for part in ("consul", "control", *service.stores) if part in self.parts]
        return Plan(
            name=name,
            service=service.name,
            language=service.language,
            build=make,
            needs=needs,
            launch=give,
            ready=ready.serving,
            died=lambda: asyncio.to_thread(self._deregister, name),
        )

    def _free_port(self) -> int:
        start = self.settings.ports["instances"]
        return ports.first_free(start, set(self._ports.values())) if start else self._reserved.take()

    def _deregister(self, instance: str) -> None:
        """Take a dead instance out of Consul at once, instead of after a failed check and a minute."""
        url = f"{self.addresses.consul}/v1/agent/service/deregister/{instance}"
        request = urllib.request.Request(url, method="PUT")  # noqa: S310 - our own Consul
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(request, timeout=DEREGISTER_TIMEOUT_S).close()  # noqa: S310 - as above

    def _waves(self) -> list[list[Process]]:
        """Group the instances so that a service ends before those it calls."""
        calls = {name: set(each.calls) for name, each in self._workspace.services.items()} if self._workspace else {}
        left = {process.plan.service for process in self.instances.values()}
        waves = []
        while left:
            called = set().union(*(calls.get(name, set()) - {name} for name in left))
            wave = (left - called) or set(left)
            waves.append([process for process in self.instances.values() if process.plan.service in wave])
            left -= wave
        return waves

    def _named(self, names: Sequence[str]) -> list[Process]:
        """Find processes by their own name or their service's.

        Raises:
            Problem: a name is unknown.
        """
        found: list[Process] = []
        every = {**self.parts, **self.instances}
        for name in names:
            matching = [each for key, each in every.items() if name in (key, each.plan.service)]
            if not matching:
                services = sorted({each.plan.service for each in self.instances.values()})
                raise UnknownName(f"no process or service {name!r}; there are: {', '.join([*services, *every])}")
            found += [each for each in matching if each not in found]
        return found


def _number(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (name, 0)


async def _never() -> Launch:
    raise Problem("it is left out")


async def _never_ready(_: str) -> None:
    await asyncio.Event().wait()
