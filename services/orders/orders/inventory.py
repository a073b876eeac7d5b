"""Has the inventory service put pieces aside, and take them out of the stock."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import PreconditionFailure
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status.rpc_status import from_call

from orders.domain import Order, OutOfStockError
from orders.others import AWAY
from shop.inventory.v1 import inventory_pb2 as pb

if TYPE_CHECKING:
    from shop.inventory.v1.inventory_pb2_grpc import InventoryServiceAsyncStub


class InventoryUnavailableError(Exception):
    """The inventory can't be reached, or did not answer in time; asking again later may help."""


class ReservationEndedError(Exception):
    """The pieces were given back before."""


class Inventory:
    """The stock, as the inventory service keeps it. Every method gives up after `within` seconds."""

    def __init__(self, stub: InventoryServiceAsyncStub, *, hold: float) -> None:
        """Use a client of the inventory service. What is put aside is given back after `hold` seconds by itself."""
        self._stub = stub
        self._hold = Duration()
        self._hold.FromMilliseconds(int(hold * 1000))

    async def reserve(self, order: Order, *, within: float) -> UUID:
        """Put the pieces of an order aside; return the reservation's id.

        Raises OutOfStockError, and InventoryUnavailableError, after which they may be put aside until that ends.
        """
        request = pb.ReserveRequest(request_id=str(uuid4()), hold=self._hold)
        for line in order.lines:
            request.items.add(product_id=line.product_id, quantity=line.quantity)
        try:
            answer = await self._stub.Reserve(request, timeout=within)
        except AioRpcError as error:
            if error.code() in {StatusCode.FAILED_PRECONDITION, StatusCode.NOT_FOUND}:
                raise OutOfStockError(_short(error)) from error
            raise _unavailable(error) from error
        return UUID(answer.reservation.id)

    async def commit(self, reservation: UUID, *, within: float) -> None:
        """Take the pieces out of the stock for good.

        Raises ReservationEndedError when they were given back before, and InventoryUnavailableError.
        """
        try:
            await self._stub.Commit(pb.CommitRequest(id=str(reservation)), timeout=within)
        except AioRpcError as error:
            if error.code() in {StatusCode.FAILED_PRECONDITION, StatusCode.NOT_FOUND}:
                raise ReservationEndedError(str(reservation)) from error
            raise _unavailable(error) from error

    async def release(self, reservation: UUID, *, within: float) -> None:
        """Give the pieces back. Raises InventoryUnavailableError, after which they come back by themselves."""
        try:
            await self._stub.Release(pb.ReleaseRequest(id=str(reservation)), timeout=within)
        except AioRpcError as error:
            raise _unavailable(error) from error


def _unavailable(error: AioRpcError) -> Exception:
    if error.code() in AWAY:
        return InventoryUnavailableError(f"the inventory is away: {error.details()}")
    return error


def _short(error: AioRpcError) -> list[str]:
    """Read which products there are too few of, or none at all."""
    status, failure = from_call(error), PreconditionFailure()
    found = [detail for detail in (status.details if status else ()) if detail.Unpack(failure)]
    return [violation.subject for violation in failure.violations] if found else []
