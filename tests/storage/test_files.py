"""Files that are private, replaced whole, locked, and never a way to somebody else's."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from routing_engine.storage.files import (
    locked,
    locked_within,
    make_folder,
    open_private,
    replace_file,
    write_new,
)

ROOT = os.geteuid() == 0
#: Whose the folder is: somebody else's where we may make it so, ours else.
OWNER = 65534 if ROOT else os.geteuid()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def make(path: Path) -> None:
    os.close(open_private(path))


def replace(path: Path) -> None:
    replace_file(path, b"new")


def lock(path: Path) -> None:
    with locked(path):
        pass


def begin(path: Path) -> None:
    write_new(path, b"new")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder of the engine's user."""
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, OWNER, -1)
    return folder


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("way", [make, replace, lock, begin])
def test_what_is_made_is_private_and_belongs_to_the_folders_owner(way: Callable[[Path], None], state: Path) -> None:
    way(state / "one")
    assert (mode(state / "one"), (state / "one").stat().st_uid) == (0o600, OWNER)


@pytest.mark.parametrize("way", [make, lock])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_the_place_of_a_file_makes_nothing_and_gives_nothing_away(
    way: Callable[[Path], None], there: bool, state: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "shadow"
    if there:
        victim.write_text("root:*:")
    (state / "one").symlink_to(victim)
    with suppress(FileNotFoundError) if not ROOT else pytest.raises(OSError, match="symbolic links"):
        way(state / "one")
    assert victim.exists() is there
    assert not there or victim.stat().st_uid == os.geteuid()


def test_a_link_is_replaced_and_what_it_leads_to_stays(state: Path, tmp_path: Path) -> None:
    victim = tmp_path / "shadow"
    victim.write_text("root:*:")
    (state / "one").symlink_to(victim)
    replace(state / "one")
    assert (victim.read_text(), (state / "one").read_bytes()) == ("root:*:", b"new")


def test_a_file_that_is_there_is_never_given_away(state: Path) -> None:
    (state / "one").write_text("")
    make(state / "one")
    assert (state / "one").stat().st_uid == os.geteuid()


@pytest.mark.parametrize("way", [make, replace, lock, begin])
def test_root_follows_no_folder_that_the_owner_of_the_one_above_has_linked(
    way: Callable[[Path], None], state: Path, tmp_path: Path
) -> None:
    (tmp_path / "cron.d").mkdir()
    (state / "tokens").symlink_to(tmp_path / "cron.d")
    try:
        way(state / "tokens" / "one")
        refused = False
    except OSError:
        refused = True
    assert refused == ROOT == (not (tmp_path / "cron.d" / "one").exists())


def test_a_link_that_root_itself_has_set_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    replace(tmp_path / "state" / "one")
    assert (tmp_path / "disk" / "one").read_bytes() == b"new"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(state: Path) -> None:
    replace(state / "one")
    (state / "two").mkdir()
    with pytest.raises(OSError, match="two"):
        replace_file(state / "two", b"new")
    assert sorted(one.name for one in state.iterdir()) == ["one", "two"]


@pytest.mark.parametrize("way", [make, replace, lock, begin])
def test_an_error_names_the_whole_path(way: Callable[[Path], None], state: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(state / "none")):
        way(state / "none" / "one")
    (state / "none").write_text("")
    with pytest.raises(NotADirectoryError, match=str(state / "none")):
        way(state / "none" / "one")


def test_a_new_file_takes_the_place_of_none(state: Path) -> None:
    begin(state / "key")
    with pytest.raises(FileExistsError):
        write_new(state / "key", b"other")
    assert (state / "key").read_bytes() == b"new"


def test_missing_folders_belong_to_the_owner_of_the_first_that_was_there(state: Path) -> None:
    make_folder(state / "a" / "b")
    assert [(mode(one), one.stat().st_uid) for one in (state / "a", state / "a" / "b")] == [
        (0o755, OWNER),
        (0o700, OWNER),
    ]


def test_what_others_are_to_read_they_can_whatever_the_umask(state: Path) -> None:
    os.umask(0o077)
    replace_file(state / "one", b"new", 0o644)
    assert mode(state / "one") == 0o644


def test_an_exact_mode_holds_against_every_umask(state: Path) -> None:
    os.umask(0o077)
    make_folder(state / "a" / "b", 0o750, above=0o755, exact=True)
    assert (mode(state / "a"), mode(state / "a" / "b")) == (0o755, 0o750)


@pytest.mark.parametrize("way", [make, replace, lock, begin])
def test_nothing_stays_open(way: Callable[[Path], None], state: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    way(state / "one")
    with suppress(OSError):
        way(state / "none" / "one")
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("name", ["one.lock", "."])
def test_a_lock_is_one_holders_at_a_time(state: Path, name: str) -> None:
    with locked(state / name), locked(state / name, wait=False) as ours:
        assert not ours
    with locked(state / name, wait=False) as ours:
        assert ours


async def hold(path: Path) -> None:
    async with locked_within(path, 60):
        pass


async def test_a_lock_is_waited_for_beside_the_loop(state: Path) -> None:
    with locked(state / "one.lock"):
        waiting = asyncio.get_running_loop().create_task(hold(state / "one.lock"))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_a_lock_is_not_waited_for_longer_than_patience_lasts(state: Path) -> None:
    with locked(state / "one.lock"), pytest.raises(TimeoutError):
        async with locked_within(state / "one.lock", 0.01):
            pass
