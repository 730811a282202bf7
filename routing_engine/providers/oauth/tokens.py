"""Tokens on disk: `state/tokens/NAME` below the configuration folder, encrypted, replaced whole, one writer at a time.

(`/var/lib/NAME/tokens` for a configuration in `/etc/NAME`: see `state.state_folder`.)

Every function raises `ProviderRefused` with what an administrator can do, and nothing else.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.providers.oauth.key import has_key, key_file, own_like_folder, read_key
from routing_engine.providers.oauth.settings import KEY_VARIABLE
from routing_engine.settings.paths import state_folder

_LARGEST = 1 << 20
_LOOK_AGAIN_S = 0.05

#: What differs when a file was written anew; None when there is none.
Stamp: TypeAlias = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a log-in. `since` and `expires_at` are in Unix time; without an end it holds until refused.

    `made_for` tells the settings it was made with, `start` the refresh token of the YAML file that it began with, so
    that a change of either is noticed. `refused` is the error code after which a person must log in again.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    since: float
    expires_at: float | None
    made_for: str
    start: str = ""
    refused: str = ""

    @property
    def early_s(self) -> float:
        """How long before its end it is renewed: a minute, or a fifth of its life where that is less."""
        return 0.0 if self.expires_at is None else min(60.0, (self.expires_at - self.since) / 5)


@dataclass(frozen=True, slots=True)
class TokenStore:
    """The kept tokens of the integration `name`. `variable` is what `ROUTING_ENGINE_KEY` held."""

    name: str
    folder: Path
    variable: str = field(default="", repr=False)

    @property
    def path(self) -> Path:
        """Where they are."""
        return state_folder(self.folder) / "tokens" / self.name

    def stamp(self) -> Stamp:
        """Tell one content from the next without reading it."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def read(self) -> StoredToken | None:
        """Return what is kept; None when nothing is."""
        try:
            with open(self.path, "rb") as file:
                content = file.read(_LARGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            remedy = (
                f"let the engine's user read it, or run 'routing-engine integrations login {self.name}' as that user"
            )
            raise self._refused(f"cannot be read: {error.strerror}", remedy) from None
        return self._decrypt(content)

    def _decrypt(self, content: bytes) -> StoredToken:
        from cryptography.fernet import InvalidToken

        if not has_key(self.folder, self.variable):
            raise self._refused("have no key", f"set {KEY_VARIABLE}, or restore {key_file(self.folder)}")
        try:
            found = json.loads(read_key(self.name, self.folder, self.variable).decrypt(content))
            if found.pop("name") == self.name:
                return StoredToken(**found)
        except (InvalidToken, ValueError, TypeError, KeyError, AttributeError):
            pass
        key = f"{KEY_VARIABLE}, or {key_file(self.folder)}"
        remedy = f"give back the key they were written with ({key}), or {log_in_again(self.name)}"
        raise self._refused("were written with another key, or are damaged", remedy) from None

    def write(self, kept: StoredToken) -> None:
        """Replace what is kept: when this returns it survives a power cut."""
        fernet = read_key(self.name, self.folder, self.variable)
        content = fernet.encrypt(json.dumps({"name": self.name, **asdict(kept)}).encode())
        try:
            self._make_folder()
            self._replace(content)
        except OSError as error:
            raise self._unwritable(error) from None

    def is_writable(self) -> bool:
        """Return whether tokens can be kept here."""
        try:
            self._make_folder()
        except OSError:
            return False
        return os.access(self.path.parent, os.W_OK)

    def _make_folder(self) -> None:
        folder = self.path.parent
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            place = os.open(folder, os.O_RDONLY)
            try:
                own_like_folder(place, folder.parent)
            finally:
                os.close(place)

    def _replace(self, content: bytes) -> None:
        folder = self.path.parent
        descriptor, draft = tempfile.mkstemp(prefix=f".{self.name}-", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                own_like_folder(file.fileno(), folder)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(draft)
            raise
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)

    @asynccontextmanager
    async def locked(self, patience_s: float) -> AsyncIterator[None]:
        """Keep every other process and credential from renewing these tokens for as long as the block lasts."""
        try:
            self._make_folder()
            file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            own_like_folder(file, self.path.parent)
            await self._wait_for(file, patience_s)
            yield
        finally:
            os.close(file)

    async def _wait_for(self, file: int, patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                while not _is_ours(file):  # noqa: ASYNC110 (another process holds it: nothing tells us)
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except TimeoutError:
            raise ProviderUnreachable(
                f"{self.name}: another process has been renewing the tokens for too long"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> ProviderRefused:
        return self._refused(f"cannot be written: {error.strerror}", "let the engine's user write there")

    def _refused(self, what: str, remedy: str) -> ProviderRefused:
        return ProviderRefused(f"{self.name}: the tokens in {self.path} {what}; {remedy}")


def _is_ours(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def log_in_again(name: str) -> str:
    """Return the remedy that needs a person."""
    return f"log in again: routing-engine integrations login {name}"
