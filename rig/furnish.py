"""What a private Asterisk is made of: the program, free ports, and a folder with its files, music and sounds."""

import random
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rig.conf import DIRECTORIES, HOST, Ports
from rig.ear import save_wav, tone

HERE = Path(__file__).parent
MUSIC_HZ = 523.0
# Below the range from which the kernel hands out ports, so that no telephone of a test holds one of them.
PORTS = range(12000, 32000)
# As others name the folder of the core sounds, and as Debian does.
CORE_SOUNDS = ("en", "en_US_f_Allison")
MADE = ("log/cdr-custom", "log/cdr-csv", "lib/keys", "spool/outgoing", "spool/tmp", "music", "data/sounds/en")


class AsteriskFailed(Exception):
    """Asterisk could not be fetched or did not come up; the message holds the end of its log."""


@dataclass(frozen=True)
class Installation:
    """An Asterisk to run: its executable, its modules, and its data (documentation, sounds)."""

    executable: Path
    modules: Path
    data: Path


def find_asterisk() -> Installation:
    """The Asterisk that `get-asterisk` finds or fetches; quick when it is there already.

    Raises:
        AsteriskFailed: when there is none to be had.
    """
    done = subprocess.run([HERE / "get-asterisk"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise AsteriskFailed("rig/get-asterisk found no Asterisk to run; what it says stands above")
    executable = Path(done.stdout.splitlines()[-1])
    root = executable.parent if (executable.parent / "usr").is_dir() else Path("/")
    modules = _first(root, ("usr/lib/*/asterisk/modules", "usr/lib/asterisk/modules", "usr/lib64/asterisk/modules"))
    documentation = _first(root, ("usr/share/asterisk/documentation", "var/lib/asterisk/documentation"))
    return Installation(executable, modules, documentation.parent)


def _first(root: Path, patterns: Iterable[str]) -> Path:
    found = next((path for pattern in patterns for path in sorted(root.glob(pattern))), None)
    if found is None:
        raise AsteriskFailed(f"the Asterisk under {root} has none of the folders {', '.join(patterns)}")
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


def free_ports(rtp_ports: int) -> Ports:
    """Ports that are free now. Asterisk itself passes over RTP ports that are taken."""
    chosen = [port for port in random.sample(PORTS, 40) if _is_free(port)]
    first = random.randrange(PORTS.start, PORTS.stop - rtp_ports, 2)
    sip, manager, http = chosen[:3]
    return Ports(sip, manager, http, (first, first + rtp_ports - 1))


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as trial:
            try:
                trial.bind((HOST, port))
            except OSError:
                return False
    return True


def _link_data(source: Path, target: Path, sounds: Path | None) -> None:
    """A data folder of links: Asterisk's own, core sounds under their language, and our sounds before them."""
    for entry in source.iterdir():
        if entry.name != "sounds":
            (target / entry.name).symlink_to(entry)
    for name in CORE_SOUNDS:
        if (source / "sounds" / name).is_dir():
            _merge(source / "sounds" / name, target / "sounds" / "en")
    if sounds:
        _merge(sounds.resolve(), target / "sounds")


def _merge(source: Path, target: Path) -> None:
    """Link everything in `source` into the folder `target`; of two files the later stays, two folders become one."""
    for entry in source.iterdir():
        place = target / entry.name
        if not (entry.is_dir() and place.is_dir()):
            place.unlink(missing_ok=True)
            place.symlink_to(entry)
            continue
        if place.is_symlink():
            earlier = place.resolve()
            place.unlink()
            place.mkdir()
            _merge(earlier, place)
        _merge(entry, place)
