"""Answers kept in memory: found by what was asked, bounded, forgotten on demand."""

from __future__ import annotations

from dataclasses import replace

from routing_engine.core.asks import Find
from routing_engine.core.model import Record, Source
from routing_engine.core.phone import read_number
from routing_engine.core.templates import read_template
from routing_engine.lookup.cache import Cache, CacheEntry, Key, key_of

ANNA = read_number("+436641234567", "AT")
SOURCE = Source("customers", "crm", "contact", read_template("{call.caller}"), field="phone")
ASK = Find(SOURCE, "+436641234567", ANNA)


def entry(number: str = "") -> CacheEntry:
    return CacheEntry((Record({"phone": number}),), 0)


def test_the_key_is_what_was_really_asked() -> None:
    others = [replace(ASK, value="1"), replace(ASK, caller=None)]
    others += [replace(ASK, source=replace(SOURCE, **{name: "x"})) for name in ("integration", "model", "field")]
    assert len({key_of(one) for one in (ASK, *others)}) == 6


def test_sources_of_other_names_share_an_answer() -> None:
    assert key_of(ASK) == key_of(replace(ASK, source=replace(SOURCE, name="leads")))


def test_the_answer_not_used_for_longest_makes_room() -> None:
    cache, told = Cache(2), []
    cache = Cache(2, lambda key, one: told.append((key[0], one is None)))
    for name in "ab":
        cache.put((name, "", "", "", "", ""), entry())
    cache.get(("a", "", "", "", "", ""))
    cache.put(("c", "", "", "", "", ""), entry())
    assert [key[0] for key, _ in cache] == ["a", "c"]
    assert told == [("a", False), ("b", False), ("c", False), ("b", True)]


def test_a_number_is_forgotten_as_question_and_as_answer() -> None:
    cache = Cache(10)
    asked: Key = key_of(ASK)
    cache.put(asked, entry())
    cache.put(("crm", "contact", "id", "7", "", ""), entry("+43 664 1234567"))
    cache.put(("crm", "contact", "id", "8", "", ""), entry("+43 664 7654321"))
    assert cache.forget("+436641234567") == 2
    assert [key[3] for key, _ in cache] == ["8"]
