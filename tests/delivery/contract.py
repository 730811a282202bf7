"""What every queue keeps, whatever it is made of. A test class inherits this and has a fixture `queued`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from routing_engine.delivery.jobs import DROPPED, LEASE_S, Job, NewJob, Queue

from .fakes import hook, log_of


@dataclass
class Queued:
    """A queue, a way to put jobs as the book does, the time, and a way to let every lease run out."""

    queue: Queue
    put: Callable[[NewJob], Awaitable[None]]
    now: float
    forsake: Callable[[], Awaitable[float]]
    forget: Callable[[str], Awaitable[None]]

    async def put_all(self, *jobs: NewJob) -> None:
        for job in jobs:
            await self.put(job)

    async def take(self, lane: str = "hook") -> Job:
        job = await self.queue.claim(lane, self.now)
        assert job is not None
        return job


class QueueContract:
    """The tests."""

    async def test_what_was_put_first_is_taken_first(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("two", "b"))
        assert [(await queued.take()).body, (await queued.take()).body] == ["a", "b"]

    async def test_a_job_has_all_that_was_put(self, queued: Queued) -> None:
        await queued.put(hook("one", '{"text": "Grüße \'; --"}'))
        job = await queued.take()
        assert (job.target, job.call_id, job.kind, job.body, job.tries, job.state) == (
            "hook",
            "one",
            "webhook",
            '{"text": "Grüße \'; --"}',
            1,
            "waiting",
        )

    async def test_a_second_one_of_a_call_waits_for_the_first_one(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        first = await queued.take()
        assert await queued.queue.claim("hook", queued.now) is None
        assert await queued.queue.finish(first, queued.now)
        second = await queued.take()
        assert (second.body, await queued.queue.finish(second, queued.now)) == ("b", False)

    async def test_one_that_is_put_off_holds_up_its_call_alone(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"), hook("two", "c"))
        await queued.queue.put_off(await queued.take(), queued.now + 3600, "503")
        assert (await queued.take()).body == "c"
        assert await queued.queue.claim("hook", queued.now) is None

    async def test_one_that_is_put_off_comes_again_with_its_number(self, queued: Queued) -> None:
        await queued.put(hook("one", "a"))
        first = await queued.take()
        await queued.queue.put_off(first, queued.now - 1, "503")
        again = await queued.take()
        assert (again.id, again.tries, again.body) == (first.id, 2, "a")

    async def test_lanes_do_not_see_each_other(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), log_of("one"), NewJob("crm", "one", "recording"))
        assert (await queued.take("crm")).kind == "log"
        assert (await queued.take("crm/recordings")).kind == "recording"
        assert await queued.queue.claim("crm", queued.now) is None

    async def test_a_write_of_the_newest_state_is_not_put_twice(self, queued: Queued) -> None:
        await queued.put_all(log_of("one"), log_of("one"), NewJob("crm", "one", "update"), log_of("two"))
        assert await queued.queue.counts() == {("crm", "waiting"): 2}

    async def test_one_that_is_under_way_does_not_do_for_a_newer_one(self, queued: Queued) -> None:
        await queued.put(log_of("one"))
        under_way = await queued.take("crm")
        await queued.put(NewJob("crm", "one", "update"))
        assert await queued.queue.finish(under_way, queued.now)
        assert (await queued.take("crm")).kind == "update"

    async def test_a_dead_one_is_listed_and_holds_up_nobody(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        await queued.queue.bury(await queued.take(), "400 Bad Request", queued.now)
        assert (await queued.take()).body == "b"
        [dead] = await queued.queue.listed("dead")
        assert (dead.body, dead.state, dead.error, dead.tries) == ("a", "dead", "400 Bad Request", 1)
        assert await queued.queue.listed("dead", after=dead.id) == []

    async def test_a_dead_one_is_sent_again_by_hand(self, queued: Queued) -> None:
        await queued.put(hook("one", "a"))
        dead = await queued.take()
        await queued.queue.bury(dead, "400", queued.now)
        assert await queued.queue.retry(dead.id, queued.now) is not None
        again = await queued.take()
        assert (again.id, again.body) == (dead.id, "a")
        assert again.tries >= 2

    async def test_one_that_waits_is_sent_now_by_hand(self, queued: Queued) -> None:
        await queued.put(hook("one", "a"))
        waits = await queued.take()
        await queued.queue.put_off(waits, queued.now + 3600, "503")
        assert await queued.queue.retry(waits.id, queued.now) is not None
        assert (await queued.take()).id == waits.id

    async def test_dropping_one_lets_the_next_one_of_its_call_go(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        waits = await queued.take()
        await queued.queue.put_off(waits, queued.now + 3600, "503")
        assert await queued.queue.drop(waits.id, queued.now) is not None
        dropped = await queued.take()
        assert (dropped.id, dropped.error) == (waits.id, DROPPED)
        await queued.queue.finish(dropped, queued.now)
        assert (await queued.take()).body == "b"

    async def test_a_dead_one_is_dropped_too(self, queued: Queued) -> None:
        await queued.put(hook("one", "a"))
        dead = await queued.take()
        await queued.queue.bury(dead, "400", queued.now)
        await queued.queue.drop(dead.id, queued.now)
        assert (await queued.take()).error == DROPPED

    async def test_what_is_not_there_is_neither_sent_nor_dropped(self, queued: Queued) -> None:
        assert await queued.queue.retry(4711, queued.now) is None
        assert await queued.queue.drop(4711, queued.now) is None

    async def test_a_target_that_is_back_gets_all_at_once(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("two", "b"))
        for _ in range(2):
            await queued.queue.put_off(await queued.take(), queued.now + 3600, "503")
        await queued.queue.release("hook", queued.now)
        assert {(await queued.take()).body, (await queued.take()).body} == {"a", "b"}

    async def test_a_call_that_is_forgotten_takes_its_jobs_along(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"), hook("two", "c"), log_of("one"))
        await queued.queue.bury(await queued.take(), "400", queued.now)
        await queued.forget("one")
        assert await queued.queue.counts() == {("hook", "waiting"): 1}

    async def test_the_next_moment_is_that_of_the_first_one_due(self, queued: Queued) -> None:
        assert await queued.queue.next_due("hook") is None
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        await queued.queue.put_off(await queued.take(), queued.now + 3600, "503")
        due = await queued.queue.next_due("hook")
        assert due is not None
        assert abs(due - queued.now - 3600) < 1

    async def test_what_was_left_under_way_comes_again_in_its_place(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        left = await queued.take()
        queued.now = await queued.forsake()
        again = await queued.take()
        assert (again.id, again.body, again.tries) == (left.id, "a", 2)

    async def test_what_could_not_be_settled_comes_again_though_its_engine_lives(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        left = await queued.take()
        for _ in range(2):
            await queued.queue.keep([], queued.now)
        queued.now += LEASE_S + 1
        again = await queued.take()
        assert (again.id, again.body, again.tries) == (left.id, "a", 2)

    async def test_what_somebody_is_still_at_is_not_given_to_another_one(self, queued: Queued) -> None:
        await queued.put(hook("one", "a"))
        mine = await queued.take()
        for _ in range(2):
            await queued.queue.keep([mine], queued.now + LEASE_S - 1)
        assert await queued.queue.claim("hook", queued.now + LEASE_S + 1) is None

    async def test_what_this_engine_is_at_is_not_taken_from_it(self, queued: Queued) -> None:
        await queued.put(hook("one", "a"))
        await queued.take()
        assert not await queued.queue.take_back(queued.now)
        assert await queued.queue.claim("hook", queued.now) is None

    async def test_whoever_came_too_late_changes_nothing(self, queued: Queued) -> None:
        await queued.put_all(hook("one", "a"), hook("one", "b"))
        late = await queued.take()
        queued.now = await queued.forsake()
        await queued.take()
        await queued.queue.finish(late, queued.now)
        await queued.queue.put_off(late, queued.now - 1, "503")
        await queued.queue.bury(late, "400", queued.now)
        assert await queued.queue.claim("hook", queued.now) is None
        assert await queued.queue.counts() == {("hook", "waiting"): 2}
