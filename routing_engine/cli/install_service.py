"""`routing-engine install-service`: the systemd unit, the user and the folders of the service, put in their places."""

from __future__ import annotations

import argparse
import os
import re
import sys
from importlib.resources import as_file, files
from pathlib import Path

from routing_engine.cli.common import misuse, worker_count

#: systemd's names of units and state folders; nothing that means something in a unit.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\Z", re.ASCII)
#: Folders that the unit hides from the service.
_HIDDEN = ("/home/", "/root/", "/run/user/")
#: What the engine may take at most, and each worker beside it.
_MEMORY_MB, _WORKER_MB = 512, 256
_PLACES = {
    "routing-engine.service": "etc/systemd/system/{name}.service",
    "sysusers.conf": "etc/sysusers.d/routing-engine.conf",
    "tmpfiles.conf": "etc/tmpfiles.d/{name}.conf",
}
_NEXT = """
Next:
  systemd-sysusers && systemd-tmpfiles --create     the user routing-engine, its folders, {folder}/environment
  systemctl daemon-reload
  systemctl enable --now {name}
  usermod -aG routing-engine NAME                   who may use the commands; 'asterisk' for the night switch"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="where the system is (default: /)")
    parser.add_argument("--program", type=Path, metavar="FILE", help="what the unit runs (default: this program)")
    parser.add_argument(
        "--workers", type=worker_count, default=1, metavar="N", help="how many processes carry the calls (default: 1)"
    )
    parser.set_defaults(run=run, tells_refusal=False, configures=True)


def run(options: argparse.Namespace) -> int:
    """Write the files; 2 for a folder or a program that no unit can have, 1 when they cannot be written."""
    folder = Path(os.path.abspath(options.config))
    program = Path(os.path.abspath(options.program or _this_program()))
    if folder.parent != Path("/etc") or not _NAME.match(folder.name):
        return misuse(f"the configuration of a service lies in /etc/NAME, not in {folder}; name it with --config")
    if why := _unusable(program):
        return misuse(why)
    words = {"@NAME@": folder.name, "@FOLDER@": str(folder), "@PROGRAM@": str(program)}
    workers = options.workers if options.workers > 1 else 0
    words["@OPTIONS@"] = f" --workers {workers}" if workers else ""
    words["@MEMORY@"] = str(_MEMORY_MB + workers * _WORKER_MB)
    with as_file(files("routing_engine") / "starter" / "systemd") as shipped:
        for source, place in _PLACES.items():
            text = (shipped / source).read_text()
            for word, value in words.items():
                text = text.replace(word, value)
            target = options.root / place.format(name=folder.name)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
                target.chmod(0o644)
            except OSError as error:
                print(f"{target} cannot be written: {error.strerror}; run this as root", file=sys.stderr)
                return 1
            print(f"written: {target}")
    print(_NEXT.format(name=folder.name, folder=folder))
    return 0


def _this_program() -> Path:
    beside = Path(sys.executable).with_name("routing-engine")
    return beside if beside.exists() else Path(sys.argv[0])


def _unusable(program: Path) -> str:
    """Return why a unit cannot run this program; "" when it can."""
    if any(one.isspace() or one in "%$\"'\\;" for one in str(program)):
        return f"{program} cannot stand in a unit; install the engine in /opt/routing-engine"
    # The interpreter of a venv may be a link to one that lies elsewhere.
    for path in (program, program.resolve(), program.with_name("python3").resolve()):
        if str(path).startswith(_HIDDEN):
            return f"{path} is hidden from services (ProtectHome); install the engine in /opt, with the system's Python"
    return ""
