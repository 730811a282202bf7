"""Passwords, sessions, devices and the audit, in whichever database: one contract."""

from __future__ import annotations

from functools import partial

from routing_engine.storage import people_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.people_table import AuditEntry, KeptSession
from routing_engine.storage.place import DatabasePlace

_AT = 1_796_000_000.0


def test_a_password_is_set_changed_and_taken_away_and_ends_sessions(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        setting = partial(people_table.set_password, connection, "anna", now=_AT, by="adam")
        for hashed in ("h1", "h2"):
            setting(hashed=hashed)
            assert people_table.password_of(connection, "anna") == hashed
            assert people_table.begin_session(connection, f"of {hashed}", "anna", "s", _AT, hashed)
        assert people_table.sessions_of(connection, ["of h1"]).get("of h1") is None
        assert people_table.begin_session(connection, "late", "anna", "s", _AT, "h1") is False
        setting(hashed=None)
        assert people_table.sessions_of(connection, ["of h2"]).get("of h2") is None
        assert people_table.users_with_password(connection) == set()


def test_a_session_is_kept_seen_and_ended(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        for token, user in (("t1", "anna"), ("t2", "anna"), ("t3", "bert"), ("t4", "carl")):
            people_table.begin_session(connection, token, user, f"as {user}", _AT, None)
        people_table.see_session(connection, "t1", _AT + 5)
        people_table.see_session(connection, "t1", _AT + 3)  # late, and no step back
        assert people_table.sessions_of(connection, ["t1"]).get("t1") == KeptSession("anna", "as anna", _AT, _AT + 5)
        assert people_table.users_logged_in(connection, _AT, _AT + 5) == {"anna"}
        people_table.end_session(connection, "t1")
        people_table.end_changed(connection, {"anna": "as anna", "bert": "as somebody else"})
        assert people_table.users_logged_in(connection, _AT, _AT) == {"anna"}
        people_table.end_sessions_of(connection, "anna")
        assert people_table.users_logged_in(connection, _AT, _AT) == set()


def test_a_device_is_known_to_one_person(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        for now in (_AT, _AT + 1):
            people_table.know_device(connection, "d1", "anna", now)
        assert [people_table.device_of(connection, token) for token in ("d1", "d2")] == ["anna", None]


def test_the_audit_tells_of_everybody_or_of_one_the_newest_first(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        for count, who in enumerate(("anna", "", "bert", "anna")):
            people_table.note(connection, AuditEntry(_AT + count, who, f"deed {count}", "about", "192.0.2.1"))
        read = partial(people_table.audit_entries, connection)
        assert [one.what for one in read("", 0.0, 3)] == ["deed 3", "deed 2", "deed 1"]
        assert [one.what for one in read("anna", 0.0, 9)] == ["deed 3", "deed 0"]
        assert read("anna", _AT + 1, 9) == [AuditEntry(_AT + 3, "anna", "deed 3", "about", "192.0.2.1")]


def test_what_is_over_or_of_people_who_are_gone_is_deleted(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        for user in ("anna", "gone"):
            people_table.set_password(connection, user, "h", _AT, "adam")
        people_table.begin_session(connection, "t1", "anna", "s", _AT, None)
        people_table.know_device(connection, "d1", "anna", _AT)
        tidy = partial(people_table.keep_people_up, connection, began=_AT + 1, seen=_AT, old=_AT + 1, now=_AT + 9)
        tidy(users=["anna"], gone=_AT + 1)
        assert people_table.users_with_password(connection) == {"anna"}
        assert (people_table.sessions_of(connection, ["t1"]).get("t1"), people_table.device_of(connection, "d1")) == (
            None,
            None,
        )
        assert people_table.audit_entries(connection, "", 0.0, 9) == []
        tidy(users=[], gone=_AT)  # a folder without people: nothing is known of anybody, and nothing is lost at once
        assert people_table.users_with_password(connection) == {"anna"}
