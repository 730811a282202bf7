"""What commands say, and take, while the folder is broken and the engine goes on with the last good configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from routing_engine.cli.common import step_down
from routing_engine.config.refusal import Refusal, find_refusal
from routing_engine.config.revisions import Revisions
from routing_engine.config.tell_trial import say_trial
from routing_engine.errors import ConfigError

if TYPE_CHECKING:
    from routing_engine.config.store import Configuration


def tell_refusal(folder: Path) -> None:
    """Say that the running engine could not take the folder as it is now, where that is so."""
    refusal = find_refusal(folder)
    if refusal is not None:
        print(f"attention: {refusal}; 'routing-engine check' names what is wrong", file=sys.stderr)
    found = Revisions(folder).standing.read()
    if found is not None and found.candidate is not None:
        # Also of a folder that was changed since: what is tried out here is not what callers meet.
        print(f"attention: {say_trial(found.candidate)}; in force is revision {found.revision}", file=sys.stderr)


def load_for_tools(folder: Path) -> tuple[Configuration, Refusal | None]:
    """Read the folder; where it is broken take what the engine goes on with, and say so. Raises `ConfigError`.

    An example that fails is no reason to refuse: these commands are how people find out why it does.
    """
    from routing_engine.engine import open_store  # late: who only tells needs no engine

    store, kept = open_store(folder), Revisions(folder)
    try:
        return store.load(examples=False), None
    except ConfigError as error:
        # A configuration names programs and files of secrets: what the engine's user has written is not root's to run.
        step_down(kept.path)
        if not kept.newest:
            raise
        found = store.start(examples=False)
        print(*error.problems, f"attention: {store.refusal}", sep="\n", file=sys.stderr)
        return found, store.refusal
