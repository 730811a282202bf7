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


def sized(letters: int) -> CacheEntry:
    return CacheEntry((Record({"note": "x" * letters}),), 0)


def key(name: str) -> Key:
    return name, "", "", "", "", ""


def test_answers_are_counted_in_bytes_too() -> None:
    told: list[tuple[str, bool]] = []
    cache = Cache(1000, lambda one, entry: told.append((one[0], entry is None)), 500_000)
    for name in "abcd":
        cache.put(key(name), sized(150_000))
    assert [one[0] for one, _ in cache] == ["b", "c", "d"]
    assert told[-1] == ("a", True)


def test_a_fat_answer_is_not_kept_and_takes_an_older_one_away() -> None:
    cache = Cache(1000)
    cache.put(key("a"), entry())
    cache.put(key("a"), sized(200_000))
    cache.put(key("b"), CacheEntry((Record({"notes": ("x" * 1000,) * 200}),), 0))
    cache.put(key("x" * 200_000), entry())
    assert len(cache) == 0


def test_what_has_gone_counts_no_more() -> None:
    cache = Cache(1000, most_bytes=400_000)
    for round_ in range(20):
        cache.put(key("a"), sized(150_000))
        cache.put(key("b"), CacheEntry((Record({"phone": "+43 664 1234567", "note": "x" * 150_000}),), round_))
        assert cache.forget("+436641234567") == 1
    assert len(cache) == 1
