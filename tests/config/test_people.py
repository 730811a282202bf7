"""users.yaml and groups.yaml: what is read, each fault with its line, and that nobody gets more than is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.config.folder import read_folder
from routing_engine.config.load import Configuration, configure
from routing_engine.config.people import read_groups, read_users, users_by_phone
from routing_engine.errors import ConfigError
from routing_engine.settings.dialling import DialKeys, read_range
from routing_engine.settings.pbx import Pbx, PbxKeys
from routing_engine.settings.people import Group, People, User
from routing_engine.settings.yaml_reader import Problems

from .folders import PROVIDERS

CRM = {"crm": ["contact", "lead"]}


def of_users(text: str) -> list[str]:
    found = Problems("users.yaml")
    read_users(text, found, ["main"], ["crm"])
    return [str(one) for one in found.problems]


def of_groups(text: str) -> tuple[dict[str, Group], list[str]]:
    notes = Problems("groups.yaml")
    found = read_groups(text, notes, CRM)
    return found, [str(one) for one in notes.problems]


def folder(place: Path, groups: str | None, users: str = "anna: {name: Anna, group: sales}\n") -> Configuration:
    (place / "users.yaml").write_text(users)
    if groups is not None:
        (place / "groups.yaml").write_text(groups)
    return configure(read_folder(place), {}, folder=place)


# Users


def test_a_caller_id_that_the_trunk_may_not_show_is_remarked() -> None:
    pbx = Pbx("main", PbxKeys(dial=DialKeys(context="out"), numbers=(read_range("+4312345600..+4312345699"),)))
    text = "anna: {name: Anna, phones: [main/201], caller_ids: {DE: '+4930123', else: '+4312345601'}}\n"
    notes = Problems("users.yaml")
    read_users(text, notes, ["main"], [], usable={"main": pbx})
    assert [str(one) for one in notes.remarks] == [
        "users.yaml:1: 'anna' cannot dial with +4930123: 'numbers' of the PBX 'main' lacks it; "
        "add it to pbxs/main.yaml, if its trunk may show it"
    ]


def test_a_phone_belongs_to_one_person() -> None:
    text = "anna: {name: Anna, phones: [main/201]}\nbert: {name: Bert, phones: [main/201]}\n"
    assert of_users(text) == [
        "users.yaml:2: the phone 'main/201' is that of 'anna' already; let it belong to one of them"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anna: {name: Anna, phones: [201]}\n", "'201' is not a phone"),
        ("anna: {name: Anna, phones: [mian/201]}\n", "names the PBX 'mian', which is not there; did you mean 'main'?"),
        ("anna: {name: Anna, email: anna}\n", "'anna' is not an e-mail address"),
        ("anna: {name: Anna, crm: {crn: 7}}\n", "names the integration 'crn', which is not there"),
        ("anna: {phones: [main/201]}\n", "'name'"),
        ("anna:\n", "says nothing"),
        ("a b: {name: Anna}\n", "a user cannot be called 'a b'"),
        ("anna: {name: Anna, role: boss}\n", "'role' cannot be 'boss'"),
        ("anna: {name: Anna, caller_ids: {AU: '0664 1'}}\n", "'0664 1' is not a number in E.164"),
        ("anna: {name: Anna, caller_ids: {austria: '+4312345600'}}\n", "'austria' is not a country"),
    ],
)
def test_a_fault_of_a_user_is_told_with_its_line(text: str, said: str) -> None:
    (told, *_) = of_users(text)
    assert told.startswith("users.yaml:1: ")
    assert said in told


def test_users_are_known_by_their_phones() -> None:
    text = "anna: {name: Anna, email: a@example.com, phones: [main/201, main/201-web], crm: {crm: '5'}}\n"
    found = read_users(text, Problems("users.yaml"), ["main"], ["crm"])
    assert users_by_phone(found) == {"main/201": "anna", "main/201-web": "anna"}
    assert found["anna"].crm == {"crm": "5"}
    assert (found["anna"].group, found["anna"].role) == ("default", "agent")


def test_the_caller_id_is_by_the_country_that_is_dialled() -> None:
    text = "anna: {name: Anna, caller_ids: {NO: '+4721000001', else: '+4312345600'}}\n"
    found = read_users(text, Problems("users.yaml"), [], [])
    assert found["anna"].caller_ids == {"NO": "+4721000001", "else": "+4312345600"}


# Groups


def test_a_group_says_what_may_be_done_with_the_records_of_a_model() -> None:
    found, problems = of_groups("default: {models: {crm.contact: [read, edit], crm.lead: create}}\n")
    assert problems == []
    assert found["default"].models == {"crm.contact": {"read", "edit"}, "crm.lead": {"create"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("support: {models: {crm.contact: read}}\n", "it cannot be removed; add default"),
        ("default: {models: {crm.contct: read}}\n", "crm has no such data model; did you mean 'contact'?"),
        ("default: {models: {cmr.contact: read}}\n", "names the integration 'cmr', which is not there"),
        ("default: {models: {contact: read}}\n", "'contact' is not a data model"),
        ("default: {models: {crm.contact: [write]}}\n", "nothing can be done that is called 'write'"),
        ("default: {models: {crm.lead: read}, unknown_caller: crm.lead}\n", "creates crm.lead, and the group may not"),
        ("default: {}\nx y: {models: {}}\n", "a group cannot be called 'x y'"),
        ("default: {right: {}}\n", "'right'"),
        ("default: {}\nsales:\n", "says nothing"),
    ],
)
def test_a_fault_of_a_group_is_told_with_its_line(text: str, said: str) -> None:
    _, problems = of_groups(text)
    assert any(one.startswith("groups.yaml") and said in one for one in problems), problems


def test_a_group_that_is_misread_allows_nothing() -> None:
    found, _ = of_groups("default: {models: {crm.contact: [read, write]}}\n")
    assert found["default"].models == {}


def test_a_list_instead_of_groups_allows_nothing() -> None:
    found, problems = of_groups("- default\n")
    assert (found, len(problems)) == ({"default": Group("default")}, 1)


def test_a_removed_group_falls_back_to_the_default_one_and_it_is_told_whom_that_touches(tmp_path: Path) -> None:
    users = "anna: {name: Anna, group: sales}\nbert: {name: Bert, group: sales}\ncarl: {name: Carl}\n"
    found = folder(tmp_path, "default: {models: {}}\n", users)
    (remark,) = [str(one) for one in found.remarks if one.file == "users.yaml"]
    assert "there is no group 'sales': in the group 'default' instead: anna, bert" in remark
    assert found.people.group_of(found.users["anna"]).name == "default"


ASKS = "sources: [{integration: crm, model: contact, search: {by: caller}, rules: [{to: {queue: a}}]}]\n"


@pytest.mark.parametrize(
    ("groups", "remarked"),
    [
        ("default: {models: {}}\nidle: {models: {crm.contact: read}}\n", True),  # nobody is in that group
        ("default: {models: {crm.contact: read}}\n", False),
        ("default: {models: {}}\nsales: {models: {crm.contact: edit}}\n", False),
        (None, False),
    ],
)
def test_a_route_that_asks_for_what_nobody_may_read_is_remarked(
    tmp_path: Path, groups: str | None, remarked: bool
) -> None:
    (tmp_path / "integrations").mkdir()
    (tmp_path / "integrations/crm.yaml").write_text("provider: fake\nmodels: {contact: {}}\n")
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes/main.yaml").write_text(ASKS + "default: {to: {queue: a}}\n")
    (tmp_path / "users.yaml").write_text("anna: {name: Anna, group: sales}\n")
    if groups is not None:
        (tmp_path / "groups.yaml").write_text(groups)
    found = configure(read_folder(tmp_path), PROVIDERS, folder=tmp_path)
    said = [str(one) for one in found.remarks if "nobody may read 'crm.contact'" in str(one)]
    assert len(said) == remarked
    assert all("the route 'main' looks for callers" in one and "add crm.contact: [read]" in one for one in said)


def test_groups_that_are_not_whole_refuse_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it cannot be removed"):
        folder(tmp_path, "support: {}\n")


def test_without_groups_everybody_reads_and_nobody_writes(tmp_path: Path) -> None:
    found = folder(tmp_path, None)
    assert [*found.groups] == ["default"]


def test_a_start_that_does_without_groups_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "groups.yaml").write_bytes(b"\xff")
    found = configure(read_folder(tmp_path), {}, folder=tmp_path, lenient=True)
    assert found.people.group_of(User("anna", "Anna")) == Group("default")


def test_people_without_any_group_may_nothing() -> None:
    assert People().group_of(User("anna", "Anna", group="sales")).models == {}
