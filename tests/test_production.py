"""The service as its unit runs it: its own user, everything read-only but what the unit names, a clean environment.

Not systemd itself, which is no process of a test: `unshare`, `mount` and `setpriv` carry out what the unit says.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import FOREVER_S, Asterisk

from rig.process import reserve
from routing_engine.cli import main

pytestmark = [pytest.mark.io, pytest.mark.machine]

STRANGER, MEMBER = 54321, 54322
ENGINE = """
region: AT
listeners: {{fastagi: '127.0.0.1:{port}'}}
journal: {{numbers: hashed, key: '${{JOURNAL_KEY}}'}}
calendars: {{office: {{hours: {{daily: '00:00-24:00'}}}}}}
"""
COMMAND = [sys.executable, "-m", "routing_engine.cli", "--config", "/etc/routing-engine"]
#: What the engine is made of. Homes are hidden, as the unit hides them; what of it lies in one is all that shows there.
NEEDED = sorted({sys.base_prefix, sys.prefix, str(Path(__file__).parents[1])}, key=len)
#: /etc and /var/lib are the test's; the rest is the machine's, read-only.
ENTER = """
mount -t tmpfs tmpfs /mnt && number=0
for path in $NEEDED; do number=$((number + 1)); mkdir "/mnt/$number" && mount --bind "$path" "/mnt/$number"; done
for home in /root /home; do mount -t tmpfs -o mode=755 tmpfs "$home"; done
number=0
for path in $NEEDED; do
  number=$((number + 1))
  case "$path" in /root/*|/home/*) mkdir -p "$path" && mount --bind "/mnt/$number" "$path" ;; esac
done
mount --bind "$ROOT/etc" /etc && mount --bind "$ROOT/var/lib" /var/lib || exit 90
for place in / /etc /var/lib; do mount -o remount,bind,ro "$place" || exit 91; done
for place in $WRITABLE; do mount --bind "$ROOT$place" "$place" && mount -o remount,bind,rw "$place" || exit 92; done
mount -t tmpfs tmpfs /tmp && cd / && exec "$@"
"""


@dataclass
class Machine:
    """A root folder with the package's unit, its user and its folders."""

    root: Path
    port: int
    service: subprocess.Popen[str] | None = None

    @property
    def folder(self) -> Path:
        return self.root / "etc/routing-engine"

    @property
    def unit(self) -> configparser.SectionProxy:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(self.root / "etc/systemd/system/routing-engine.service")
        return parser["Service"]

    @property
    def user(self) -> tuple[str, str]:
        """The numbers of the service's user and group."""
        lines = (self.root / "etc/passwd").read_text().splitlines()
        found = next(line.split(":") for line in lines if line.startswith(f"{self.unit['User']}:"))
        return found[2], found[3]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the unit's command until it is ready, and stop it at the end."""
        uid, gid = self.user
        state = f"/var/lib/{self.unit['StateDirectory']}"
        writable = f"{state} {self.unit['ReadWritePaths'].removeprefix('-')}"
        limits = ["prlimit", f"--core={self.unit['LimitCORE']}"]
        begin = [*limits, "sh", "-c", f'umask {self.unit["UMask"]}; exec "$@"', "sh"]
        words = ["unshare", "--mount", "sh", "-c", ENTER, "sh", *as_user(uid, gid, gid), *begin, *COMMAND, "serve"]
        environment = self._environment(writable)
        self.service = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.service.stderr is not None
        try:
            lines = []
            for line in self.service.stderr:
                lines.append(line)
                if "service.ready" in line:
                    break
            else:
                raise AssertionError("".join(lines))
            yield
        finally:
            self.service.terminate()
            self.service.communicate(timeout=FOREVER_S)

    def _environment(self, writable: str) -> dict[str, str]:
        needed = " ".join(NEEDED)
        return {"PATH": os.environ["PATH"], "ROOT": str(self.root), "WRITABLE": writable, "NEEDED": needed}

    def run(self, *arguments: str, uid: int = 0) -> tuple[int, str]:
        """Run a command on the machine, as root or as a member of the service's group; nothing is set for it."""
        who = [] if uid == 0 else as_user(str(uid), str(uid), self.user[1] if uid == MEMBER else str(uid))
        if self.service is not None and self.service.poll() is None:
            enter = ["nsenter", "--target", str(self.service.pid), "--mount"]
        else:
            enter = ["unshare", "--mount", "sh", "-c", ENTER, "sh"]
        environment = self._environment("/var/lib/routing-engine /etc/routing-engine/state")
        words = [*enter, *who, *COMMAND, *arguments]
        found = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=FOREVER_S, check=False, cwd="/"
        )
        return found.returncode, found.stdout + found.stderr


def as_user(uid: str, gid: str, groups: str) -> Sequence[str]:
    more = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={groups}", *more, "env", "-i", "HOME=/", "TZ=UTC"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (port,), held = reserve(1)
    for one in held:
        one.close()
    found = Machine(tmp_path, port)
    (tmp_path / "var/lib").mkdir(parents=True)
    assert main(["init", str(found.folder)]) == 0
    arguments = ["install-service", "--root", str(tmp_path), "--program", "/opt/routing-engine/bin/routing-engine"]
    assert main(["--config", "/etc/routing-engine", *arguments]) == 0
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True, capture_output=True)
    subprocess.run(["systemd-tmpfiles", f"--root={tmp_path}", "--create"], check=True, capture_output=True)
    gid = int(found.user[1])
    for path in (found.folder / "environment", found.folder / "state", tmp_path / "var/lib/routing-engine"):
        os.chown(path, -1, gid)  # where --root is not /, tmpfiles takes the group from this machine
    (found.folder / "engine.yaml").write_text(ENGINE.format(port=port))
    (found.folder / "environment").write_text("JOURNAL_KEY=0123456789abcdef0123456789abcdef\n")
    for folder, _, names in os.walk(found.folder):
        for name in names:
            assert (Path(folder) / name).stat().st_mode & 0o044 or name == "environment"
    return found


async def call(machine: Machine) -> dict[str, str]:
    asterisk = Asterisk(["123456"])
    await asterisk.call(machine.port)
    return asterisk.variables


async def test_the_journal_works_and_the_group_reads_it(machine: Machine) -> None:
    with machine.serving():
        assert (await call(machine))["ROUTE_STATUS"] == "OK"
        code, out = machine.run("calls", uid=MEMBER)
        while code == 0 and "queue vip" not in out:  # the journal writes four times a second
            code, out = machine.run("calls", uid=MEMBER)
        assert (code, "queue vip" in machine.run("calls")[1]) == (0, True), out
        assert machine.run("calls", uid=STRANGER)[0] == 1
    assert machine.run("calls", uid=MEMBER)[0] == 0  # also while no engine has the file open


@pytest.mark.parametrize("uid", [0, MEMBER])
def test_commands_work_from_a_shell(machine: Machine, uid: int) -> None:
    with machine.serving():
        for command in (
            ["check"],
            ["run-test", "support", "--caller", "+436641234567", "--input", "123456"],
            ["integrations", "check", "customers"],
            ["calendar", "close", "office", "until", "tomorrow", "08:00"],
            ["calendar", "clear", "office"],
        ):
            assert machine.run(*command, uid=uid)[0] == 0, machine.run(*command, uid=uid)
        assert (machine.folder / "state/calendars.yaml").exists()


def test_the_engine_takes_the_notes_of_forget(machine: Machine) -> None:
    with machine.serving():
        code, out = machine.run("forget", "+436641234567")
    assert (code, "no running engine" in out) == (0, False)


async def test_a_restart_with_a_broken_folder_routes_calls(machine: Machine) -> None:
    with machine.serving():
        pass
    (machine.folder / "routes/support.yaml").write_text("{")
    with machine.serving():
        assert (await call(machine))["ROUTE_STATUS"] == "OK"
        code, out = machine.run("run-test", "support", "--caller", "+436641234567", "--input", "123456")
        assert code == 0, out
        assert "in force is the last good configuration" in out
        assert "in force is the last good configuration" in machine.run("calls", uid=MEMBER)[1]


def test_the_service_writes_nowhere_else_and_leaves_no_core(machine: Machine) -> None:
    with machine.serving():
        assert machine.service is not None
        status = Path(f"/proc/{machine.service.pid}/status").read_text()
        limits = Path(f"/proc/{machine.service.pid}/limits").read_text()
    assert "CapEff:\t0000000000000000" in status
    assert f"Uid:\t{machine.user[0]}" in status
    assert next(line.split()[4:6] for line in limits.splitlines() if "core file" in line) == ["0", "0"]


def test_systemd_finds_no_fault_in_the_unit(machine: Machine) -> None:
    unit = machine.root / "etc/systemd/system/routing-engine.service"
    unit.write_text(
        unit.read_text().replace(machine.unit["ExecStart"].split()[0], shutil.which("env") or "/usr/bin/env")
    )
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("folder", ["/srv/routing", "/etc/asterisk/routing", "/etc/a b"])
def test_a_folder_that_no_unit_can_have_is_misuse(tmp_path: Path, folder: str) -> None:
    assert main(["--config", folder, "install-service", "--root", str(tmp_path)]) == 2


@pytest.mark.parametrize("program", ["/root/engine", "/home/eve/bin/engine", "/opt/a b", "/opt/100%"])
def test_a_program_that_the_unit_hides_is_misuse(tmp_path: Path, program: str) -> None:
    arguments = ["install-service", "--root", str(tmp_path), "--program", program]
    assert main(["--config", "/etc/routing-engine", *arguments]) == 2
