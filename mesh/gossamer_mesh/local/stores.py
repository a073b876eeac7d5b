"""The stores that services keep data in: how each is run, and what an instance is told of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gossamer_mesh.declare import Service
from gossamer_mesh.errors import Problem
from gossamer_mesh.local import launch, ready, valkey
from gossamer_mesh.local.launch import HOST
from gossamer_mesh.local.postgres import STOP_SIGNAL, Postgres, PostgresError
from gossamer_mesh.local.process import Launch, Plan, Say
from gossamer_mesh.local.valkey import Valkey, ValkeyUnusableError

T = TypeVar("T")


class Stores:
    """The stores of one stack. Each runs when a service is declared that keeps data in it.

    Args:
        state: the stack's folder.
        ports: by store.
    """

    def __init__(self, state: Path, ports: Mapping[str, int]) -> None:
        self._state = state
        self.postgres = Postgres(state=state / "postgres", port=ports["postgres"])
        self.valkey = Valkey(state=state / "valkey", port=ports["valkey"])

    @property
    def addresses(self) -> dict[str, str]:
        """Where each listens when it runs, as host:port."""
        return {"postgres": f"{HOST}:{self.postgres.port}", "valkey": f"{HOST}:{self.valkey.port}"}

    def plan(self, store: str) -> Plan:
        """Say how a store is run."""
        return {"postgres": self._postgres, "valkey": self._valkey}[store]()

    async def variables(self, service: Service) -> dict[str, str]:
        """Give what a service's instances are told of its stores, each of which runs, and make it the service's own.

        Raises:
            Problem: a store can't be used.
        """
        told: dict[str, str] = {}
        if "postgres" in service.stores:
            told["DATABASE_URL"] = await _translated(self.postgres.ensure_database(service.name))
        if "valkey" in service.stores:
            told["VALKEY_URL"] = await _translated(self.valkey.ensure_user(service.name))
        return told

    def _postgres(self) -> Plan:
        async def prepare(say: Say) -> None:
            say("making the data folder")
            await _translated(self.postgres.prepare())

        async def give() -> Launch:
            await _translated(self.postgres.prepare())  # again: what a crash left would keep it from starting
            options = self.postgres.process_options
            return Launch(
                argv=self.postgres.command,
                environment={**launch.plain(self._state, {}), **options["env"]},
                folder=Path(options["cwd"]),
                address=self.addresses["postgres"],
            )

        return Plan(
            name="postgres", build=prepare, launch=give, ready=_until(self.postgres.ready), stop_signal=STOP_SIGNAL
        )

    def _valkey(self) -> Plan:
        async def give() -> Launch:
            await _translated(self.valkey.prepare())
            return Launch(
                argv=self.valkey.command,
                environment={**launch.plain(self._state, {}), **valkey.ENVIRONMENT},
                folder=self.valkey.state,
                address=self.addresses["valkey"],
            )

        return Plan(name="valkey", launch=give, ready=_until(self.valkey.ready))


def _until(answers: Callable[[], Awaitable[bool]]) -> Callable[[str], Coroutine[Any, Any, None]]:
    async def ready_at(_: str) -> None:
        while not await _translated(answers()):
            await asyncio.sleep(ready.PAUSE_S)

    return ready_at


async def _translated(awaitable: Awaitable[T]) -> T:
    """Turn what the stores' modules raise into the package's own error."""
    try:
        return await awaitable
    except PostgresError as error:
        raise Problem(f"postgres: {error}") from error
    except ValkeyUnusableError as error:
        raise Problem(f"valkey: {error}") from error
