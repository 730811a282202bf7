"""What a worker is told of a folder is what differs from what it knows."""

from __future__ import annotations

import os

from routing_engine.config.folder import FolderTexts
from routing_engine.config.store import FolderInForce
from routing_engine.workers.messages import applied, difference
from routing_engine.workers.places import SharedPlaces


def folder(revision: str, lenient: bool = False, **texts: str) -> FolderInForce:
    return FolderInForce(FolderTexts(texts, revision, revision), lenient)


def test_only_what_changed_is_told() -> None:
    told = difference(folder("1", a="x", b="y", c="z"), folder("2", a="x", b="new"))
    assert (dict(told.texts), told.gone, dict(told.rest.texts.texts)) == ({"b": "new"}, ("c",), {})


def test_who_knew_the_one_before_knows_the_next_one_whole() -> None:
    before, now = folder("1", a="x", b="y", c="z"), folder("2", lenient=True, a="x", b="new", d="w")
    assert applied(before, difference(before, now)) == now
    assert applied(None, difference(None, now)) == now


def test_each_worker_sees_the_places_of_the_others() -> None:
    first = SharedPlaces.make(3)
    one, two = (SharedPlaces(os.dup(first.file), 3, number) for number in (0, 1))
    one.tell(5)
    two.tell(2)
    assert (one.others(), two.others(), first.all()) == (2, 5, 7)
    assert (first.clear(0), two.others()) == (5, 0)
