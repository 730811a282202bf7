"""Who is logged in: tokens in cookies, kept as hashes in the database, over when the person or the password changes."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from routing_engine.core.ports import Clock
from routing_engine.errors import StorageError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.settings.log_in import LogInKeys
from routing_engine.settings.people import People, User
from routing_engine.storage import people_table
from routing_engine.storage.database import Database
from routing_engine.web.audit import Audit
from routing_engine.web.passwords import fault_of, hash_of, is_right
from routing_engine.web.requests import ApiError, Peer
from routing_engine.web.session_reads import SessionReads
from routing_engine.web.tries import Tries, place_of

_log = Logger()

#: Names of cookies. `__Host-` is accepted by browsers over TLS only, and from this very host.
COOKIE, DEVICE, GUARDED = "routing_engine", "routing_engine_device", "__Host-"
#: So many wrong passwords from one address within a minute; for one person from devices that are not known, and from
#: each that is, within five. A stranger so keeps out at most new devices, and for minutes.
MOST_OF_ADDRESS, MOST_OF_PERSON = (20, 60.0), (10, 300.0)
#: Each takes memory and a processor: more at once would take them from calls.
_AT_ONCE, _MOST_WAITING = 2, 40
_LONGEST_COOKIE = 2000
_SEEN_EVERY_S = 60.0
_UPKEEP_S = 3600.0
#: How soon it is seen that a command of another process has ended sessions.
LOOK_S = 15.0
_DEVICE_S = 180 * 86_400.0
_GONE_S = 30 * 86_400.0
_WRONG_OLD = ("wrong_old_password", "the old password is wrong", "write the one that you log in with")
_WRONG = ("wrong_password", "name or password is wrong", "try again, or ask the administrator for a new password")


@dataclass(frozen=True, slots=True)
class NewSession:
    """A log-in: who, and the tokens for the cookies; `device` says later that this person was here before."""

    user: User
    token: str
    device: str


class Sessions:
    """Logs people in and out. `now` is the wall clock, `clock` the monotonic one; `ended` hears when sessions end here.

    `people` and `settings` are what is in force.
    """

    def __init__(
        self, database: Database, audit: Audit, people: Callable[[], People], now: Callable[[], float], clock: Clock
    ) -> None:
        self._database, self.audit, self._people, self._now = database, audit, people, now
        self._reads = SessionReads(database)
        self.settings = LogInKeys()
        self.ended: Callable[[], None] = lambda: None
        #: Hears whose last session has ended, in whatever way.
        self.gone: Callable[[str], Awaitable[None]] = _nothing_more
        self._here: set[str] = set()
        self._looking = asyncio.Event()
        self._places = Tries(*MOST_OF_ADDRESS, clock)
        self._persons = Tries(*MOST_OF_PERSON, clock)
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------- log in

    async def log_in(self, name: str, password: str, device: str, peer: Peer) -> NewSession:
        """Log somebody in with a password. Raises `ApiError`, the same for a wrong name and a wrong password."""
        user, known = (
            self._named(name),
            await self._database.read(partial(people_table.device_of, token=_hashed(device))),
        )
        key = name[:200] if user is None else user.key
        # Whoever guesses cannot use up the tries of a device that the person has used before.
        counted = f"{key}\0{_hashed(device)}" if known == key else key
        place = place_of(peer.address)
        if self._places.are_over(place) or self._persons.are_over(counted):
            raise ApiError(429, "too_many_tries", "there were too many wrong passwords", "wait some minutes")
        # Counted before it is looked at: a thousand at once are a thousand tries.
        self._places.count(place)
        self._persons.count(counted)
        # Asked for nobody as well: how long it takes must not say who is there.
        hashed = await self._database.read(partial(people_table.password_of, user=key))
        hashed = None if user is None else hashed
        if not await self._is_right(hashed, password) or user is None or not self.settings.password:
            self.audit.note(user.key if user is not None else "", "log-in refused", address=peer.address)
            raise ApiError(401, *_WRONG)
        self._places.count(place, -1)
        self._persons.count(counted, -1)
        return await self.begin(user, peer, "password", device if known == user.key else "", hashed)

    def _named(self, name: str) -> User | None:
        """Return whose key, or whose e-mail address alone, a name is."""
        users = self._people().users
        by_email = [one for one in users.values() if one.email and one.email.casefold() == name.casefold()]
        return users.get(name) or (by_email[0] if len(by_email) == 1 else None)

    async def _is_right(self, hashed: str | None, password: str) -> bool:
        if self._waiting >= _MOST_WAITING:
            raise ApiError(503, "busy", "too many people log in at once", "try again in some seconds")
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(is_right, hashed, password)
        finally:
            self._waiting -= 1

    async def change_password(self, user: User, session: str, old: str, new: str, peer: Peer) -> None:
        """Change the password of a person who knows the old one, and end all other sessions. Raises `ApiError`."""
        if not self.settings.password:
            raise ApiError(409, "no_passwords", "nobody logs in with a password here", "change it at your provider")
        # Whoever has found an open page guesses in that session, and keeps nobody out of another one.
        counted = f"{user.key}\0{session}"
        if self._persons.are_over(counted):
            raise ApiError(429, "too_many_tries", "there were too many wrong passwords", "wait some minutes")
        self._persons.count(counted)
        hashed = await self._database.read(partial(people_table.password_of, user=user.key))
        if hashed is None or not await self._is_right(hashed, old):
            self.audit.note(user.key, "password change refused", address=peer.address)
            raise ApiError(403, *_WRONG_OLD)
        self._persons.count(counted, -1)
        if fault := fault_of(new, user.key, user.name, user.email):
            raise ApiError(400, "weak_password", fault, "think of a longer one")
        await self._keep_password(user, session, new, hashed)
        self.audit.note(user.key, "password changed", address=peer.address)
        self._tell()

    async def _keep_password(self, user: User, session: str, new: str, proven: str) -> None:
        async with self._room:
            hashed = await asyncio.to_thread(hash_of, new)
        change = partial(people_table.change_password, user=user.key, hashed=hashed, proven=proven, kept=session)
        if not await self._database.write(partial(change, now=self._now())):
            raise ApiError(403, *_WRONG_OLD)  # somebody else has changed it meanwhile

    async def has_password(self, user: User) -> bool:
        """Return whether a person can log in with a password, and so change it."""
        kept = await self._database.read(partial(people_table.password_of, user=user.key))
        return self.settings.password and kept is not None

    async def begin(self, user: User, peer: Peer, how: str, device: str = "", proven: str | None = None) -> NewSession:
        """Begin a session of somebody who has proven who it is. The token is always a new one."""
        token, device, now = secrets.token_urlsafe(32), device or secrets.token_urlsafe(32), self._now()
        stamp = _stamp(user)

        def keep(connection: Connection) -> bool:
            kept = people_table.begin_session(connection, _hashed(token), user.key, stamp, now, proven)
            if kept:
                # In one: whoever has the cookie is known, even to a log-in that comes at once.
                people_table.know_device(connection, _hashed(device), user.key, now)
            return kept

        if not await self._database.write(keep):
            raise ApiError(401, *_WRONG)  # the password was changed while it was looked at
        self.audit.note(user.key, f"logged in: {how}", address=peer.address)
        return NewSession(user, token, device)

    # ------------------------------------------------------------------------------------- logged in

    async def of(self, token: str) -> tuple[User, str] | None:
        """Return whose session a token is, and what it is kept as; None for one that is not, or no longer, any."""
        key = _hashed(token)
        kept = await self._reads.of(key)
        if kept is None:
            return None
        now, user = self._now(), self._people().users.get(kept.user)
        over = now - kept.began > self.settings.longest or now - kept.seen > self.settings.idle
        # Somebody else by now, or with other rights: what was proven then no longer holds.
        if over or user is None or _stamp(user) != kept.stamp:
            await self._database.write(partial(people_table.end_session, token=key))
            return None
        if now - kept.seen > _SEEN_EVERY_S:
            self._database.put(partial(people_table.see_session, token=key, now=now))
        self._here.add(user.key)
        return user, key

    async def end(self, session: str, user: str, peer: Peer, everywhere: bool = False) -> None:
        """Log somebody out, on this device or on all."""
        if everywhere:
            await self._database.write(partial(people_table.end_sessions_of, user=user))
        else:
            await self._database.write(partial(people_table.end_session, token=session))
        self.audit.note(user, "logged out everywhere" if everywhere else "logged out", address=peer.address)
        self._tell()

    def review(self) -> None:
        """End the sessions of people who are somebody else now, or may do other things: a reload may have said so."""
        stamps = {user.key: _stamp(user) for user in self._people().users.values()}
        self._database.put(partial(people_table.end_changed, stamps=stamps))
        self._tell()

    def _tell(self) -> None:
        self.ended()
        self._looking.set()

    async def drop(self, token: str) -> None:
        """End what a browser had before a new log-in."""
        await self._database.write(partial(people_table.end_session, token=_hashed(token)))

    # ------------------------------------------------------------------------------------- behind

    def start(self, keep_days: Callable[[], int]) -> None:
        """Keep the tables small from now on."""
        self._task = asyncio.create_task(self._keep_up(keep_days), name="sessions")

    async def close(self) -> None:
        """End what works behind."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_up(self, keep_days: Callable[[], int]) -> None:
        upkeep_at = 0.0
        while True:
            self._looking.clear()
            try:
                await self._let_go()
            except StorageError:
                pass  # the database tells of it itself
            except Exception as error:
                _log.error("people.failed", error=type(error).__name__, traceback=traceback_frames(error))
            if self._now() >= upkeep_at:
                upkeep_at = self._now() + _UPKEEP_S
                self._shorten(keep_days())
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._looking.wait()

    async def _let_go(self) -> None:
        """Tell who has gone: logged out, thrown out by a command of another process, or away for too long."""
        await self._database.flush()  # what has been ended is read from there
        now, settings, here = self._now(), self.settings, set(self._here)
        since = partial(people_table.users_logged_in, began=now - settings.longest, seen=now - settings.idle)
        for user in here - (await self._database.read(since) if here else set()):
            self._here.discard(user)
            await self.gone(user)

    def _shorten(self, keep_days: int) -> None:
        now, settings = self._now(), self.settings
        users = [*self._people().users]
        old = now - max(keep_days * 86_400.0, _DEVICE_S)
        began, seen = now - settings.longest, now - settings.idle
        work = partial(people_table.keep_people_up, users=users, began=began, seen=seen, gone=now - _GONE_S)
        self._database.put(partial(work, old=old, now=now))


async def _nothing_more(_: str) -> None:
    """Do nothing: nobody has asked to hear who is gone."""


def cookie_of(headers: Mapping[str, str], name: str, secure: bool) -> str:
    """Return a cookie of ours; "" for none. Over TLS only the one that no other host and no plain page can have set."""
    wanted = GUARDED + name if secure else name
    # By hand: one strange cookie of somebody else's makes the standard library forget all others.
    for one in headers.get("Cookie", "").split(";"):
        key, _, value = one.strip().partition("=")
        if key == wanted:
            return value[:_LONGEST_COOKIE]
    return ""


def set_cookie(name: str, value: str, longest_s: float, secure: bool, same_site: str = "Strict") -> str:
    """Return the header that sets a cookie which no script reads; "" as value takes it away."""
    guarded = f"{GUARDED}{name}" if secure else name
    age = int(longest_s) if value else 0
    more = "; Secure" + ("; Partitioned" if same_site == "None" else "") if secure else ""
    return f"{guarded}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite={same_site}{more}"


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _stamp(user: User) -> str:
    """Return what a session is bound to: who it is, and what the person may."""
    return "\n".join((user.role, user.group, user.email.casefold()))
