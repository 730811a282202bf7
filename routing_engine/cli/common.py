"""What the commands share: the `--config` option, JSON on standard output, colour on a terminal."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.redact import escaped

#: Where a command adds its parser: what `ArgumentParser.add_subparsers` gives.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

CONFIG_HELP = (
    "the configuration folder (default: $ROUTING_ENGINE_CONFIG, ./config, the current folder, /etc/routing-engine)"
)

#: More cores than that no PBX keeps busy.
_MOST_WORKERS = 64
_MOST_ROWS = 1_000_000


def add_command(commands: Commands, name: str, gives: str) -> argparse.ArgumentParser:
    """Add a command that takes `--config` too: it is accepted before and after the command's name."""
    parser = commands.add_parser(name, help=gives, description=gives[0].upper() + gives[1:] + ".")
    parser.set_defaults(parser=parser)
    parser.add_argument("--config", type=Path, metavar="DIR", default=argparse.SUPPRESS, help=CONFIG_HELP)
    return parser


def add_variables(parser: argparse.ArgumentParser) -> None:
    """Add the option for channel variables."""
    parser.add_argument(
        "--variable", action="append", default=[], type=pair, metavar="NAME=VALUE", help="a channel variable"
    )


def pair(text: str) -> tuple[str, str]:
    """Return name and value of an argument. Raises `ArgumentTypeError` where it is not NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def worker_count(text: str) -> int:
    """Return how many workers an argument asks for. Raises `ArgumentTypeError` for what is no such number."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_WORKERS):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {_MOST_WORKERS}")
    return int(text)


def row_count(text: str) -> int:
    """Return how many rows an argument asks for. Raises `ArgumentTypeError` for what is no such number."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_ROWS):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {_MOST_ROWS}")
    return int(text)


def print_json(value: Json) -> None:
    """Write a value as JSON, for programs; whatever a terminal would obey is written as its escape."""
    print(escaped(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], widest: int = 38) -> None:
    """Write a table for people. The last column may be as long as it is: nothing stands behind it."""
    every = [head, *rows]
    widths = [min(max(len(row[n]) for row in every), widest) for n in range(len(head) - 1)]
    for number, row in enumerate(every):
        line = "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]])
        print(line if number else paint(line, "dim"))


_COLOURS = {"good": "32", "bad": "31", "dim": "2", "bold": "1"}


def paint(text: str, colour: str) -> str:
    """Return the text in a colour on a terminal, as it is elsewhere."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if sys.stdout.isatty() else text


def step_down(*places: Path) -> None:
    """Go on as the owner of the first of these places that is not root's, where root runs us.

    Whoever owns a folder can leave links, programs and addresses there, and may have been taken over: nothing of that
    is done with root's rights. Raises `PermissionError` for a root that may not change who it is.
    """
    from routing_engine.storage.files import become_owner  # late: asyncio

    for place in places:
        with contextlib.suppress(FileNotFoundError):
            become_owner(place)


def misuse(sentence: str) -> int:
    """Say what is wrong with the call of the command; gives exit code 2."""
    print(f"routing-engine: {sentence}", file=sys.stderr)
    return 2
