"""The contracts as the descriptor image says them, read again when the file changes. A bad image changes nothing."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from gossamer_mesh.policy import Contracts, ContractsError

log = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between two looks at the file."""


class ContractImage:
    """One image file."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises `ContractsError`."""
        self._path = path
        self._stamp = self._look()
        self.contracts = self._read()

    async def follow(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the contracts did, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            stamp = self._look()
            if stamp in {self._stamp, None}:
                continue
            self._stamp = stamp
            try:
                contracts = self._read()
            except ContractsError as error:
                log.warning("the contract image can't be used, what was read before stays", extra={"error": str(error)})
                continue
            if contracts != self.contracts:
                self.contracts = contracts
                log.info("the contracts changed", extra={"image": str(self._path)})
                changed()

    def _read(self) -> Contracts:
        try:
            return Contracts.parse(self._path.read_bytes())
        except OSError as error:
            raise ContractsError(f"expected the contract image at {self._path}: {error}. Run `make protos`.") from error

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
