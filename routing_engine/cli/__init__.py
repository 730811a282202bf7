"""The command line, one file a command.

Exit codes: 0 fine, 1 the thing that was checked is not fine, 2 misuse. `--json` wherever a person would also read.
To add a command, write a file with `add(commands)` and put its module into `COMMANDS`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from routing_engine import __version__
from routing_engine.cli import (
    calendar,
    calls,
    check,
    explain,
    forget,
    init,
    integrations,
    mirror,
    run_test,
    schema,
    serve,
    test,
)
from routing_engine.cli import call as telephone
from routing_engine.cli.common import CONFIG_HELP, misuse, step_down
from routing_engine.cli.in_force import tell_refusal
from routing_engine.cli.screen import guarded
from routing_engine.errors import ConfigError
from routing_engine.settings.paths import state_folder

COMMANDS = (
    *(serve, check, run_test, test, telephone, explain, calls, forget),
    *(calendar, mirror, integrations, schema, init),
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="routing-engine",
        description="Decides where Asterisk sends a call, by rules in YAML.",
        epilog="To begin: routing-engine init my-config",
    )
    parser.add_argument("--version", action="version", version=f"routing-engine {__version__}")
    parser.add_argument("--config", type=Path, metavar="DIR", default=None, help=CONFIG_HELP)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    with guarded():
        return _run(build_parser().parse_args(arguments))


def _run(options: argparse.Namespace) -> int:
    folder = options.config or _usual_folder()
    if folder is None:
        return misuse("the configuration in this folder belongs to another user; name it with --config if it is meant")
    options.config = folder
    try:
        # Who only writes the configuration is root where that is root's, whoever owns the state.
        step_down(*([] if getattr(options, "configures", False) else [state_folder(folder)]), folder)
        if getattr(options, "tells_refusal", True):
            tell_refusal(options.config)
        code: int = options.run(options)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code


def _usual_folder() -> Path | None:
    """Return the configuration folder when none is named; None where what lies here is somebody else's.

    Whoever owns it says where the secrets of our environment are sent.
    """
    named = os.environ.get("ROUTING_ENGINE_CONFIG")
    if named:
        return Path(named)
    here = [folder for folder in (Path("config"), Path()) if (folder / "routes").is_dir()]
    if not here:
        return Path("/etc/routing-engine")
    return here[0] if here[0].stat().st_uid in (0, os.geteuid()) else None
