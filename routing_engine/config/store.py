"""The configuration in force: reloaded whole, or the last good one stays."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from routing_engine.config.folder import STATE, FolderTexts, read_folder, signature
from routing_engine.config.load import (
    Configuration,
    Environment,
    ReadDescription,
    ReadProvider,
    RunExamples,
    configure,
    configure_integrations,
    read_configuration,
)
from routing_engine.errors import ConfigError, Problem

__all__ = ["ConfigStore", "Configuration", "Environment", "ReadProvider", "read_configuration"]


class ConfigStore:
    """The configuration in force; calls under way keep the one they began with. Safe to use from several threads.

    `load` first, then `changed` as often as wanted (one `stat` a file), and `reload` when it says so.
    """

    def __init__(
        self,
        folder: Path,
        providers: Mapping[str, ReadProvider],
        environment: Environment = lambda _: None,
        describe: ReadDescription | None = None,
        run_examples: RunExamples | None = None,
    ) -> None:
        self.folder, self._describe, self._run_examples = folder, describe, run_examples
        self._providers, self._environment = providers, environment
        self._lock = threading.Lock()
        self._in_force: Configuration | None = None
        self._good: FolderTexts | None = None
        self._seen = signature(folder)
        self._tried = ""

    @property
    def in_force(self) -> Configuration:
        """The last good configuration. Raises `ConfigError` when there has been none yet."""
        if self._in_force is None:
            raise ConfigError([Problem(str(self.folder), 0, "no configuration has been loaded", "load it first")])
        return self._in_force

    def load(self, examples: bool = True) -> Configuration:
        """Read the folder and put it in force, whole. Raises `ConfigError`; what was in force then stays.

        Without `examples` one that fails is a remark: for commands that help to find out why.
        """
        with self._lock:
            self._seen = signature(self.folder)  # before reading: what is written meanwhile is seen the next time
            snapshot = read_folder(self.folder)
            self._tried = snapshot.content
            try:
                self._in_force = self._configure(snapshot, examples)
            except ConfigError:
                self._switch_last_good(snapshot, examples)
                raise
            self._good = snapshot
            return self._in_force

    def load_integrations(self, name: str = "") -> Configuration:
        """Read the integrations alone, or one of them; nothing is put in force. Raises `ConfigError`.

        For commands that ask a system: a route that is broken just now, or another integration, does not matter there.
        """
        snapshot = read_folder(self.folder)
        return configure_integrations(snapshot, self._providers, self._environment, self.folder, self._describe, name)

    def _configure(self, snapshot: FolderTexts, examples: bool) -> Configuration:
        return configure(
            snapshot,
            self._providers,
            self._environment,
            examples,
            self.folder,
            describe=self._describe,
            run_examples=self._run_examples,
        )

    def _switch_last_good(self, broken: FolderTexts, examples: bool) -> None:
        """Take what commands have switched onto the last good configuration: a night switch must not wait for YAML."""
        if self._good is None or broken.under(STATE) == self._good.under(STATE):
            return
        texts = {name: text for name, text in self._good.texts.items() if not name.startswith(STATE + "/")}
        switched = replace(self._good, texts={**texts, **broken.under(STATE)})
        self._in_force, self._good = self._configure(switched, examples), switched

    def reload(self) -> Configuration:
        """Read the folder anew, whether it has changed or not: whole, or `ConfigError` and the last good one stays."""
        return self.load()

    def changed(self) -> bool:
        """Return whether the content differs from what was last tried, good or bad: each is reported once."""
        with self._lock:
            now = signature(self.folder)
            if now == self._seen:
                return False
            content = read_folder(self.folder).content
            if content == self._tried:
                self._seen = now  # touched, moved or linked anew, but the same in content
            return content != self._tried
