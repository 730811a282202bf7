"""Asterisk's command line: `asterisk -rx COMMAND`, where Asterisk runs on this machine."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

#: Asterisk answers at once, or is not well.
PATIENCE_S = 10.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: What `asterisk -rx` is started with, and nothing else of our environment: it holds the secrets of systems.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL")


class AsteriskConsole:
    """Asks Asterisk by a program that takes `-rx`; `program` may have arguments: `asterisk -C FILE`."""

    def __init__(self, program: str = "asterisk") -> None:
        self._program = shlex.split(program)

    def ask(self, command: str) -> str:
        """Return what a command prints. Raises `OSError` with a sentence when nobody answers."""
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            found = subprocess.run(  # noqa: S603  # the program is the operator's own word
                [*self._program, "-rx", command],
                capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE_S, env=environment, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise OSError(f"Asterisk did not answer within {PATIENCE_S:g} s") from None
        text = _COLOUR.sub("", found.stdout.decode("utf-8", "replace"))
        if "Unable to connect to remote asterisk" in text + found.stderr.decode("utf-8", "replace"):
            raise OSError("no Asterisk runs here, or this user may not speak to it")
        return text
