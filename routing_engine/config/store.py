"""The configuration in force: reloaded whole, or the last good one stays."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.config.authors import author_of
from routing_engine.config.changes import changes, said
from routing_engine.config.folder import STATE, FolderTexts, KnownFiles, read_folder, signature
from routing_engine.config.in_force import settled
from routing_engine.config.kept_routes import KeptRoutes
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
from routing_engine.config.refusal import Refusal, note_refusal
from routing_engine.config.revisions import Revision, Revisions
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog

__all__ = ["ConfigStore", "Configuration", "Environment", "ReadProvider", "read_configuration"]


_NO_ROUTE = (
    "there is no route in this folder",
    "write routes/NAME.yaml, name another folder with --config, or begin with 'routing-engine init'",
)


@dataclass(frozen=True, slots=True)
class FolderInForce:
    """The texts that a configuration was made of, for others to make the same. `lenient` is as for `configure`."""

    texts: FolderTexts
    lenient: bool = False


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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self.folder, self._describe, self._run_examples = folder, describe, run_examples
        self._providers, self._environment = providers, environment
        self._lock = threading.Lock()
        self._files, self._kept = KnownFiles(), KeptRoutes()
        self._in_force: Configuration | None = None
        self._lenient = False
        #: Is shown every folder before it is in force, in whatever thread reads it; may raise `ConfigError`.
        self.agree: Callable[[FolderInForce], None] = lambda folder: None
        self._good: FolderTexts | None = None
        self._seen = signature(folder)
        self._tried = "", ""
        self._since = now()
        #: Why the folder is not what is in force; None while it is.
        self.refusal: Refusal | None = None
        self._noted: Refusal | None = None
        self.revisions, self._intact = Revisions(folder), ""
        self._deeds = DeedLog(audit_folder(folder), now)

    @property
    def in_force(self) -> Configuration:
        """The last good configuration. Raises `ConfigError` when there has been none yet."""
        if self._in_force is None:
            raise ConfigError([Problem(str(self.folder), 0, "no configuration has been loaded", "load it first")])
        return self._in_force

    @property
    def texts_in_force(self) -> FolderInForce:
        """What `in_force` was made of."""
        return FolderInForce(self._good or FolderTexts({}, "", ""), self._lenient)

    def load(self, examples: bool = True, needs_routes: bool = False) -> Configuration:
        """Read the folder and put it in force, whole. Raises `ConfigError`; what was in force then stays.

        Without `examples` one that fails is a remark: for commands that help to find out why. `needs_routes`: a folder
        without any is refused, as it would route no call and is seldom the one that was meant; a hub may have none.
        """
        with self._lock:
            self._seen = signature(self.folder)  # before reading: what is written meanwhile is seen the next time
            snapshot = read_folder(self.folder, self._files)
            self._tried = snapshot.content, snapshot.secrets
            try:
                found = self._configure(snapshot, examples)
                if needs_routes and not found.routes and found.settings.listeners.take_calls:
                    raise ConfigError([Problem(os.path.abspath(self.folder), 0, *_NO_ROUTE)])
                self.agree(FolderInForce(snapshot))
            except ConfigError as error:
                self._switch_last_good(snapshot)
                self._refuse(error)
                raise
            if self._good is None or snapshot.revision != self._good.revision:
                self._since = self._now()
            self._in_force, self._good, self.refusal, self._lenient = found, snapshot, None, False
            return found

    def start(self, examples: bool = True) -> Configuration:
        """Put the folder in force, or what was in force last, while `refusal` says why. Raises `ConfigError`.

        The examples of a last good configuration are not asked for: what they say now is no reason to lose calls.
        """
        try:
            return self.load(examples, needs_routes=True)
        except ConfigError as error:
            with self._lock:
                return self._take_last_good(error)

    def keep(self) -> None:
        """Keep on the disk what is in force, or leave word there of why the folder is not. Raises `OSError`."""
        with self._lock:
            if self.refusal is None and self._good is not None:
                self._keep_revision(self._good)
            if self.refusal is None or self.refusal != self._noted:
                note_refusal(self.folder, self.refusal)
                self._noted = self.refusal

    def load_integrations(self, name: str = "") -> Configuration:
        """Read the integrations alone, or one of them; nothing is put in force. Raises `ConfigError`.

        For commands that ask a system: a route that is broken just now, or another integration, does not matter there.
        """
        snapshot = read_folder(self.folder)
        return configure_integrations(snapshot, self._providers, self._environment, self.folder, self._describe, name)

    def prepare(self, folder: FolderInForce) -> Configuration:
        """Return what another process puts in force; nothing is put in force here. Raises `ConfigError`.

        That one has played the examples already.
        """
        with self._lock:
            return self._configure(folder.texts, examples=False, lenient=folder.lenient)

    def _configure(self, snapshot: FolderTexts, examples: bool, lenient: bool = False) -> Configuration:
        return configure(
            snapshot,
            self._providers,
            self._environment,
            examples,
            self.folder,
            describe=self._describe,
            run_examples=self._run_examples,
            lenient=lenient,
            kept=self._kept,
        )

    def _keep_revision(self, texts: FolderTexts) -> None:
        """Keep what is in force as a revision. Several engines on a folder keep the same: the first one notes it."""
        found = self.revisions.standing.read()
        if found is not None and found.revision == texts.revision == self._intact:
            return
        with self.revisions.standing.held():
            before = self.revisions.standing.read()
            again = before is not None and before.revision == texts.revision
            if not (again and self.revisions.intact(texts.revision)):
                since = before.since if before is not None and again else self._since
                words = self._keep_files(texts, since, "" if before is None else before.revision)
                self.revisions.standing.write(settled(before, texts.revision, False, since))
                if not again:
                    self._deeds.add(*words, texts.revision)
            self.revisions.prune(self.in_force.settings.revisions.keep, {texts.revision})
        self._intact = texts.revision

    def _keep_files(self, texts: FolderTexts, since: datetime, before: str) -> tuple[str, str, str]:
        """Keep the files of a revision; return who brought it, "in force", and what has changed, for the audit."""
        kept = self.revisions.known(before)
        changed = changes(kept.files if kept is not None else {}, self.revisions.hashes(texts))
        author = self.revisions.announced(texts.revision)
        if author is None:
            contents = {name: texts.bytes_of(name) for name in texts.written}
            author = author_of(self.folder, contents, [one.file for one in changed])
        self.revisions.keep(texts, since, author)
        return author.who, "in force", said(changed)

    def _take_last_good(self, error: ConfigError) -> Configuration:
        kept, texts = self._last_good(error)
        now = read_folder(self.folder)
        texts = replace(texts, texts={**texts.texts, **now.under(STATE)})
        try:
            found = self._configure(texts, examples=False, lenient=True)
        except ConfigError as worse:
            sentence = f"the last good configuration (revision {kept.number}, of engine {kept.version}) is no help"
            remedy = f"its first problem: {worse.problems[0]}"
            raise ConfigError([*error.problems, Problem(str(self.revisions.path), 0, sentence, remedy)]) from error
        self._in_force, self._good, self._since, self._lenient = found, texts, kept.at, True
        self._refuse(error)
        return found

    def _last_good(self, error: ConfigError) -> tuple[Revision, FolderTexts]:
        """Return what was in force last. Raise `error`, with what is wrong with that or where it would be, for none."""
        try:
            number = self.revisions.newest
            if number:
                texts = self.revisions.texts(number)
                return self.revisions.read(number), texts
        except ConfigError as worse:
            raise ConfigError([*error.problems, *worse.problems]) from error
        if any(one.file == os.path.abspath(self.folder) for one in error.problems):  # the wrong folder, or a lost one
            where, sentence = (
                str(self.revisions.path),
                "there is no configuration from before that could be used instead",
            )
            raise ConfigError([*error.problems, Problem(where, 0, sentence, "name the right folder")]) from error
        raise error

    def _refuse(self, error: ConfigError) -> None:
        if self._good is not None:
            self.refusal = Refusal(self._tried[0], self._good.revision, self._since, error.problems)

    def _switch_last_good(self, broken: FolderTexts) -> None:
        """Take what commands have switched onto the last good configuration: a night switch must not wait for YAML."""
        if self._good is None or broken.under(STATE) == self._good.under(STATE):
            return
        texts = {name: text for name, text in self._good.texts.items() if not name.startswith(STATE + "/")}
        switched = replace(self._good, texts={**texts, **broken.under(STATE)})
        found = self._configure(switched, examples=False, lenient=True)
        with suppress(ConfigError):  # what is in force stays so with all of them
            self.agree(FolderInForce(switched, lenient=True))
            self._in_force, self._good, self._lenient = found, switched, True

    def reload(self) -> Configuration:
        """Read the folder anew, whether it has changed or not: whole, or `ConfigError` and the last good one stays."""
        return self.load(needs_routes=True)

    def changed(self) -> bool:
        """Return whether the content differs from what was last tried, good or bad: each is reported once."""
        with self._lock:
            now = signature(self.folder)
            if now == self._seen:
                return False
            found = read_folder(self.folder, self._files)
            content = found.content, found.secrets
            if content == self._tried:
                self._seen = now  # touched, moved or linked anew, but the same in content
            return content != self._tried
