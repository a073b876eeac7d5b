"""Who waits for a signal is woken by the next one, whenever the waiting task gets to run."""

import asyncio

import pytest

from gossamer_mesh.xds import Signal


async def test_one_who_waits_is_woken():
    signal = Signal()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(signal.wait())
        asyncio.get_running_loop().call_soon(signal.send)


async def test_a_signal_that_is_sent_before_the_waiting_task_first_runs_wakes_it():
    signal = Signal()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        asyncio.get_running_loop().call_soon(signal.send)
        tasks.create_task(signal.wait())


async def test_a_signal_that_was_sent_before_wakes_nobody():
    signal = Signal()
    signal.send()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await signal.wait()
