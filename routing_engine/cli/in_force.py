"""What commands say, and take, while the folder is broken and the engine goes on with the last good configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from routing_engine.config.last_good import Refusal, find_refusal, last_good_path
from routing_engine.errors import ConfigError
from routing_engine.storage.files import become_owner

if TYPE_CHECKING:
    from routing_engine.config.store import Configuration


def tell_refusal(folder: Path) -> None:
    """Say that the running engine could not take the folder as it is now, where that is so."""
    refusal = find_refusal(folder)
    if refusal is not None:
        print(f"attention: {refusal}; 'routing-engine check' names what is wrong", file=sys.stderr)


def load_for_tools(folder: Path) -> tuple[Configuration, Refusal | None]:
    """Read the folder; where it is broken take what the engine goes on with, and say so. Raises `ConfigError`.

    An example that fails is no reason to refuse: these commands are how people find out why it does.
    """
    from routing_engine.engine import open_store  # late: who only tells needs no engine

    store, kept = open_store(folder), last_good_path(folder)
    try:
        return store.load(examples=False), None
    except ConfigError as error:
        if not kept.exists():
            raise
        # A configuration names programs and files of secrets: what the engine's user has written is not root's to run.
        become_owner(kept)
        found = store.start(examples=False)
        print(*error.problems, f"attention: {store.refusal}", sep="\n", file=sys.stderr)
        return found, store.refusal
