"""pbxs/*.yaml: what is read, and each fault with its line and remedy."""

from __future__ import annotations

import pytest

from routing_engine.config.pbxs import read_pbx
from routing_engine.settings.dialling import may_show
from routing_engine.settings.yaml_reader import Problems

MAIN = "ami: {address: 127.0.0.1:5038, user: engine, secret: '${AMI}'}\ntrunks: [PJSIP/trunk*]\n"


def notes(file: str = "pbxs/main.yaml") -> Problems:
    return Problems(file, {"AMI": "shh", "ARI": "shh"}.get)


def problems_of(text: str, name: str = "main") -> list[str]:
    found = notes()
    assert read_pbx(name, text, found) is None
    return [str(one) for one in found.problems]


def test_a_pbx_needs_its_manager_interface_and_its_trunks_only() -> None:
    found = read_pbx("main", MAIN, notes())
    assert found is not None
    assert found.keys.ami is not None
    assert (found.keys.ami.address.port, found.keys.ami.secret) == (5038, "shh")
    assert (found.keys.phones, found.keys.trunks, found.keys.recordings) == (
        "PJSIP/{extension}",
        ("PJSIP/trunk*",),
        "none",
    )


def test_two_readings_of_a_history_in_a_database_are_the_same() -> None:
    text = MAIN + "history: {sql: {database: 'mysql://reader@db.example.com/asteriskcdrdb', password: '${AMI}'}}\n"
    first, second = read_pbx("main", text, notes()), read_pbx("main", text, notes())
    assert first is not None
    assert first == second, "else each reload would leave the PBX, and a gap"
    assert first.keys.history is not None
    assert first.keys.history.sql is not None
    assert (first.keys.history.sql.table, "shh" in repr(first)) == ("cdr", False)


def test_a_secret_is_shown_by_no_repr() -> None:
    assert "shh" not in repr(read_pbx("main", MAIN, notes()))


def test_a_manager_interface_of_another_machine_is_remarked() -> None:
    found = notes()
    read_pbx("main", MAIN.replace("127.0.0.1", "192.0.2.7"), found)
    assert "in the clear" in str(found.remarks[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trunks: [PJSIP/trunk*]\n", "'ami'"),
        ("ami: {address: 127.0.0.1:5038, user: engine, secret: '${AMI}'}\n", "'trunks'"),
        (MAIN + "phones: PJSIP/201\n", "does not say where the extension stands"),
        (MAIN + "phones: '{extension}'\n", "does not say where the extension stands"),
        (MAIN.replace("PJSIP/trunk*", "trunk"), "'trunk' is not a channel"),
        (MAIN + "recordings: ari\n", "'recordings: ari' needs 'ari'"),
        (MAIN + "recordings: disk\n", "'recordings' cannot be 'disk'"),
        (MAIN + "ari: {address: 127.0.0.1:8088, user: e, secret: '${ARI}'}\n", "is not an http or https address"),
        (MAIN + "dial: {context: 'from internal'}\n", "'from internal' is not a context"),
        (MAIN + "dial: {}\n", "'context' is missing"),
        (MAIN + "dial: {context: x, auto_answer: {yeahlink: '201'}}\n", "did you mean 'yealink'?"),
        (MAIN + "numbers: ['0123456']\n", "'0123456' is no number"),
        (MAIN + "numbers: ['+4312345699..+4312345600']\n", "does not go from a number to a higher one"),
        (MAIN + "numbers: ['+43123456..+4312345699']\n", "does not go from a number to a higher one"),
        (MAIN + "sip: {server: 'https://pbx'}\n", "is not the address of a server over WebSocket"),
        (MAIN + "sip: {server: 'wss://pbx/ws'}\n", "'sip' needs 'ari'"),
        (MAIN + "history: {}\n", "add for example csv: /var/log/asterisk"),
        (MAIN + "history: {csv: x, sql: {database: 'mysql://r@h/cdr'}}\n", "two places of one history"),
        (MAIN + "history: {sql: {database: 'mysql://r:secret@h/cdr'}}\n", "a password stands in the address"),
        (MAIN + "history: {sql: {database: 'oracle://r@h/cdr'}}\n", "'database' is not the address of a database"),
        (MAIN + "history: {sql: {database: 'sqlite:///cdr.db'}}\n", "the file 'cdr.db' is not there"),
        (MAIN + "history: {sql: {database: 'mysql://r@h/cdr', table: 'a`b'}}\n", "is not the name of a table"),
        (MAIN + "history: {sql: {database: 'mysql://r@h/cdr', timezone: Wien}}\n", "there is no time zone 'Wien'"),
        (MAIN + "trunk: [PJSIP/x]\n", "did you mean 'trunks'?"),
    ],
)
def test_a_fault_of_a_pbx_is_told_with_its_line(text: str, said: str) -> None:
    told = problems_of(text)
    assert all(one.startswith("pbxs/main.yaml:") for one in told)
    assert any(said in one for one in told)


def test_numbers_hold_single_ones_and_ranges() -> None:
    found = read_pbx("main", MAIN + "numbers: ['+4312345600..+4312345699', '+493012345601']\n", notes())
    assert found is not None
    shown = ["+4312345600", "+4312345677", "+4312345699", "+493012345601"]
    assert [may_show(found.keys.numbers, one) for one in shown] == [True] * 4
    others = ["+4312345700", "+43123456", "+431234565000", "12345650", ""]
    assert [may_show(found.keys.numbers, one) for one in others] == [False] * 5


def test_a_pbx_cannot_be_called_anything() -> None:
    assert "cannot be called 'a/b'" in problems_of(MAIN, "a/b")[0]
