"""What every command owes to people: no traceback, a quick start, and a hint where a word is nearly right."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from routing_engine.cli import COMMANDS, main
from tests.cli.conftest import Run
from tests.fakes import FOREVER_S

pytestmark = pytest.mark.io

ENGINE = (sys.executable, "-m", "routing_engine.cli")
#: The arguments that each command needs, beside the folder.
NEEDED = {
    "run-test": ("support",),
    "call": ("support", "--input", "1"),
    "dial": ("anna", "+43 1 5550100"),
    "explain": ("x",),
    "forget": ("+43 664 1234567", "--wait", "0"),
    "pbx": ("check", "main"),
}
FOLDER_IS_READ = [name for name in COMMANDS if name not in ("init", "schema", "install-service")]


#: Root without the right to read everything is still root, and has what the interpreter needs.
_LESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
WITHOUT_RIGHTS = _LESS if os.geteuid() == 0 else ()


#: One process without rights for all commands: its start takes longer than any of them.
RUNS_ALL = """
import contextlib, io, json, sys, traceback
from routing_engine.cli import main
found = {}
for words in json.loads(sys.argv[1]):
    said, code = io.StringIO(), None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
    found[words[0]] = (code, said.getvalue())
print(json.dumps(found))
"""


def test_a_folder_that_nobody_may_read_is_said_in_a_sentence(config: Path) -> None:
    config.chmod(0)
    every = [(command, *NEEDED.get(command, ()), "--config", str(config)) for command in FOLDER_IS_READ]
    found = execute(*WITHOUT_RIGHTS, sys.executable, "-c", RUNS_ALL, json.dumps(every))
    config.chmod(0o755)
    said = json.loads(found.stdout)
    wrong = {name: one for name, one in said.items() if one[0] != 1 or "Permission denied" not in one[1]}
    assert (wrong, sorted(said)) == ({}, sorted(FOLDER_IS_READ))


def execute(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=FOREVER_S, check=False)


@pytest.mark.parametrize("command", FOLDER_IS_READ)
def test_a_folder_that_is_a_file_is_said_in_a_sentence(run: Run, command: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    code, out, err = run(command, *NEEDED.get(command, ()), "--config", str(tmp_path / "config" / "below"))
    assert (code, "Traceback" in err) == (1, False)
    assert "below" in out + err or command == "call"  # it needs no folder: the engine's usual place will do


@pytest.mark.parametrize("command", ["init", "schema"])
def test_what_cannot_be_written_is_said_in_a_sentence(run: Run, command: str, config: Path) -> None:
    (config / "schema").unlink(missing_ok=True) if (config / "schema").is_file() else _move(config / "schema")
    (config / "schema").write_text("a file stands where the folder should be")
    where = (str(config / "engine.yaml" / "new"),) if command == "init" else ("--config", str(config))
    code, _, err = run(command, *where)
    assert (code, err.startswith("routing-engine: ")) == (1, True), err


@pytest.mark.parametrize("arguments", [("--help",), ("check",), ("run-test", "support"), ("check", "--json")])
def test_a_closed_pipe_is_no_fault(config: Path, arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    where = (*ENGINE, "--config", str(config), *arguments)
    found = subprocess.run(where, stdout=write, stderr=subprocess.PIPE, text=True, timeout=FOREVER_S, check=False)
    os.close(write)
    assert (found.stderr, found.returncode) == ("", 0)


def test_ctrl_c_ends_the_service_without_a_traceback(config: Path) -> None:
    (config / "engine.yaml").write_text("listeners: {fastagi: 127.0.0.1:0}\n")
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen((*ENGINE, "serve", "--config", str(config)), **how) as process:  # type: ignore[call-overload]
        assert "service.ready" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert ("Traceback" in said, process.returncode) == (False, 0)


def test_a_port_in_use_is_named(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (config / "engine.yaml").write_text(f"listeners: {{fastagi: 127.0.0.1:{port}}}\n")
        found = execute(*ENGINE, "serve", "--config", str(config))
    assert (found.returncode, f"127.0.0.1:{port}: another program listens there" in found.stderr) == (1, True)


# --------------------------------------------------------------------------------------------- a quick start

#: What takes long to import. A command may import what it uses, with the configuration that ships.
HEAVY = frozenset(
    "aiohttp asyncio attr cryptography holidays icalendar importlib.metadata jsonpath jwt opentelemetry "
    "prometheus_client re2 recurring_ical_events rich sqlalchemy sqlite3 ssl structlog yaml yarl".split()
)
LOOP = {"asyncio", "ssl"}
FOLDER = {*LOOP, "re2", "yaml"}
JOURNAL = {*LOOP, "importlib.metadata", "sqlalchemy", "sqlite3", "yaml"}
ALLOWED: dict[str, set[str]] = {
    "--help": set(),
    "--version": set(),
    "check": FOLDER,
    "run-test support": FOLDER,
    "test": FOLDER,
    "doctor": FOLDER,
    "calendar": FOLDER,
    "mirror": {*FOLDER, "sqlite3"},
    "integrations": {*FOLDER, "yarl"},
    "integrations check customers": {*FOLDER, "yarl"},
    "integrations try customers --caller +436641234567": {*FOLDER, "yarl"},
    "integrations fields customers": {*FOLDER, "yarl"},
    "schema engine": {*FOLDER, "yarl"},
    "call support --input 1": {*LOOP, "yaml"},
    "calls": JOURNAL,
    "explain x": JOURNAL,
    "forget +436641234567 --wait 0": JOURNAL,
    "install-service --help": set(),
}
#: What of ours is read only where the folder has such a thing: each has as many keys as all of the rest.
_ROOMS = "mirror.index providers.crm.model providers.http speech.command config.webhooks config.pbxs delivery web pbx"
PARTS = {f"routing_engine.{part}" for part in _ROOMS.split()}


TELLS_IMPORTS = """
import sys
from routing_engine.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """Return what a command imports, in a folder that nobody has changed."""
    folder = tmp_path_factory.mktemp("imported") / "config"
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["init", str(folder)]) == 0

    @cache
    def modules_of(command: str) -> set[str]:
        found = execute(sys.executable, "-c", TELLS_IMPORTS, *command.split(), "--config", str(folder))
        return set(found.stderr.split())

    return modules_of


