"""Which Asterisks are followed: `pbxs/*.yaml`."""

from __future__ import annotations

import re
from collections.abc import Collection

from routing_engine.connections import is_loopback
from routing_engine.settings.pbx import Pbx, PbxKeys
from routing_engine.settings.spec import read
from routing_engine.settings.yaml_reader import Problems, read_yaml

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)


def read_pbx(name: str, text: str, notes: Problems, edges: Collection[str] | None = None) -> Pbx | None:
    """Read a file of `pbxs/`; None when there is any problem, and `notes` then holds all of them.

    `edges` are the keys that engines beside PBXs have; None where that is not known.
    """
    if not _NAME.match(name):
        notes.note(0, f"a PBX cannot be called '{name}'", "name the file with a-z A-Z 0-9 - and _")
    section = read_yaml(text, notes)
    if section is None:
        return None
    # Whole or not at all: half a PBX would call every call internal.
    keys = read(section, PbxKeys, f"the PBX '{name}'")
    if keys.edge and edges is not None and keys.edge not in edges:
        example = f"add to api_keys of engine.yaml: {keys.edge}: {{key: '${{KEY}}', may: [edge]}}"
        section.note("edge", f"no key '{keys.edge}' has the right 'edge'", example)
    if keys.ami is not None and keys.ami.address.host and not is_loopback(keys.ami.address.host):
        sentence = "'ami' speaks in the clear to another machine: numbers can be read on the way"
        notes.remark(section.line_of("ami"), sentence, "let an engine run beside that PBX, or use a tunnel")
    return None if notes.problems else Pbx(name, keys)
