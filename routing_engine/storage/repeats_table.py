"""Answers to requests that may be sent again (`Idempotency-Key`), each once, for a day."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

_KEEP = text(
    "INSERT INTO kept_answers (who, name, digest, at, status, headers, body) "
    "VALUES (:who, :name, :digest, :at, :status, :headers, :body) ON CONFLICT DO NOTHING"
)
_FIND = text(
    "SELECT digest, at, status, headers, body FROM kept_answers WHERE who = :who AND name = :name AND at >= :since"
)
_EXPIRE = text("DELETE FROM kept_answers WHERE at < :before")
# The oldest first: whoever floods us pushes out what is old, and the disk stays as it is.
_BOUND = text(
    "DELETE FROM kept_answers WHERE at <= (SELECT at FROM kept_answers ORDER BY at DESC LIMIT 1 OFFSET :most)"
)
_FORGET = text("DELETE FROM kept_answers")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered to a request: `digest` is the request's, `headers` and `body` are JSON."""

    digest: str
    at: float
    status: int
    headers: str
    body: str


def keep_answer(connection: Connection, who: str, name: str, answer: KeptAnswer) -> None:
    """Keep the answer to the request that `who` has given this name; the first one stays."""
    values = {"digest": answer.digest, "at": answer.at, "status": answer.status}
    connection.execute(_KEEP, {"who": who, "name": name, **values, "headers": answer.headers, "body": answer.body})


def find_answer(connection: Connection, who: str, name: str, since: float) -> KeptAnswer | None:
    """Return what was answered since then, None where nothing was."""
    found = connection.execute(_FIND, {"who": who, "name": name, "since": since}).first()
    return None if found is None else KeptAnswer(*found)


def bound_answers(connection: Connection, before: float, most: int) -> None:
    """Delete what is older, and all but the newest `most`."""
    connection.execute(_EXPIRE, {"before": before})
    connection.execute(_BOUND, {"most": most})


def forget_answers(connection: Connection) -> None:
    """Delete all of them: any may hold a number that is to be forgotten, and who sends again is seldom."""
    connection.execute(_FORGET)
