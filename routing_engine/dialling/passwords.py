"""Passwords of telephones in the page: each lives for one session, in the memory of its PBX, and is in no file.

The endpoint stands in `pjsip.conf` and its `auth` names an object that is made here, over the REST interface. It is
never taken away but overwritten: without it Asterisk answers an error instead of a refusal. A telephone that registers
with a password of before stays registered until it must do so again (`maximum_expiration` of its address of record),
unless the PBX can be told to forget where it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import quote

from routing_engine.calls.changes import PbxReached
from routing_engine.calls.ports import PbxCommands, Unregisters
from routing_engine.dialling.dialler import DialSite
from routing_engine.errors import CommandRefused, PbxDown
from routing_engine.logger import Logger
from routing_engine.settings.dialling import SipKeys
from routing_engine.settings.pbx import EXTENSION, Pbx
from routing_engine.settings.people import User, phone_parts

#: Of a password nobody guesses; and of a name, which is sent in the clear, nobody learns whose telephone it is.
_PASSWORD_BYTES, _NAME_BYTES = 32, 8
#: How long after a new connection, and after one another, it is tried to put the passwords into a PBX.
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_log = Logger()


@dataclass(frozen=True, slots=True)
class SipPassword:
    """What a telephone in the page logs in with. `expires_at` is seconds since 1970."""

    id: str
    user: str
    phone: str
    username: str
    password: str = field(repr=False)
    realm: str
    server: str
    expires_at: float

    @property
    def extension(self) -> str:
        """The name of the endpoint."""
        return phone_parts(self.phone)[1]


@dataclass(frozen=True, slots=True)
class _Session:
    """A password that counts: what is kept of it is what the PBX has."""

    id: str
    user: str
    phone: str
    username: str
    digest: str = field(repr=False)
    expires_at: float
    # As they were when it was made: a reload must not leave a password behind that counts.
    sip: SipKeys
    endpoint: str


class SessionPasswords:
    """Makes them, ends them, puts them again into a PBX that has forgotten. `wall` is the wall clock. `close` it."""

    def __init__(
        self,
        site: Callable[[], DialSite],
        commands: Callable[[str], PbxCommands | None],
        wall: Callable[[], float],
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._site, self._commands, self._wall, self._pauses_s = site, commands, wall, pauses_s
        #: By phone: one session each, since the phone can be in one place only.
        self._sessions: dict[str, _Session] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def make(self, user_key: str, wanted: str | None) -> SipPassword:
        """Return a new password for a phone of a user; one of before ends. Raises `CommandRefused`, `PbxDown`."""
        site = self._site()
        user = site.users.get(user_key)
        if user is None:
            raise CommandRefused("unknown_user", f"there is no user '{user_key[:80]}'", "take a key of users.yaml")
        phone, pbx, sip = _phone_of(site, user, wanted)
        made = SipPassword(
            id=secrets.token_hex(16),
            user=user.key,
            phone=phone,
            username=secrets.token_hex(_NAME_BYTES),
            password=secrets.token_urlsafe(_PASSWORD_BYTES),
            realm=sip.realm,
            server=sip.server,
            expires_at=self._wall() + sip.lasts,
        )
        digest = _digest(made.username, sip.realm, made.password)
        endpoint = _endpoint(pbx, made.extension)
        session = _Session(made.id, user.key, phone, made.username, digest, made.expires_at, sip, endpoint)
        async with self._turn:
            await self._put(session)
            self._sessions[phone] = session
        self._do(self._expire(session))
        _log.info("sip.password_made", user=user.key, phone=phone)
        return made

    async def end(self, session_id: str, user: str | None) -> None:
        """Let a password count no more. Raises `CommandRefused` where there is none, or it is another person's."""
        session = next((one for one in self._sessions.values() if secrets.compare_digest(one.id, session_id)), None)
        if session is None or user not in (None, session.user):
            raise CommandRefused("unknown_credentials", "there are no such credentials", "they may be over already")
        await self._end(session)

    async def end_all(self, user: str) -> None:
        """Let all passwords of a person count no more: who has logged out has no telephone."""
        for session in [one for one in self._sessions.values() if one.user == user]:
            with suppress(CommandRefused, PbxDown):
                await self._end(session)

    def reached(self, event: PbxReached) -> None:
        """Put into a PBX what it has forgotten, if it was started anew."""
        self._do(self._put_again(event.pbx))

    async def close(self) -> None:
        """End every password: nobody would later. Who is registered stays so for a while, over a restart of ours."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in [*self._sessions.values()]:
            with suppress(CommandRefused, PbxDown):
                await self._end(session, stays=True)

    # ------------------------------------------------------------------------------------- inside

    async def _end(self, session: _Session, stays: bool = False) -> None:
        name, _ = phone_parts(session.phone)
        async with self._turn:
            # Another one may have taken its place meanwhile: that one counts.
            if self._sessions.get(session.phone) is not session:
                return
            del self._sessions[session.phone]
            try:
                await self._put(_nobody(session.phone, session.sip, session.endpoint))
                commands = self._commands(name)
                if isinstance(commands, Unregisters) and not stays:
                    await commands.unregister(session.endpoint)
            except (CommandRefused, PbxDown):
                if not stays:
                    self._do(self._put_again(name))  # else it would count on, and nobody know of it
                raise
        _log.info("sip.password_ended", user=session.user, phone=session.phone)

    async def _expire(self, session: _Session) -> None:
        await asyncio.sleep(max(0.0, session.expires_at - self._wall()))
        with suppress(CommandRefused, PbxDown):
            await self._end(session)

    async def _put_again(self, name: str) -> None:
        """Put a password for every telephone of the page, else one that nobody knows: also after a start of ours."""
        why = ""
        # A PBX that has just begun answers its manager before its REST interface.
        for pause_s in self._pauses_s:
            await asyncio.sleep(pause_s)
            try:
                await self._put_all(name)
                return
            except (CommandRefused, PbxDown) as error:
                why = str(error)
        _log.warning("sip.not_put", pbx=name, why=why)

    async def _put_all(self, name: str) -> None:
        site = self._site()
        pbx = site.pbxs.get(name)
        if pbx is None or pbx.keys.sip is None:
            return
        for phone in _phones(site, pbx, pbx.keys.sip):
            async with self._turn:
                endpoint = _endpoint(pbx, phone_parts(phone)[1])
                await self._put(self._sessions.get(phone) or _nobody(phone, pbx.keys.sip, endpoint))
        _log.info("sip.passwords_put", pbx=name, sessions=len(self._sessions))

    async def _put(self, session: _Session) -> None:
        name, extension = phone_parts(session.phone)
        commands, sip = self._commands(name), session.sip
        if commands is None:
            raise PbxDown(f"the PBX '{name}' is not followed")
        values = {
            "auth_type": "digest",
            "username": session.username,
            "realm": sip.realm,
            "password_digest": f"MD5:{session.digest}",
        }
        fields = [{"attribute": attribute, "value": value} for attribute, value in values.items()]
        place = quote(sip.auth.replace(EXTENSION, extension), safe="")
        status = await commands.rest("PUT", f"/asterisk/config/dynamic/res_pjsip/auth/{place}", {"fields": fields})
        if status != 200:
            sentence = f"Asterisk did not take a password: status {status}"
            raise CommandRefused("pbx_refused", sentence, f"routing-engine pbx check {name} says why")

    def _do(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _phone_of(site: DialSite, user: User, wanted: str | None) -> tuple[str, Pbx, SipKeys]:
    """Return the phone that is meant, its PBX and how the page reaches it. Raises `CommandRefused`."""
    for phone in user.phones:
        name, extension = phone_parts(phone)
        pbx = site.pbxs.get(name)
        if (
            wanted in (None, phone)
            and pbx is not None
            and pbx.keys.sip is not None
            and _is_web(pbx.keys.sip, extension)
        ):
            return phone, pbx, pbx.keys.sip
    sentence = f"'{user.key}' has no telephone in the page" + (f" that is '{wanted[:80]}'" if wanted else "")
    raise CommandRefused("no_phone", sentence, "the administrator: 'phones' of the user, 'sip' of the PBX")


def _phones(site: DialSite, pbx: Pbx, sip: SipKeys) -> Iterator[str]:
    for user in site.users.values():
        for phone in user.phones:
            name, extension = phone_parts(phone)
            if name == pbx.name and _is_web(sip, extension):
                yield phone


def _is_web(sip: SipKeys, extension: str) -> bool:
    return any(fnmatchcase(extension, pattern) for pattern in sip.phones)


def _endpoint(pbx: Pbx, extension: str) -> str:
    return pbx.keys.phones.partition("/")[2].replace(EXTENSION, extension)


def _nobody(phone: str, sip: SipKeys, endpoint: str) -> _Session:
    """Return what nobody can log in with."""
    return _Session("", "", phone, secrets.token_hex(_NAME_BYTES), secrets.token_hex(16), 0.0, sip, endpoint)


def _digest(username: str, realm: str, password: str) -> str:
    # MD5 is what the telephones of browsers speak (JsSIP, SIP.js); the password has 256 random bits.
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()
