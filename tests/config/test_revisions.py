"""What was in force is kept: by whom and why, byte by byte, as much as is wanted; and a folder goes back to it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from routing_engine.config.authors import Author
from routing_engine.config.changes import FileChange, changes, said
from routing_engine.config.folder import is_file_of_ours, read_folder
from routing_engine.config.put_back import put_back, revision_before
from routing_engine.config.revisions import Revisions
from routing_engine.config.store import ConfigStore
from routing_engine.config.tell_revisions import list_json, whole_json
from routing_engine.errors import RevisionError
from routing_engine.rehearsal import run_examples
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog

from .folders import CRM, PROVIDERS, ROUTE, write

pytestmark = pytest.mark.io

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
FILES = {"integrations/crm.yaml": CRM, "routes/support.yaml": ROUTE, "engine.yaml": "region: AT\n"}
OTHER = ROUTE.replace("sales", "other")


class Site:
    """A folder with an engine: each `take` is a reload, an hour after the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, NOW
        self.store = ConfigStore(folder, PROVIDERS, {"TOKEN": "x"}.get, run_examples=run_examples, now=lambda: self.now)
        self.kept = Revisions(folder)

    def take(self, **files: str) -> str:
        self.now += timedelta(hours=1)
        write(self.folder, {name.replace("__", "/") + ".yaml": text for name, text in files.items()})
        found = self.store.reload()
        self.store.keep()
        return found.revision

    def bytes(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in read_folder(self.folder).written}

    def deeds(self) -> list[str]:
        return [one.what for one in DeedLog(audit_folder(self.folder)).deeds()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder with two revisions."""
    found = Site(write(tmp_path, FILES))
    found.take()
    found.take(routes__support=OTHER, routes__sales=ROUTE)
    return found


def test_each_revision_says_what_it_changed_and_the_newest_is_in_force(site: Site) -> None:
    newest, first = list_json(site.kept, 10)
    assert (newest["what"], newest["state"]) == ("route sales added; route support changed", "in force")
    assert first["what"] == "route support added; integration crm added; engine.yaml added"
    assert first["state"] == "was in force"


def test_a_file_that_several_hold_is_kept_once(site: Site) -> None:
    files = [digest for one in site.kept.every() for digest in one.files.values()]
    assert (len(files), len(list((site.kept.path / "files").iterdir()))) == (7, 4)


def test_a_revision_that_comes_again_is_one_revision(site: Site) -> None:
    first = site.kept.every()[1].number
    (site.folder / "routes" / "sales.yaml").unlink()
    assert site.take(routes__support=ROUTE) == first
    assert site.kept.every()[0].number == first
    assert site.deeds() == ["in force"] * 3


def test_the_oldest_go_with_their_files(site: Site) -> None:
    newest = site.take(engine="revisions: {keep: 1}\n")
    assert [one.number for one in site.kept.every()] == [newest]
    held = set(site.kept.read(newest).files.values())
    assert {path.name for path in (site.kept.path / "files").iterdir()} == held


def test_the_owner_of_what_changed_is_known(site: Site) -> None:
    assert site.kept.every()[0].author.who == f"file owner {site.folder.owner()}"


def test_who_has_said_to_bring_a_revision_is_its_author(site: Site) -> None:
    write(site.folder, {"routes/support.yaml": ROUTE})
    site.kept.announce(read_folder(site.folder).revision, Author("anna", "console"))
    assert site.kept.read(site.take()).author == Author("anna", "console")


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Anna Gruber", "-c", "user.email=anna@example.com")
    program = shutil.which("git") or "git"
    subprocess.run([program, *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_checkout_tells_its_commit_and_what_is_not_in_it(tmp_path: Path) -> None:
    site = Site(write(tmp_path / "config", FILES))
    git(tmp_path, "init")
    git(tmp_path, "add", "config")
    git(tmp_path, "commit", "-m", "support: to sales\n\nMore.")
    author = site.kept.read(site.take()).author
    assert (author.who, author.why, len(author.commit)) == ("Anna Gruber", "support: to sales", 12)
    changed = site.kept.read(site.take(routes__support=OTHER)).author
    assert (changed.why, changed.commit) == ("not committed: routes/support.yaml", author.commit)


def test_a_folder_goes_back_byte_by_byte_and_forward_again(site: Site) -> None:
    before = site.bytes()
    done = put_back(site.kept, revision_before(site.kept), "anna", LATER)
    assert read_folder(site.folder).revision == done.now
    assert said(done.changed) == "route support changed; route sales removed"
    put_back(site.kept, revision_before(site.kept), "anna", LATER + timedelta(days=1))
    assert site.bytes() == before
    assert site.deeds()[2:] == ["rollback", "rollback"]


def test_what_a_revision_changed_stays_so_when_another_one_comes_again(site: Site) -> None:
    put_back(site.kept, revision_before(site.kept), "anna", LATER)
    first, second = list_json(site.kept, 10)
    assert first["what"] == "route support changed; route sales removed"
    assert second["what"] == "route sales added; route support changed"


def test_bytes_that_no_text_has_come_back_too(tmp_path: Path) -> None:
    site = Site(write(tmp_path, FILES))
    (tmp_path / "routes" / "support.yaml").write_bytes(b"\xef\xbb\xbf" + ROUTE.replace("\n", "\r\n").encode())
    first, held = site.take(), site.bytes()
    site.take(routes__support=OTHER)
    put_back(site.kept, site.kept.read(first), "anna", LATER)
    assert (read_folder(tmp_path).revision, site.bytes()) == (first, held)


def test_what_was_never_in_force_is_not_lost(site: Site) -> None:
    write(site.folder, {"routes/support.yaml": "half a rou"})
    done = put_back(site.kept, site.kept.read(site.kept.newest), "anna", LATER)
    assert [one["state"] for one in list_json(site.kept, 10) if one["revision"] == done.before] == ["never in force"]
    put_back(site.kept, site.kept.find(done.before), "anna", LATER)
    assert (site.folder / "routes" / "support.yaml").read_text() == "half a rou"


def test_the_engine_takes_what_was_put_back_and_notes_nothing_twice(site: Site) -> None:
    done = put_back(site.kept, revision_before(site.kept), "anna", LATER)
    assert site.store.changed()
    assert site.take() == done.now
    assert (site.kept.read(done.now).author.who, site.deeds()[-1]) == ("anna", "rollback")


def test_the_modes_of_files_stay(site: Site) -> None:
    path = site.folder / "routes" / "support.yaml"
    path.chmod(0o600)
    put_back(site.kept, revision_before(site.kept), "anna", LATER)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_a_link_is_left_alone(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere, path = tmp_path_factory.mktemp("elsewhere") / "s.yaml", site.folder / "routes" / "support.yaml"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(RevisionError, match=f"'routes/support.yaml' is a link to {elsewhere}"):
        put_back(site.kept, revision_before(site.kept), "anna", LATER)
    assert (elsewhere.read_text(), (site.folder / "routes" / "sales.yaml").exists()) == (OTHER, True)


def test_what_cannot_be_kept_is_not_overwritten(site: Site) -> None:
    before = site.bytes(), site.kept.standing.read()
    (site.folder / "users.yaml").mkdir()
    with pytest.raises(RevisionError, match=r"'users.yaml' would be lost"):
        put_back(site.kept, revision_before(site.kept), "anna", LATER)
    assert (site.bytes(), site.kept.standing.read()) == before


def test_a_revision_is_found_by_its_beginning(site: Site) -> None:
    newest = site.kept.newest
    assert site.kept.find(newest[:6]).number == newest
    for wrong in ("", "zz", newest[:3], "../../etc"):
        with pytest.raises(RevisionError, match="there is no revision"):
            site.kept.find(wrong)


def test_the_differences_are_those_of_the_files(site: Site) -> None:
    newest, first = site.kept.every()
    lines = str(whole_json(site.kept, newest, first)["diff"]).splitlines()
    assert lines[:2] == ["--- /dev/null", "+++ b/routes/sales.yaml"]
    assert lines[-2:] == ["-default: {to: {queue: sales}}", "+default: {to: {queue: other}}"]


def test_many_changes_are_said_in_few_words() -> None:
    after = {f"routes/r{number}.yaml": "1" for number in range(7)} | {"lists/blocked.txt": "1", "users.yaml": "1"}
    found = changes({"lists/blocked.txt": "0"}, after)
    assert said(found) == "routes r0, r1, r2, r3 and 3 more added; list blocked.txt changed; users.yaml added"
    assert said([FileChange("providers/acme.yaml", "removed")]) == "provider acme removed"


@pytest.mark.parametrize("name", ["../x.yaml", "routes/../x.yaml", "/etc/passwd", "state/x.yaml", "x.yaml", "routes/x"])
def test_no_revision_names_what_is_none_of_a_folder(name: str) -> None:
    assert not is_file_of_ours(name)
