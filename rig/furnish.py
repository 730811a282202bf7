"""What a private Asterisk is made of: the program, free ports, and a folder with its files, music and sounds."""

import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rig.conf import DIRECTORIES, Ports
from rig.ear import save_wav, tone
from rig.process import HERE, ServerFailed, fetched, reserved

MUSIC_HZ = 523.0
# Below the range from which the kernel hands out ports, so that no telephone of a test holds one of them; SIP, manager
# and HTTP apart from RTP, so that no call of another instance does.
CONTROL_PORTS = range(10000, 14000, 4)
MEDIA_PORTS = range(14000, 32000)
# As others name the folder of the core sounds, and as Debian does.
CORE_SOUNDS = ("en", "en_US_f_Allison")
MADE = ("log/cdr-custom", "log/cdr-csv", "lib/keys", "spool/outgoing", "spool/tmp", "music", "data/sounds")


@dataclass(frozen=True)
class Installation:
    """An Asterisk to run: its executable, its modules, and its data (documentation, sounds)."""

    executable: Path
    modules: Path
    data: Path


def find_asterisk() -> Installation:
    """The Asterisk that `get-asterisk` finds or fetches; quick when it is there already.

    Raises:
        ServerFailed: when there is none to be had.
    """
    executable = fetched("get-asterisk")
    # Beside an unpacked one, over a one with a prefix of its own (/opt/asterisk/sbin), and where systems keep theirs.
    roots = (executable.parent, executable.resolve().parent.parent, Path("/"))
    modules = _first(
        roots, [f"{usr}{lib}/asterisk/modules" for usr in ("usr/", "") for lib in ("lib/*", "lib", "lib64")]
    )
    documentation = _first(roots, [f"{share}/asterisk/documentation" for share in ("usr/share", "share", "var/lib")])
    # Asterisk loads a module by name only where the folder of modules is named without links.
    return Installation(executable, modules.resolve(), documentation.parent)


def _first(roots: Iterable[Path], patterns: Iterable[str]) -> Path:
    found = next((path for root in roots for pattern in patterns for path in sorted(root.glob(pattern))), None)
    if found is None:
        raise ServerFailed(f"this Asterisk's folders were not found: none of {', '.join(patterns)}")
    return found


def wanted_modules() -> list[str]:
    """The names of the modules an instance loads."""
    return (HERE / "modules.txt").read_text().split()


def furnish(directory: Path, installation: Installation, texts: Mapping[str, str], sounds: Path | None) -> None:
    """Lay out the folder of an instance."""
    for folder in (*(folder for _, folder in DIRECTORIES), *MADE):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / "etc" / name).write_text(text)
    save_wav(directory / "music" / "music.wav", tone(MUSIC_HZ, 2.0))
    _link_data(installation.data, directory / "data", sounds)


def certificate() -> str:
    """Return a certificate for the loopback address, and its key."""
    import trustme  # late: the demo goes without it

    made = trustme.CA().issue_cert("127.0.0.1", "localhost")
    pem = [*made.cert_chain_pems, made.private_key_pem]
    return "".join(one.bytes().decode() for one in pem)


def reserve_ports(rtp_ports: int) -> tuple[Ports, socket.socket]:
    """Free ports, and the token that keeps them from every other instance on this machine until it is closed.

    RTP is not reserved: Asterisk itself passes over ports there that are taken.
    """
    for first in random.sample(CONTROL_PORTS, len(CONTROL_PORTS)):
        if token := reserved(first, 4):
            media = random.randrange(MEDIA_PORTS.start, MEDIA_PORTS.stop - rtp_ports, 2)
            return Ports(first, first + 1, first + 2, first + 3, (media, media + rtp_ports - 1)), token
    raise ServerFailed("no four free ports are left for another Asterisk")


def _link_data(source: Path, target: Path, sounds: Path | None) -> None:
    """A data folder of links: Asterisk's own, the core sounds as English, and our sounds before them."""
    for entry in source.iterdir():
        if entry.name != "sounds":
            (target / entry.name).symlink_to(entry)
    core = next((source / "sounds" / name for name in CORE_SOUNDS if (source / "sounds" / name).is_dir()), None)
    if core:
        (target / "core").symlink_to(core)
        (target / "sounds" / "en").symlink_to("../core")
    for entry in sounds.resolve().iterdir() if sounds else ():
        _overlay(entry, target / "sounds" / entry.name)


def _overlay(entry: Path, place: Path) -> None:
    """Link `entry` at `place`, before what is there; two folders become one folder of links."""
    if not (entry.is_dir() and place.is_dir()):
        place.unlink(missing_ok=True)
        place.symlink_to(entry)
        return
    if place.is_symlink():
        _spread(place)
    for child in entry.iterdir():
        _overlay(child, place / child.name)


def _spread(place: Path) -> None:
    """Make a folder of links out of one relative link to a folder."""
    names, link = [path.name for path in place.iterdir()], place.readlink()
    place.unlink()
    place.mkdir()
    for name in names:
        # Short relative links: long ones cost a block each, which is half a second for the core sounds.
        (place / name).symlink_to(Path("..") / link / name)
