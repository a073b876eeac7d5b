"""What all clients of other services share: how they are away, and amounts of money as they come and go."""

from google.type import money_pb2
from grpc import StatusCode

from orders.money import Money

AWAY = frozenset({StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED})
"""The statuses of a service that can't be reached, or did not answer in time; asking again later may help."""


def read_money(message: money_pb2.Money) -> Money:
    """Read an amount. Raises ValueError for one that is none."""
    return Money.of(message.currency_code, message.units, message.nanos)


def money_message(money: Money) -> money_pb2.Money:
    """Write an amount."""
    return money_pb2.Money(currency_code=money.currency, units=money.units, nanos=money.nanos)
