"""Tokens on disk: `state/tokens/NAME` below the configuration folder, encrypted, replaced whole, one writer at a time.

(`/var/lib/NAME/tokens` for a configuration in `/etc/NAME`: see `state.state_folder`.)

Every function raises `ProviderRefused` with what an administrator can do, and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.providers.oauth.settings import KEY_VARIABLE
from routing_engine.settings.paths import state_folder
from routing_engine.storage.files import SHARED_FOLDER, locked_within, make_folder, replace_file, write_new

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_LARGEST = 1 << 20
_LONGEST_KEY = 65_536

#: What differs when a file was written anew; None when there is none.
Stamp: TypeAlias = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What is known of a log-in. `since` and `expires_at` are in Unix time; without an end it holds until refused.

    `made_for` tells the settings it was made with, `start` the refresh token of the YAML file that it began with, and
    `proof` the secrets, so that a change of each is noticed. `refused` is the error code after which a person must log
    in again.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    since: float
    expires_at: float | None
    made_for: str
    start: str = ""
    refused: str = ""
    proof: str = ""

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
        """Return a mark that differs with the content, without reading it; None when there is no file."""
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
            replace_file(self.path, content)
        except OSError as error:
            raise self._unwritable(error) from None

    def remove(self) -> None:
        """Delete what is kept."""
        try:
            self.path.unlink(missing_ok=True)
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
        make_folder(self.path.parent.parent, SHARED_FOLDER)
        make_folder(self.path.parent)

    @asynccontextmanager
    async def locked(self, patience_s: float) -> AsyncIterator[None]:
        """Keep every other process and credential from renewing these tokens for as long as the block lasts."""
        async with AsyncExitStack() as held:
            try:
                self._make_folder()
                await held.enter_async_context(locked_within(Path(f"{self.path}.lock"), patience_s))
            except TimeoutError:
                why = "another process has been renewing the tokens for too long"
                raise ProviderUnreachable(f"{self.name}: {why}") from None
            except OSError as error:
                raise self._unwritable(error) from None
            yield

    def _unwritable(self, error: OSError) -> ProviderRefused:
        return self._refused(f"cannot be written: {error.strerror}", "let the engine's user write there")

    def _refused(self, what: str, remedy: str) -> ProviderRefused:
        return ProviderRefused(f"{self.name}: the tokens in {self.path} {what}; {remedy}")


#: Between integration and person in the name of a person's own tokens; neither can have it.
OF = "@"


def log_in_again(name: str) -> str:
    """Return the remedy that needs a person."""
    if OF in name:
        return "connect the account anew, on the page of calls"
    return f"log in again: routing-engine integrations login {name}"


def key_file(folder: Path) -> Path:
    """Return where the key is that the first log-in has written."""
    return state_folder(folder) / "key"


def has_key(folder: Path, variable: str) -> bool:
    """Return whether there is a key; `variable` is what the environment variable held."""
    return bool(variable.strip()) or key_file(folder).exists()


def read_key(name: str, folder: Path, variable: str) -> MultiFernet:
    """Return what encrypts and decrypts: the first key encrypts, every one decrypts. Raises `ProviderRefused`."""
    from cryptography.fernet import Fernet, MultiFernet  # late: only who keeps tokens needs it

    where = KEY_VARIABLE if variable.strip() else str(key_file(folder))
    texts = (variable if variable.strip() else _read_file(name, key_file(folder))).replace(",", " ").split()
    try:
        # `openssl rand -base64 32` writes + and / where Fernet has - and _.
        keys = [Fernet(text.replace("+", "-").replace("/", "_")) for text in texts]
        return MultiFernet(keys)
    except ValueError:
        remedy = "a key is 32 random bytes in base64: openssl rand -base64 32"
        raise ProviderRefused(f"{name}: {where} holds no key for the tokens; {remedy}") from None


def _read_file(name: str, path: Path) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(_LONGEST_KEY)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        remedy = f"let the engine's user read it, restore it, or set {KEY_VARIABLE}"
        raise ProviderRefused(f"{name}: the key of the tokens, {path}, cannot be read: {why}; {remedy}") from None


def make_key(folder: Path, variable: str) -> Path | None:
    """Write a new key where there is none; return its file, or None when there was a key. Raises `OSError`."""
    if has_key(folder, variable):
        return None
    from cryptography.fernet import Fernet

    path = key_file(folder)
    make_folder(path.parent, SHARED_FOLDER)
    try:
        write_new(path, Fernet.generate_key() + b"\n")
    except FileExistsError:  # another log-in was faster
        return None
    return path
