"""The command line, one file a command.

Exit codes: 0 fine, 1 the thing that was checked is not fine, 2 misuse. `--json` wherever a person would also read.
To add a command, write a file with `add(parser)`, which sets `run`, and a line in `COMMANDS`. The file is imported when
its command is called, and no other: a command begins at once. What is large and not always needed is imported by the
function that needs it, with `# late: NAME` behind.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from routing_engine import __version__
from routing_engine.cli.common import CONFIG_HELP, add_command, misuse, step_down
from routing_engine.cli.parser import CommandParser
from routing_engine.cli.screen import guarded
from routing_engine.errors import ConfigError, RoutingEngineError
from routing_engine.settings.paths import state_folder

#: What each command gives. Its file has the command's name, `_` for `-`.
COMMANDS = {
    "serve": "run the service: listeners, hot reload, graceful stop on SIGTERM",
    "check": "print every problem of every file: file:line: sentence; remedy",
    "doctor": "look at the engine and at Asterisk, and say who must do what",
    "run-test": "play a call without a telephone: where it goes, and every step",
    "show": "draw a route as a person would, or the whole folder; say in words what has changed",
    "test": "run the routes' examples; report rules that no example proves",
    "call": "call the running service: prints prompts, takes digits from the keyboard",
    "explain": "show one call: every step, where it went and why, and what became of it",
    "calls": "list the calls, the newest first",
    "dial": "let a user's phone ring, then call a number",
    "deliveries": "show what waits to be written elsewhere; send one again, or give it up",
    "forget": "remove a number from all that the engine keeps, with a receipt",
    "database": "show where calls are kept; bring the tables up to date, or back for an older version",
    "calendar": "show every calendar's state; close or open one for a while",
    "mirror": "show what is mirrored: how many records, how old, the next pull",
    "integrations": "show what is configured; check a connection, or log in to it",
    "pbx": "try an Asterisk whose calls are followed: log-in, rights, settings",
    "users": "list who takes calls; set passwords, find who is who in a CRM, show who did what",
    "revisions": "list what was in force, with who changed what and why; show one and its differences",
    "activate": "let a change that waits have some callers, a share of all, or everybody; or take it back",
    "rollback": "let the folder hold an older revision again; what it held is kept",
    "reload": "have the running engine read the folder now, and say what came of it",
    "audit": "list what came into force and who did what; verify that nothing of it was changed",
    "groups": "show what each group of people may do with records",
    "schema": "write the JSON Schemas by which an editor checks the configuration",
    "init": "write a folder with a working route, its records, the dialplan and the sounds",
    "install-service": "write the systemd unit of a folder in /etc, with its user",
}


def build_parser(arguments: Sequence[str] | None = None) -> CommandParser:
    """Return the parser of the command line; with `arguments` only the commands that they name have their options."""
    parser = CommandParser(
        prog="routing-engine",
        description="Decides where Asterisk sends a call, by rules in YAML.",
        epilog="To begin: routing-engine init my-config",
    )
    parser.add_argument("--version", action="version", version=f"routing-engine {__version__}")
    parser.add_argument("--config", type=Path, metavar="DIR", default=None, help=CONFIG_HELP)
    plain: argparse.ArgumentParser = parser
    commands = plain.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, gives in COMMANDS.items():
        command = add_command(commands, name, gives)
        if arguments is None or name in arguments:
            import_module(f"routing_engine.cli.{name.replace('-', '_')}").add(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code. Whatever happens, people read a sentence."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with guarded():
        try:
            return _flushed(arguments)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            return _unheard()
        except RoutingEngineError as error:
            return _end(str(error))
        except OSError as error:
            return _end(_why(error))


def _flushed(arguments: Sequence[str]) -> int:
    try:
        return _run(arguments)
    finally:
        # Here, where it can still be answered: at the end of the program a closed pipe is a complaint of Python's.
        sys.stdout.flush()


def _run(arguments: Sequence[str]) -> int:
    options = build_parser(arguments).read(arguments)
    folder = options.config or _usual_folder()
    if folder is None:
        return misuse("the configuration in this folder belongs to another user; name it with --config if it is meant")
    options.config = folder
    try:
        # Who only writes the configuration is root where that is root's, whoever owns the state.
        step_down(*([] if getattr(options, "configures", False) else [state_folder(folder)]), folder)
        if getattr(options, "tells_refusal", True):
            from routing_engine.cli.in_force import tell_refusal  # late: YAML, which help does without

            tell_refusal(options.config)
        code: int = options.run(options)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        code = 1
    return code


def _unheard() -> int:
    """Nobody reads on, `| head` for one: what is left in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _end(sentence: str) -> int:
    print(f"routing-engine: {sentence}", file=sys.stderr)
    return 1


def _why(error: OSError) -> str:
    """Return what the system refused, and who may do it."""
    what = f"{error.filename}: " if error.filename else ""
    rights = isinstance(error, PermissionError)
    remedy = "; call this as the user that the engine runs as, or as root" if rights else ""
    return f"{what}{error.strerror or error}{remedy}"


def _is_configuration(folder: Path) -> bool:
    # A hub has no routes of its own.
    return (folder / "routes").is_dir() or (folder / "engine.yaml").is_file()


def _usual_folder() -> Path | None:
    """Return the configuration folder when none is named; None where what lies here is somebody else's.

    Whoever owns it says where the secrets of our environment are sent.
    """
    named = os.environ.get("ROUTING_ENGINE_CONFIG")
    if named:
        return Path(named)
    here = [folder for folder in (Path("config"), Path()) if _is_configuration(folder)]
    if not here:
        return Path("/etc/routing-engine")
    return here[0] if here[0].stat().st_uid in (0, os.geteuid()) else None
