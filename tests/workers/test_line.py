"""The line between two processes: what is told and asked, and what comes of it when one of them is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from routing_engine.workers.line import LineBroken, WorkerLine
from routing_engine.workers.messages import Answer, Forget, Question, Report, Saying, Speak, Take, TellNow

pytestmark = pytest.mark.io


class Side:
    """Hears what the other end tells, and answers when it is let."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Saying] = asyncio.Queue()
        self.asked: asyncio.Queue[Question] = asyncio.Queue()
        self.spoken = asyncio.Event()

    async def reply(self, question: Question) -> Answer:
        self.asked.put_nowait(question)
        if isinstance(question, Speak):
            await self.spoken.wait()
            return question.text.upper()
        if isinstance(question, TellNow):
            raise ValueError("a fault of ours")
        return 7


@asynccontextmanager
async def two_ends() -> AsyncIterator[tuple[WorkerLine, WorkerLine, Side]]:
    """Two lines that hear one another; the side is that of the second."""
    near, far = [await WorkerLine.over(one) for one in socket.socketpair()]
    side, other = Side(), Side()
    running = [
        asyncio.create_task(near.run(other.told.put_nowait, other.reply)),
        asyncio.create_task(far.run(side.told.put_nowait, side.reply)),
    ]
    try:
        yield near, far, side
    finally:
        await near.close()
        await asyncio.gather(*running)


async def test_what_is_told_comes_in_order() -> None:
    async with two_ends() as (near, _, side):
        near.say(Take(routed=True))
        near.say(Report({"calls_total": {("support", "matched"): [3.0]}}, ()))
        assert [await side.told.get(), await side.told.get()] == [
            Take(routed=True),
            Report({"calls_total": {("support", "matched"): [3.0]}}, ()),
        ]


async def test_an_answer_that_takes_its_time_holds_up_no_other() -> None:
    async with two_ends() as (near, _, side):
        slow = asyncio.create_task(near.ask(Speak("hello", "en")))
        await side.asked.get()
        assert await near.ask(Forget("+43123")) == 7
        side.spoken.set()
        assert await slow == "HELLO"


async def test_who_waits_for_an_answer_hears_that_the_other_side_has_gone() -> None:
    async with two_ends() as (near, far, side):
        waiting = asyncio.create_task(near.ask(Speak("hello", "en")))
        await side.asked.get()
        await far.close()
        with pytest.raises(LineBroken):
            await waiting
        with pytest.raises(LineBroken):
            await near.ask(Forget("+43123"))
        near.say(Take(routed=False))  # nobody hears it, and nothing breaks


async def test_a_fault_of_who_answers_is_an_answer_too() -> None:
    async with two_ends() as (near, _, _side):
        assert await near.ask(TellNow()) is None
