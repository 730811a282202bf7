"""The configuration in force: whole or not at all, and a change seen however it is made."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from routing_engine.config.store import ConfigStore, FolderInForce
from routing_engine.errors import ConfigError, Problem
from routing_engine.rehearsal import run_examples

from .folders import CRM, PROVIDERS, ROUTE, revision_of, write
from .test_read import SUPPORT

pytestmark = pytest.mark.io

GOOD = {"integrations/crm.yaml": CRM, "routes/support.yaml": SUPPORT, "routes/other.yaml": ROUTE}
OTHER = "default: {to: {queue: other}}\n"
BAD = "default: {to: {quue: other}}\n"


@pytest.fixture
def store(tmp_path: Path) -> ConfigStore:
    found = ConfigStore(write(tmp_path, GOOD), PROVIDERS, {"TOKEN": "hunter2"}.get, run_examples=run_examples)
    found.load()
    return found


def queue(store: ConfigStore) -> str:
    return str(store.in_force.routes["other"].default.to.target.parts[0])


def replace_by_rename(path: Path, text: str) -> None:
    new = path.with_suffix(".tmp")
    new.write_text(text)
    os.replace(new, path)


def test_a_folder_is_read_whole(store: ConfigStore) -> None:
    found = store.in_force
    assert sorted(found.routes) == ["other", "support"]
    assert found.integrations["crm"].settings == ("crm", "hunter2")
    assert {route.revision for route in found.routes.values()} == {found.revision}


def test_nothing_is_in_force_before_the_first_load(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration has been loaded"):
        _ = ConfigStore(tmp_path, PROVIDERS).in_force


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder"):
        ConfigStore(tmp_path / "nowhere", PROVIDERS).load()


def test_what_stays_the_same_is_no_change(store: ConfigStore) -> None:
    assert not store.changed()


def test_a_file_written_anew_is_a_change(store: ConfigStore) -> None:
    write(store.folder, {"routes/other.yaml": OTHER})
    assert store.changed()
    store.reload()
    assert (queue(store), store.changed()) == ("other", False)


def test_a_file_replaced_by_rename_is_a_change(store: ConfigStore) -> None:
    path = store.folder / "routes/other.yaml"
    before = path.stat()
    replace_by_rename(path, ROUTE.replace("sales", "salez"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.changed()


def test_a_new_file_and_a_removed_one_are_changes(store: ConfigStore) -> None:
    write(store.folder, {"routes/third.yaml": OTHER})
    assert store.changed()
    assert "third" in store.reload().routes
    (store.folder / "routes/third.yaml").unlink()
    assert store.changed()
    assert "third" not in store.reload().routes


def test_a_swapped_symbolic_link_is_a_change(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: routes/x.yaml -> ..data/x.yaml, ..data -> a folder with the date."""
    for day, text in (("..monday", ROUTE), ("..tuesday", OTHER)):
        write(tmp_path / "routes" / day, {"other.yaml": text})
    link = tmp_path / "routes" / "..data"
    link.symlink_to("..monday")
    (tmp_path / "routes" / "other.yaml").symlink_to("..data/other.yaml")
    store = ConfigStore(tmp_path, PROVIDERS)
    store.load()
    (tmp_path / "routes" / "..new").symlink_to("..tuesday")
    os.replace(tmp_path / "routes" / "..new", link)
    assert store.changed()
    store.reload()
    assert queue(store) == "other"


def test_a_bad_file_leaves_everything_in_force(store: ConfigStore) -> None:
    before = store.in_force
    write(store.folder, {"routes/other.yaml": BAD, "routes/third.yaml": OTHER})
    with pytest.raises(ConfigError, match=r"routes/other.yaml:1: 'quue' is not a destination"):
        store.reload()
    assert store.in_force is before


def test_the_same_bad_content_is_reported_once(store: ConfigStore) -> None:
    write(store.folder, {"routes/other.yaml": BAD})
    assert store.changed()
    with pytest.raises(ConfigError):
        store.reload()
    assert not store.changed()
    os.utime(store.folder / "routes/other.yaml")
    assert not store.changed()
    write(store.folder, {"routes/other.yaml": OTHER})
    assert store.changed()


def test_going_back_to_the_good_content_is_a_change_too(store: ConfigStore) -> None:
    write(store.folder, {"routes/other.yaml": BAD})
    with pytest.raises(ConfigError):
        store.reload()
    write(store.folder, {"routes/other.yaml": ROUTE})
    assert store.changed()


def test_an_example_that_breaks_keeps_the_last_good_configuration(store: ConfigStore) -> None:
    write(store.folder, {"routes/support.yaml": SUPPORT.replace("tier: gold, balance: {", "tier: silver, balance: {")})
    with pytest.raises(ConfigError, match="the example 'a gold customer goes to the VIP queue' fails"):
        store.reload()
    assert store.in_force.routes["support"].sources


def test_what_another_process_cannot_use_is_not_put_in_force(store: ConfigStore) -> None:
    def refuse(_: FolderInForce) -> None:
        raise ConfigError([Problem("routes/other.yaml", 1, "not here", "look at the worker")])

    store.agree = refuse
    (store.folder / "routes" / "other.yaml").write_text(OTHER)
    with pytest.raises(ConfigError, match="not here"):
        store.reload()
    assert queue(store) != "other"


