"""The key that kept tokens are encrypted with: from the environment, else from a file that the first log-in writes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from routing_engine.errors import ProviderRefused
from routing_engine.providers.oauth.settings import KEY_VARIABLE
from routing_engine.settings.paths import state_folder

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_LONGEST = 65_536


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
            return file.read(_LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        remedy = f"let the engine's user read it, restore it, or set {KEY_VARIABLE}"
        raise ProviderRefused(f"{name}: the key of the tokens, {path}, cannot be read: {why}; {remedy}") from None


def make_key(folder: Path, variable: str) -> Path | None:
    """Write a new key where there is none; give its file, or None when there was a key. Raises `OSError`."""
    if has_key(folder, variable):
        return None
    from cryptography.fernet import Fernet

    path = key_file(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            own_like_folder(file.fileno(), path.parent)
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:  # another log-in was faster
        return None
    return path


def own_like_folder(file: int, folder: Path) -> None:
    """Return a file to the folder's owner when root writes it: the engine that reads it is seldom root."""
    if os.geteuid() == 0:
        with suppress(PermissionError):  # root without that right, in a container: then the engine says what is wrong
            found = folder.stat()
            os.fchown(file, found.st_uid, found.st_gid)
