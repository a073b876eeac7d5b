"""What is believed and published: nothing before the first full reading, every change once, nothing while silent."""

import asyncio
import contextlib

import pytest

from gossamer_mesh.discovery import Discovery, MemorySource, SecondLook, Snapshot
from gossamer_mesh.model import Entries, Health, Instance, Mesh


def instances(*ids, health=Health.PASSING):
    return [Instance(id=id_, host="10.0.0.1", port=n, health=health) for n, id_ in enumerate(ids, start=1)]


class Followed:
    """A discovery that follows a source in memory."""

    def __init__(self, delay, source):
        self.source = source or MemorySource()
        self.published: asyncio.Queue[Snapshot] = asyncio.Queue()
        self.discovery = Discovery(
            self.source, publish=self.published.put_nowait, second_look=SecondLook(delay=delay, window=3)
        )

    async def next(self):
        async with asyncio.timeout(5):
            return await self.published.get()

    async def rest(self):
        """Let the tasks that are ready run."""
        for _ in range(5):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def following(*, delay=8.0, source=None):
    followed = Followed(delay, source)
    task = asyncio.create_task(followed.discovery.run())
    await followed.rest()
    yield followed
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def ids(snapshot, service="catalog"):
    return [each.id for each in snapshot.mesh.services[service].instances if each.callable]


async def test_nothing_is_published_before_everything_was_read():
    async with following() as followed:
        assert followed.discovery.snapshot is None
        followed.source.put("catalog", instances("a"))
        assert ids(await followed.next()) == ["a"]


async def test_versions_count_changes_and_a_reading_without_change_is_none():
    async with following() as followed:
        followed.source.put("catalog", instances("a"))
        followed.source.put("catalog", instances("a"))
        followed.source.put("catalog", instances("a", "b"))
        assert [(await followed.next()).version for _ in range(2)] == [1, 2]
        assert followed.published.empty()


async def test_a_service_that_is_gone_stays_known():
    async with following() as followed:
        followed.source.put("catalog", instances("a"))
        followed.source.remove("catalog")
        await followed.next()
        assert ids(await followed.next()) == []


async def test_an_instance_that_was_removed_is_found_as_it_was():
    async with following() as followed:
        followed.source.put("catalog", instances("a", "b"))
        followed.source.put("catalog", instances("a"))
        assert [each.id for each in (followed.discovery.find("catalog", id_) for id_ in "ab")] == ["a", "b"]
        assert followed.discovery.find("catalog", "c") is None


async def test_it_tells_for_how_long_everything_is_known():
    async with following() as followed:
        assert followed.discovery.complete_for is None
        followed.source.put("catalog", instances("a"))
        assert 0 <= followed.discovery.complete_for < 5


async def test_while_the_source_is_silent_nothing_changes_but_its_age():
    async with following() as followed:
        followed.source.put("catalog", instances("a"))
        await followed.next()
        followed.source.fail("gone")
        assert followed.discovery.error == "gone"
        assert followed.published.empty()
        before = followed.discovery.age
        await asyncio.sleep(0.01)
        assert followed.discovery.age > before


async def test_a_source_that_answers_again_is_no_longer_in_error():
    async with following() as followed:
        followed.source.put("catalog", instances("a"))
        followed.source.fail("gone")
        followed.source.put("catalog", instances("a"))
        assert followed.discovery.error == ""
        assert followed.discovery.age < 1


async def test_a_mass_removal_waits_for_the_second_look():
    async with following(delay=0.05) as followed:
        followed.source.put("catalog", instances("a", "b"))
        followed.source.put("catalog", instances("a", "b", health=Health.CRITICAL))
        await followed.next()
        held = await followed.next()
        assert ids(held) == ["a", "b"]
        assert [(h.service, h.before, h.after) for h in held.held] == [("catalog", 2, 0)]
        acted = await followed.next()
        assert (ids(acted), acted.held) == ([], ())


class SlowSource(MemorySource):
    """A source whose looks take as long as a test wants, and find what was there when they began."""

    def __init__(self):
        super().__init__()
        self.looking, self.found = asyncio.Event(), asyncio.Event()

    async def look(self):
        mesh = await super().look()
        self.looking.set()
        await self.found.wait()
        return mesh


async def test_what_is_told_during_a_second_look_is_believed():
    """The watch never tells it again, so a live instance that the look has not found yet would stay gone."""
    async with following(delay=0.01, source=SlowSource()) as followed, asyncio.timeout(5):
        followed.source.put("catalog", instances("a", "b"))
        followed.source.put("catalog", [])
        await followed.source.looking.wait()
        followed.source.put("catalog", instances("a", "b", "c"))
        followed.source.found.set()
        await followed.rest()
        assert ids(followed.discovery.snapshot) == ["a", "b", "c"]
        assert followed.discovery.snapshot.held == ()


async def test_what_a_second_look_finds_stays_until_the_source_tells_it():
    source = SlowSource()
    async with following(delay=0.01, source=source) as followed, asyncio.timeout(5):
        source.put("catalog", instances("a", "b"))
        followed.discovery.read(Mesh.of([]))
        await source.looking.wait()
        source.found.set()
        await followed.rest()
        assert ids(followed.discovery.snapshot) == ["a", "b"]


async def test_what_is_held_stays_held_while_the_source_is_silent():
    async with following(delay=0.05) as followed:
        followed.source.put("catalog", instances("a", "b"))
        followed.source.put("catalog", [])
        followed.source.fail("gone")
        await followed.next()
        await followed.next()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await followed.published.get()
        assert ids(followed.discovery.snapshot) == ["a", "b"]


async def test_a_change_of_what_is_written_is_published_once_and_outlives_a_change_of_instances():
    async with following() as followed:
        followed.source.put("catalog", instances("a"))
        followed.source.write(Entries(extras={"faults/catalog": "{}"}))
        followed.source.write(Entries(extras={"faults/catalog": "{}"}))
        followed.source.put("catalog", instances("a", "b"))
        published = [await followed.next() for _ in range(3)]
        assert [snapshot.mesh.entries.extras for snapshot in published] == [{}, *[{"faults/catalog": "{}"}] * 2]
        assert followed.published.empty()


async def test_a_source_that_restarted_has_forgotten_what_was_written():
    source = MemorySource()
    source.write(Entries(extras={"faults/catalog": "{}"}))
    source.restart()
    assert (await source.look()).entries == Entries()