def test_another_process_makes_the_same_of_what_is_in_force(store: ConfigStore) -> None:
    other = ConfigStore(store.folder, PROVIDERS, {"TOKEN": "hunter2"}.get)
    made = other.prepare(store.texts_in_force)
    assert (made.revision, sorted(made.routes)) == (store.in_force.revision, sorted(store.in_force.routes))


def test_commands_about_people_do_not_read_routes(store: ConfigStore) -> None:
    (store.folder / "routes" / "other.yaml").write_text(BAD)
    found = store.load_people()
    assert (dict(found.routes), list(found.integrations), queue(store)) == ({}, ["crm"], "sales")


def test_a_start_looks_for_remarks_later(store: ConfigStore) -> None:
    (store.folder / "routes" / "other.yaml").write_text(f"input: {{prompt: p, digits: {{min: 4, max: 6}}}}\n{OTHER}")
    assert store.start().remarks == ()
    assert any("nothing uses it" in str(one) for one in store.remarks())


def test_an_empty_file_is_a_broken_one(store: ConfigStore) -> None:
    write(store.folder, {"routes/other.yaml": ""})
    with pytest.raises(ConfigError, match=r"routes/other.yaml: the file is empty"):
        store.reload()


def test_the_revision_differs_with_the_content_only(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", GOOD), write(tmp_path / "b", GOOD)
    (second / "routes/.hidden.yaml").write_text("x")
    (second / "routes/support.yaml~").write_text("x")
    (second / "README").write_text("x")
    assert revision_of(first) == revision_of(second)
    assert len(revision_of(first)) == 12
    os.rename(second / "routes/other.yaml", second / "routes/another.yaml")
    assert revision_of(first) != revision_of(second)


@pytest.mark.parametrize(
    "name", [".hidden.yaml", "#other.yaml#", "other.yaml~", "other.yaml.swp", ".#other.yaml", "notes.txt"]
)
def test_what_editors_leave_behind_is_not_read(store: ConfigStore, name: str) -> None:
    (store.folder / "routes" / name).write_bytes(b"\xff: [")
    assert sorted(store.reload().routes) == ["other", "support"]


def test_a_file_that_is_not_utf_8_is_named(store: ConfigStore) -> None:
    (store.folder / "routes/other.yaml").write_bytes(b"a: b\nc: \xff\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 .the first wrong byte is on line 2"):
        store.reload()


def test_a_byte_order_mark_is_harmless(store: ConfigStore) -> None:
    (store.folder / "routes/other.yaml").write_bytes(b"\xef\xbb\xbf" + OTHER.encode())
    store.reload()
    assert queue(store) == "other"


def test_a_dangling_link_and_a_pipe_are_named(store: ConfigStore) -> None:
    (store.folder / "routes/lost.yaml").symlink_to("nowhere")
    os.mkfifo(store.folder / "routes/pipe.yaml")
    with pytest.raises(ConfigError) as caught:
        store.reload()
    assert [one.file for one in caught.value.problems] == ["routes/lost.yaml", "routes/pipe.yaml"]


def test_a_huge_file_is_refused(store: ConfigStore) -> None:
    write(store.folder, {"routes/other.yaml": "#" * (1 << 20) + "\n"})
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        store.reload()


@pytest.mark.parametrize(
    "name",
    ["a.yaml", "with space.yaml", "-x1.yaml", "a.b.yaml", "x" * 65 + ".yaml", "\udcff1.yaml", "healthcheck-x.yaml"],
)
def test_a_route_that_cannot_be_called_so_is_named(store: ConfigStore, name: str) -> None:
    (store.folder / "routes" / name).write_text(ROUTE)
    with pytest.raises(ConfigError, match="a route cannot be called") as caught:
        store.reload()
    assert str(caught.value).encode()


def test_two_files_of_one_name_are_a_problem(store: ConfigStore) -> None:
    write(store.folder, {"routes/other.yml": ROUTE})
    with pytest.raises(ConfigError, match=r"there is 'routes/other.yaml' too"):
        store.reload()


def test_a_broken_integration_does_not_blame_the_routes(store: ConfigStore) -> None:
    write(store.folder, {"integrations/crm.yaml": "provider: fake\n"})
    with pytest.raises(ConfigError) as caught:
        store.reload()
    assert {one.file for one in caught.value.problems} == {"integrations/crm.yaml"}


def test_no_problem_holds_a_secret(store: ConfigStore) -> None:
    write(
        store.folder, {"integrations/crm.yaml": "provider: fake\ntoken: hunter2\npassword: hunter2\nmodels: {c: {}}\n"}
    )
    with pytest.raises(ConfigError) as caught:
        store.reload()
    assert "hunter2" not in str(caught.value)


def test_a_night_switch_is_taken_while_a_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "engine.yaml").write_text("calendars: {office: {hours: {daily: 24h}}}")
    (tmp_path / "routes" / "support.yaml").write_text("default: {to: {queue: sales}}")
    store = ConfigStore(tmp_path, {})
    good = store.load()
    (tmp_path / "routes" / "support.yaml").write_text("default: {to: {queue: }}")
    now = datetime.now().astimezone()
    until = (now + timedelta(hours=1)).isoformat()
    since = (now - timedelta(minutes=1)).isoformat()
    (tmp_path / "state" / "calendars.yaml").write_text(
        f"overrides: [{{name: office, state: closed, since: '{since}', until: '{until}'}}]\n"
    )
    with pytest.raises(ConfigError):
        store.reload()
    assert store.in_force is not good
    assert store.in_force.revision == good.revision
    assert store.in_force.settings.site.calendars["office"].state(now) == "closed"
