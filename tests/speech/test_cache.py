"""The folder of what was said."""

import os
from pathlib import Path

from routing_engine.speech.cache import YOUNG_S, SoundCache

OLD_S = YOUNG_S + 60


def keep(cache: SoundCache, key: str, size: int, age_s: float = 0) -> None:
    made = cache.open_work("text") / "made.wav"
    made.write_bytes(b"x" * size)
    if age_s:
        os.utime(made, (made.stat().st_mtime - age_s,) * 2)
    cache.keep(key, made)
    (made.parent / "text").unlink()
    made.parent.rmdir()


def kept(folder: Path) -> set[str]:
    return {one.stem for one in folder.glob("*.wav")}


def test_what_was_not_used_for_longest_is_removed(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    for number in range(5):
        keep(cache, str(number), 180, OLD_S + 10 - number)
    assert cache.touch("0")
    keep(cache, "5", 180, OLD_S)
    assert kept(tmp_path) == {"0", "2", "3", "4", "5"}


def test_what_may_be_playing_stays(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    for number in range(9):
        keep(cache, str(number), 400)
    assert len(kept(tmp_path)) == 9


def test_what_is_spared_stays(tmp_path):
    cache = SoundCache(tmp_path, 1000)
    cache.spared = {"fixed"}
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
    assert cache.touch("one")
    for file in (tmp_path / "sounds").iterdir():
        file.unlink()
    (tmp_path / "sounds").rmdir()
    assert not cache.touch("one")
    keep(cache, "one", 10)
    assert cache.touch("one")
