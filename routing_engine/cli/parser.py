"""The parser of the command line: it tells which word was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence


class CommandParser(argparse.ArgumentParser):
    """Like its parent, with a hint for a command, an option or a choice that does not exist."""

    def read(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Return the options; ends the program with 2 where they cannot be read."""
        options, left = self.parse_known_args(arguments)
        if left:
            # The usage of the innermost command: it has put itself there.
            getattr(options, "parser", self).refuse(left)
        return options

    def refuse(self, left: Sequence[str]) -> None:
        """End with what is wrong with arguments that nothing takes."""
        option = next((one.partition("=")[0] for one in left if one.startswith("-")), "")
        if option:
            self.error(f"there is no option '{option}'; {_suggest(option, self._option_string_actions)}")
        self.error(f"there is no place for '{left[0]}'")

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"invalid choice: '{value}'; {_suggest(value, action.choices)}")


def _suggest(word: str, known: Iterable[str]) -> str:
    from routing_engine.settings.yaml_reader import suggest  # late: YAML

    return suggest(word, known)
