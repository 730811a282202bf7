"""Where `${NAME}` comes from: the process, and the file `environment` of the configuration folder.

One file for the service and for every command, so that what the service can read its tools can read, too. It is written
as systemd and shells write one: `NAME=value`, a value in quotes or not, `#` before a remark. It is no part of the
configuration: its values are kept nowhere, and the revision does not depend on them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.errors import Problem

ENVIRONMENT = "environment"
_LARGEST = 1 << 20
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_WRITE = "write NAME=value, with quotes around a value that holds spaces or #"
_OTHERS = 0o007


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """The variables of the file, what is wrong with it, and what is only remarkable. No value stands in a problem."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


def read_environment_file(folder: Path) -> EnvironmentFile:
    """Read the file of a folder; one that is not there, or is not for this user, has no variables."""
    try:
        with open(folder / ENVIRONMENT, "rb") as file:
            readable_by_all = os.fstat(file.fileno()).st_mode & _OTHERS
            text = file.read(_LARGEST).decode()
    except OSError:
        return EnvironmentFile()
    except UnicodeDecodeError:
        return EnvironmentFile(problems=(Problem(ENVIRONMENT, 0, "this is not UTF-8", "save the file as UTF-8"),))
    values: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.replace("\\\n", "").splitlines(), 1):
        name, value = _read(line)
        if name is None:
            problems.append(Problem(ENVIRONMENT, number, "this is not NAME=value", _WRITE))
        elif name:
            values[name] = value
    remarks: tuple[Problem, ...] = ()
    if readable_by_all and values:
        sentence = "everybody on this machine can read the secrets in it"
        remarks = (Problem(ENVIRONMENT, 0, sentence, f"chmod 640 {folder / ENVIRONMENT}"),)
    return EnvironmentFile(values, tuple(problems), remarks)


def _read(line: str) -> tuple[str | None, str]:
    """Return name and value of a line; "" for a line without any, None for one that cannot be read."""
    line = line.strip()
    if not line or line[0] in "#;":
        return "", ""
    found = _LINE.match(line)
    if found is None:
        return None, ""
    value = found[2].strip()
    if value[:1] not in ("'", '"'):
        return found[1], value.split(" #", 1)[0].strip()
    quoted = _QUOTED.match(value)
    rest = value[quoted.end() :].strip() if quoted else "?"
    if quoted is None or (rest and not rest.startswith("#")):
        return None, ""
    return found[1], quoted[1] if quoted[1] is not None else re.sub(r"\\(.)", r"\1", quoted[2])


def variable_of(folder: Path, name: str) -> str | None:
    """Return a variable: the process's own, else that of the file; None when neither has it."""
    own = os.environ.get(name)
    return own if own is not None else read_environment_file(folder).values.get(name)


def variables_of(folder: Path) -> Mapping[str, str]:
    """Return all variables, of the file and of the process."""
    return {**read_environment_file(folder).values, **os.environ}
