"""Passwords, sessions, known devices and the audit: what is kept of those who log in. Nothing here is a secret itself.

A token is kept as its SHA-256: who reads the database cannot log in with what stands there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, text

_PASSWORD = text("SELECT hash FROM passwords WHERE user_key = :user")
_FORGET_PASSWORD = text("DELETE FROM passwords WHERE user_key = :user")
_SET_PASSWORD = text(
    "INSERT INTO passwords (user_key, hash, set_at, known_at) VALUES (:user, :hash, :now, :now)"
    " ON CONFLICT (user_key) DO UPDATE SET hash = :hash, set_at = :now, known_at = :now"
)
_WITH_PASSWORD = text("SELECT user_key FROM passwords")
_BEGIN = text("INSERT INTO sessions (token, user_key, stamp, began, seen) VALUES (:token, :user, :stamp, :now, :now)")
_SESSIONS = text("SELECT token, user_key, stamp, began, seen FROM sessions WHERE token IN :tokens").bindparams(
    bindparam("tokens", expanding=True)
)
_ALL = text("SELECT token, user_key, stamp FROM sessions")
_HERE = text("SELECT DISTINCT user_key FROM sessions WHERE began >= :began AND seen >= :seen")
_SEEN = text("UPDATE sessions SET seen = :now WHERE token = :token AND seen < :now")
_END = text("DELETE FROM sessions WHERE token = :token")
_END_OF_USER = text("DELETE FROM sessions WHERE user_key = :user")
_END_OTHERS = text("DELETE FROM sessions WHERE user_key = :user AND token != :kept")
_EXPIRE = text("DELETE FROM sessions WHERE began < :began OR seen < :seen")
_DEVICE = text("SELECT user_key FROM devices WHERE token = :token")
_KNOW_DEVICE = text(
    "INSERT INTO devices (token, user_key, seen) VALUES (:token, :user, :now)"
    " ON CONFLICT (token) DO UPDATE SET seen = :now"
)
_FORGET_DEVICES = text("DELETE FROM devices WHERE seen < :before")
_NOTE = text("INSERT INTO audit (at, who, what, about, address) VALUES (:at, :who, :what, :about, :address)")
_AUDIT = text(
    "SELECT at, who, what, about, address FROM audit WHERE (:who = '' OR who = :who) AND at >= :since"
    " ORDER BY id DESC LIMIT :most"
)
_FORGET_AUDIT = text("DELETE FROM audit WHERE at < :before")
_KNOWN = text("UPDATE passwords SET known_at = :now WHERE user_key IN :users").bindparams(
    bindparam("users", expanding=True)
)
_UNKNOWN = text("DELETE FROM passwords WHERE known_at < :before")


@dataclass(frozen=True, slots=True)
class KeptSession:
    """Somebody who has logged in. `stamp` is what the person was then; moments are seconds since 1970."""

    user: str
    stamp: str
    began: float
    seen: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, about what, and from where. `who` is "" for somebody who is not known."""

    at: float
    who: str
    what: str
    about: str = ""
    address: str = ""


def password_of(connection: Connection, user: str) -> str | None:
    """Return the hash of a person's password."""
    found: str | None = connection.execute(_PASSWORD, {"user": user}).scalar()
    return found


def users_with_password(connection: Connection) -> set[str]:
    """Return the keys of those who have a password."""
    return {user for (user,) in connection.execute(_WITH_PASSWORD)}


def set_password(connection: Connection, user: str, hashed: str | None, now: float, by: str) -> None:
    """Keep the password of a person, or none any more; whoever is logged in under that name is so no longer."""
    if hashed is None:
        connection.execute(_FORGET_PASSWORD, {"user": user})
    else:
        connection.execute(_SET_PASSWORD, {"user": user, "hash": hashed, "now": now})
    connection.execute(_END_OF_USER, {"user": user})
    note(connection, AuditEntry(now, by, "password removed" if hashed is None else "password set", user))


def change_password(connection: Connection, user: str, hashed: str, now: float, proven: str, kept: str) -> bool:
    """Keep a new password, and end all sessions but `kept`; False where the old one is not, or no longer, `proven`."""
    if password_of(connection, user) != proven:
        return False
    connection.execute(_SET_PASSWORD, {"user": user, "hash": hashed, "now": now})
    connection.execute(_END_OTHERS, {"user": user, "kept": kept})
    return True


def begin_session(connection: Connection, token: str, user: str, stamp: str, now: float, proven: str | None) -> bool:
    """Keep a session. `proven` is the hash that the password was held against; False where it has changed meanwhile."""
    if proven is not None and password_of(connection, user) != proven:
        return False
    connection.execute(_BEGIN, {"token": token, "user": user, "stamp": stamp, "now": now})
    return True


def sessions_of(connection: Connection, tokens: Collection[str]) -> dict[str, KeptSession]:
    """Return sessions by their tokens."""
    rows = connection.execute(_SESSIONS, {"tokens": [*tokens]})
    return {token: KeptSession(*row) for token, *row in rows}


def users_logged_in(connection: Connection, began: float, seen: float) -> set[str]:
    """Return who has a session that began, and was last seen, at these moments or later."""
    return {user for (user,) in connection.execute(_HERE, {"began": began, "seen": seen})}


def see_session(connection: Connection, token: str, now: float) -> None:
    """Note that a session is in use."""
    connection.execute(_SEEN, {"token": token, "now": now})


def end_session(connection: Connection, token: str) -> None:
    """End one session."""
    connection.execute(_END, {"token": token})


def end_sessions_of(connection: Connection, user: str) -> None:
    """End every session of a person."""
    connection.execute(_END_OF_USER, {"user": user})


def end_changed(connection: Connection, stamps: Mapping[str, str]) -> None:
    """End every session whose person is not, or no longer, what `stamps` says, by key."""
    for token, user, stamp in connection.execute(_ALL).all():
        if stamps.get(user) != stamp:
            connection.execute(_END, {"token": token})


def device_of(connection: Connection, token: str) -> str | None:
    """Return who has logged in with a device before."""
    found: str | None = connection.execute(_DEVICE, {"token": token}).scalar()
    return found


def know_device(connection: Connection, token: str, user: str, now: float) -> None:
    """Note that a person has logged in with a device."""
    connection.execute(_KNOW_DEVICE, {"token": token, "user": user, "now": now})


def keep_people_up(
    connection: Connection, users: Collection[str], began: float, seen: float, gone: float, old: float, now: float
) -> None:
    """Delete sessions that are over, devices and passwords of people who are long gone, and what is old in the audit.

    A session that began before `began`, or was last seen before `seen`, is over. A password whose person was in
    users.yaml last before `gone` must not be that of somebody who gets the same key later.
    """
    connection.execute(_EXPIRE, {"began": began, "seen": seen})
    if users:
        connection.execute(_KNOWN, {"now": now, "users": [*users]})
    connection.execute(_UNKNOWN, {"before": gone})
    connection.execute(_FORGET_DEVICES, {"before": old})
    connection.execute(_FORGET_AUDIT, {"before": old})


def note(connection: Connection, entry: AuditEntry) -> None:
    """Add to the audit. Nothing there is ever changed."""
    row = {"at": entry.at, "who": entry.who, "what": entry.what, "about": entry.about, "address": entry.address}
    connection.execute(_NOTE, row)


def audit_entries(connection: Connection, who: str, since: float, most: int) -> Sequence[AuditEntry]:
    """Return what was done since a moment, the newest first; `who` "" is everybody."""
    asked = {"who": who, "since": since, "most": most}
    return [AuditEntry(*row) for row in connection.execute(_AUDIT, asked)]
