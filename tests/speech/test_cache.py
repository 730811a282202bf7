"""The folder of what was said."""

import hashlib
import os
from pathlib import Path

import pytest

from routing_engine.errors import SpeechError
from routing_engine.speech.cache import YOUNG_S, SoundCache

OLD_S = YOUNG_S + 60


def key_of(word: str) -> str:
    """Return a key as texts have it."""
    return hashlib.sha256(word.encode()).hexdigest()[:40]


WORDS = {key_of(word): word for word in (*map(str, range(20)), "fixed", "new", "one")}


def keep(cache: SoundCache, word: str, size: int, age_s: float = 0) -> None:
    made = cache.open_work("text") / "made.wav"
    made.write_bytes(b"x" * size)
    if age_s:
        os.utime(made, (made.stat().st_mtime - age_s,) * 2)
    cache.keep(key_of(word), made)
    (made.parent / "text").unlink()
    made.parent.rmdir()


def kept(folder: Path) -> set[str]:
    return {WORDS.get(one.stem, one.stem) for one in folder.glob("*.wav")}


def test_what_was_not_used_for_longest_is_removed(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    for number in range(5):
        keep(cache, str(number), 180, OLD_S + 10 - number)
    assert cache.touch(key_of("0"))
    keep(cache, "5", 180, OLD_S)
    assert kept(tmp_path) == {"0", "2", "3", "4", "5"}


def test_what_may_be_playing_stays(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    for number in range(5):
        keep(cache, str(number), 400)
    assert len(kept(tmp_path)) == 5


def test_sounds_that_may_be_playing_take_no_more_than_twice_the_limit(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    for number in range(6):
        keep(cache, str(number), 400)
    with pytest.raises(SpeechError, match="take twice of what cache_mb allows"):
        keep(cache, "6", 400)
    assert len(kept(tmp_path)) == 6
    for sound in tmp_path.glob("*.wav"):
        os.utime(sound, (0, 0))
    keep(cache, "new", 400)
    assert "new" in kept(tmp_path)


def test_the_sounds_of_others_are_never_removed(tmp_path):
    cache = SoundCache(tmp_path / "sounds", 1000)
    keep(cache, "0", 10)
    (tmp_path / "outside.wav").write_bytes(b"x")
    for name in ("welcome.wav", "0" * 39 + ".wav", "0" * 41 + ".wav", "A" * 40 + ".wav", ".new-mine"):
        (tmp_path / "sounds" / name).write_bytes(b"x" * 5000)
        os.utime(tmp_path / "sounds" / name, (0, 0))
    (tmp_path / "sounds" / ("a" * 40 + ".wav")).symlink_to(tmp_path / "outside.wav")
    before = {one.name for one in (tmp_path / "sounds").iterdir()}
    keep(cache, "1", 2000)
    assert before - {one.name for one in (tmp_path / "sounds").iterdir()} == set()


def test_what_is_spared_stays(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    cache.spared = {key_of("fixed")}
    keep(cache, "fixed", 400, OLD_S + 100)
    for number in range(4):
        keep(cache, str(number), 400, OLD_S - number)
    assert "fixed" in kept(tmp_path)
    assert len(kept(tmp_path)) == 2


def test_a_new_engine_counts_what_the_old_one_left(tmp_path):
    for number in range(4):
        keep(SoundCache(tmp_path, 10_000), str(number), 400, OLD_S + number)
    keep(SoundCache(tmp_path, 1000), "new", 100)
    assert kept(tmp_path) == {"new", "0", "1"}


def test_what_a_killed_engine_left_is_removed(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    left, fresh = cache.open_work("text"), cache.open_work("text")
    os.utime(left, (0, 0))
    keep(cache, "new", 10)
    assert not left.exists()
    assert fresh.exists()


def test_an_emptied_folder_is_noticed_and_other_files_are_left_alone(tmp_path):
    cache = SoundCache(tmp_path / "sounds", 1000)
    keep(cache, "one", 10)
    assert cache.touch(key_of("one"))
    for file in (tmp_path / "sounds").iterdir():
        file.unlink()
    (tmp_path / "sounds").rmdir()
    assert not cache.touch(key_of("one"))
    keep(cache, "one", 10)
    assert cache.touch(key_of("one"))