@pytest.mark.parametrize("command", ALLOWED)
def test_a_command_imports_what_it_uses(command: str, imported: Callable[[str], set[str]]) -> None:
    assert HEAVY & imported(command) <= ALLOWED[command]


@pytest.mark.parametrize("command", ["check", "run-test support", "test", "calls", "doctor", "integrations"])
def test_a_command_reads_no_part_that_the_folder_does_not_have(
    command: str, imported: Callable[[str], set[str]]
) -> None:
    assert PARTS & imported(command) == set()


# ------------------------------------------------------------------------------------------------ did you mean


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("chek",), "did you mean 'check'?"),
        (("cals", "--since", "2h"), "did you mean 'calls'?"),
        (("calls", "--sinze", "2h"), "there is no option '--sinze'; did you mean '--since'?"),
        (("calls", "--sinze=2h"), "there is no option '--sinze'; did you mean '--since'?"),
        (("run-test", "support", "--callr", "1"), "did you mean '--caller'?"),
        (("--confg=x", "check"), "did you mean '--config'?"),
        (("calendar", "opne"), "did you mean 'open'?"),
        (("integrations", "chek", "x"), "did you mean 'check'?"),
        (("integrations", "check", "x", "--jsn"), "did you mean '--json'?"),
        (("calls", "--reason", "matchd"), "did you mean 'matched'?"),
        (("explain", "one", "two"), "there is no place for 'two'"),
    ],
)
def test_what_is_nearly_right_gets_a_hint(run: Run, arguments: tuple[str, ...], hint: str) -> None:
    code, _, err = run(*arguments)
    assert (code, hint in err) == (2, True), err


def _move(folder: Path) -> None:
    if folder.is_dir():
        folder.rename(folder.with_name("elsewhere"))
