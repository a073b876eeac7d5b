"""A collector that answers nothing: no call suffers, and what can't be sent is dropped instead of kept."""

from pathlib import Path

import pytest
from harness.load import GET_PRODUCT, Load
from harness.stack import Stack

WARM = 10_000
CALLS = 32_000
"""Each leaves a span: eight times what the queues of both instances hold."""
BOUND = 25_000_000
"""Bytes that both instances together may come to hold: twice what full queues take, half of what all spans do."""
KEEPS_ALL = {"OTEL_BSP_MAX_QUEUE_SIZE": "100000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"}
"""A queue that nothing is too much for; the batch that is dropped when its time is over takes one span along."""


def load(stack: Stack, program: Path, count: int) -> dict:
    with Load(program, stack.address("control"), "-closed", "-workers=16", f"-count={count}", *GET_PRODUCT) as load:
        load.finish()
    assert load.summary["ok"] == count, load.summary
    return load.summary


def held(stack: Stack) -> int:
    processes = stack.processes()
    return sum(processes[name]["memory_bytes"] for name in ("catalog-1", "catalog-2"))


@pytest.mark.parametrize("queue", [{}, KEEPS_ALL], ids=["with its queue", "with one that keeps all"])
def test_a_collector_that_hangs_slows_no_call_and_nothing_grows(
    own_stack: Stack, program: Path, queue: dict[str, str]
) -> None:
    """The control is the same load with a queue that drops nothing: then memory grows beyond the bound."""
    own_stack.environment |= queue
    own_stack.up()
    usual = load(own_stack, program, WARM)
    before = held(own_stack)
    own_stack.run("kill", "collector", "-s", "STOP")
    hanging = load(own_stack, program, CALLS)
    grown = held(own_stack) - before
    own_stack.run("kill", "collector", "-s", "CONT")  # or the end of the stack waits for it
    assert (grown < BOUND) is (not queue), grown
    assert hanging["p99_ms"] < 3 * usual["p99_ms"] + 100
