"""Files that are private, replaced whole, locked, and that belong to whoever owns their folder.

Commands are run by root in folders that belong to the engine's user, and that user may have been taken over. So nothing
here goes through a link that somebody other than root could have put there, and what is given away is what was made a
moment before: by its descriptor, never by a path. Every function raises `OSError`.

One rule on flushing: what only we know is on the disk when a function returns (`replace_file`, `write_new`); what can
be made again (a spoken text, an index) is not waited for.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

#: For the owner alone; and a folder that holds other files, too: the umask says who else looks in.
PRIVATE_FILE, PRIVATE_FOLDER, SHARED_FOLDER = 0o600, 0o700, 0o777
#: A folder is passed through, not read: the right to do that (x) is enough. Only Linux can say so.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOOK_AGAIN_S = 0.05


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a folder and hand out its descriptor. For root, a link counts only where root alone could have put it.

    Everybody else has only their own files to lose, so their links are followed as the system does it. Errors within
    the block name the whole path: of what is asked through a descriptor the system knows the last name only.
    """
    root = os.geteuid() == 0
    reached = Path("/") if root else folder
    here = os.open(reached, _FOLDER)
    try:
        for name in folder.absolute().parts[1:] if root else ():
            below = os.open(name, _FOLDER | _no_links(here), dir_fd=here)
            os.close(here)
            here, reached = below, reached / name
        yield here
    except OSError as error:
        if isinstance(error.filename, str):
            error.filename = str(reached / error.filename)
        raise
    finally:
        os.close(here)


def make_folder(folder: Path, mode: int = PRIVATE_FOLDER, *, above: int = 0o755, exact: bool = False) -> None:
    """Make a folder and those above it that are missing; each belongs to the owner of the one above it.

    `mode` is of the folder, `above` of those above. The umask takes from both unless `exact`.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, above, above=above, exact=exact)
    with _opened(folder.parent) as parent:
        try:
            os.mkdir(folder.name, mode, dir_fd=parent)
        except FileExistsError:  # another process was quicker, and has given it to its owner
            return
        made = os.open(folder.name, _READ_FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        try:
            if exact:
                os.fchmod(made, mode)
            _give_to_owner(made, parent)
        finally:
            os.close(made)


def open_private(path: Path, mode: int = PRIVATE_FILE) -> int:
    """Open a file for reading and writing, made when it is missing, and return its descriptor.

    Its folder must be there. Nothing is made through a link; one to a file that is there counts as for a folder.
    """
    with _opened(path.parent) as folder:
        try:
            return _make(path.name, mode, folder)
        except FileExistsError:
            return os.open(path.name, os.O_RDWR | os.O_CLOEXEC | _no_links(folder), dir_fd=folder)


def write_new(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a file that must not be there yet (`FileExistsError`); when this returns it survives a power cut."""
    with _opened(path.parent) as folder:
        _write(path.name, content, mode, folder)
        _flush(folder)


def replace_file(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replace a file whole or not at all, in the sight of whoever reads it meanwhile. A link is replaced, not followed.

    When this returns the new content survives a power cut: the file is flushed before it takes the name, and the folder
    after that. Without the first a crash may leave an empty file, without the second the old one.
    """
    with _opened(path.parent) as folder:
        draft = f".{path.name}.{secrets.token_hex(8)}"
        try:
            _write(draft, content, mode, folder)
            # In the same folder: only there a rename is one step.
            os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)
            raise
        _flush(folder)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a lock for as long as the block lasts; the system frees it when the process dies.

    `path` is a folder, or a file that is made for that. Without `wait`, hand out False while another holds it.
    """
    with _lockable(path) as file:
        yield _is_locked(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@asynccontextmanager
async def locked_within(path: Path, patience_s: float) -> AsyncIterator[None]:
    """Hold a lock as `locked` does, without holding up the event loop. Raises `TimeoutError` after `patience_s`."""
    import asyncio  # late: half of the commands have no loop

    with _lockable(path) as file:
        async with asyncio.timeout(patience_s):
            while not _is_locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB):  # noqa: ASYNC110  another process tells us nothing
                await asyncio.sleep(_LOOK_AGAIN_S)
        yield


@contextmanager
def _lockable(path: Path) -> Iterator[int]:
    if path.is_dir():
        with _opened(path) as folder:
            file = os.open(".", _READ_FOLDER, dir_fd=folder)
    else:
        file = open_private(path)
    try:
        yield file
    finally:
        os.close(file)


def _is_locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    return True


def _no_links(folder: int) -> int:
    """Return the flag that refuses a link in this folder (`ELOOP`), where we are root and somebody else may set one."""
    return os.O_NOFOLLOW if os.geteuid() == 0 != os.fstat(folder).st_uid else 0


def _make(name: str, mode: int, folder: int) -> int:
    """Make a file that was not there; nobody else can have it open yet, so it may be given away."""
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
    _give_to_owner(file, folder)
    return file


def _write(name: str, content: bytes, mode: int, folder: int) -> None:
    with open(_make(name, PRIVATE_FILE, folder), "wb") as file:
        os.fchmod(file.fileno(), mode)  # not at the making: the umask of a shell must not keep the engine from reading
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: int) -> None:
    """Bring the names in a folder to the disk, as far as we may read it."""
    with suppress(PermissionError):
        file = os.open(".", _READ_FOLDER, dir_fd=folder)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _give_to_owner(made: int, folder: int) -> None:
    """Return what root has made to the owner of its folder: the engine that needs it is seldom root."""
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        with suppress(PermissionError):  # root without that right, in a container: the engine says what it cannot read
            os.fchown(made, owner.st_uid, owner.st_gid)


def become_owner(path: Path) -> None:
    """Go on for good as the user whom a file belongs to, where root was asked; everybody else stays who they are.

    Whoever has set a link to it comes first: it is his word what is there.
    """
    if os.geteuid() != 0:
        return
    owner = next((one for one in (path.lstat(), path.stat()) if one.st_uid != 0), None)
    if owner is None:
        return
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a user without a name, as containers have them
        os.setgroups([owner.st_gid])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
