"""The configuration in force: reloaded whole, or the last good one stays."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.config.authors import author_of
from routing_engine.config.changes import changes, said
from routing_engine.config.folder import ROUTES, STATE, FolderTexts, KnownFiles, read_folder, signature
from routing_engine.config.in_force import InForce, TrialRevision, settled
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
        self.revisions, self._intact = Revisions(folder), ("", "")
        self._candidate_texts, self._secrets = FolderTexts({}, "", ""), ""
        #: What the folder holds while something else is in force, as `standing` says.
        self.candidate: Configuration | None = None
        #: What is in force, and what waits, as `start` and `reload` have found it; None before.
        self.standing: InForce | None = None
        self._sign = 0, 0
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

    def load(
        self, examples: bool = True, needs_routes: bool = False, guarded: bool = False, remarks: bool = True
    ) -> Configuration:
        """Read the folder and put it in force, whole. Raises `ConfigError`; what was in force then stays.

        `guarded`: as the file of what is in force says, it may be a candidate only (`standing`).

        Without `examples` one that fails is a remark: for commands that help to find out why. `needs_routes`: a folder
        without any is refused, as it would route no call and is seldom the one that was meant; a hub may have none.
        Without `remarks` there are none: `remarks` finds them later.
        """
        with self._lock:
            self._seen = signature(self.folder)  # before reading: what is written meanwhile is seen the next time
            self._sign = self.revisions.standing.sign()
            snapshot = self._read_quietly() if guarded else read_folder(self.folder, self._files)
            self._tried = snapshot.content, snapshot.secrets
            try:
                found = self._configure(snapshot, examples, remarks=remarks)
                if needs_routes and not found.routes and found.settings.listeners.take_calls:
                    raise ConfigError([Problem(os.path.abspath(self.folder), 0, *_NO_ROUTE)])
                if guarded and (older := self._held_back(snapshot, found)) is not None:
                    self.refusal = None
                    return older
                self.agree(FolderInForce(snapshot))
            except ConfigError as error:
                self._switch_last_good(snapshot)
                if guarded:
                    self._stand_apart(snapshot)
                self._refuse(error)
                raise
            if self._good is None or snapshot.revision != self._good.revision:
                self._since = self._now()
            self._in_force, self._good, self.refusal, self._lenient = found, snapshot, None, False
            self._secrets = snapshot.secrets
            return found

    def start(self, examples: bool = True) -> Configuration:
        """Put the folder in force, or what was in force last, while `refusal` says why. Raises `ConfigError`.

        Remarks are left to `remarks`: callers wait for this.

        The examples of a last good configuration are not asked for: what they say now is no reason to lose calls.
        """
        try:
            return self.load(examples, needs_routes=True, guarded=True, remarks=False)
        except ConfigError as error:
            with self._lock:
                found = self._take_last_good(error)
                self._stand_apart(read_folder(self.folder))
                return found

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

    def load_people(self) -> Configuration:
        """Read all but the routes; nothing is put in force. Raises `ConfigError` for what is broken in that.

        For commands about people, groups and PBXs: ten thousand routes do not matter there, nor one that is broken.
        """
        snapshot = read_folder(self.folder)
        left = {name: text for name, text in snapshot.texts.items() if not name.startswith(ROUTES + "/")}
        return self._configure(replace(snapshot, texts=left), examples=False, remarks=False)

    def prepare(self, folder: FolderInForce) -> Configuration:
        """Return what another process puts in force; nothing is put in force here. Raises `ConfigError`.

        That one has played the examples already.
        """
        with self._lock:
            return self._configure(folder.texts, examples=False, lenient=folder.lenient, remarks=False)

    def _configure(
        self, snapshot: FolderTexts, examples: bool, lenient: bool = False, remarks: bool = True
    ) -> Configuration:
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
            remarks=remarks,
        )

    def _held_back(self, snapshot: FolderTexts, found: Configuration) -> Configuration | None:
        """Return what stays in force while the folder is only a candidate; None where the folder itself is in force."""
        before = self.revisions.standing.read()
        # As what is in force has it: else a change could let itself in by switching the guard off.
        settings = None if self._in_force is None else self._in_force.settings
        guarded = settings.activation.guarded if settings is not None else before is not None and before.guarded
        standing = settled(before, snapshot.revision, guarded, self._now())
        texts = None
        if standing.revision != snapshot.revision:
            with suppress(ConfigError):  # what is not kept as it was cannot be held: the folder is in force
                texts = self._with_state(standing.revision, snapshot)
        if texts is None:
            self.standing, self.candidate = InForce(snapshot.revision, standing.since), None
            return None
        older = self._older(texts, snapshot.secrets)
        self.standing, self.candidate, self._candidate_texts = standing, found, snapshot
        return older

    def _stand_apart(self, snapshot: FolderTexts) -> None:
        """Follow what people put in force and on trial, while the folder cannot be read."""
        standing = self.revisions.standing.read()
        if standing is None or self._good is None:
            return
        with suppress(ConfigError):
            self._older(self._with_state(standing.revision, snapshot), snapshot.secrets)
            self._try_kept(standing, snapshot)

    def follow_trial(self) -> None:
        """Follow what is on trial, in a process that is told what is in force."""
        with self._lock:
            self._sign = self.revisions.standing.sign()
            standing = self.revisions.standing.read()
            if standing is not None:
                with suppress(ConfigError):
                    self.candidate = None  # what commands have switched may be another thing today
                    self._try_kept(standing, read_folder(self.folder))

    @property
    def trial_changed(self) -> bool:
        """Whether somebody has put something in force, or on trial."""
        return self.revisions.standing.sign() != self._sign

    def _try_kept(self, standing: InForce, today: FolderTexts) -> None:
        """Take what is on trial from what is kept. Raises `ConfigError`."""
        trial, self.standing = standing.candidate, standing
        if trial is None:
            self.candidate = None
        elif self.candidate is None or self.candidate.revision != trial.revision:
            self.candidate = self._configure(self._with_state(trial.revision, today), False, lenient=True)

    def _read_quietly(self) -> FolderTexts:
        """Read the folder while nobody writes an older revision into it."""
        try:
            with self.revisions.standing.held():
                return read_folder(self.folder, self._files)
        except OSError:  # a state that cannot be written: nobody goes back there either
            return read_folder(self.folder, self._files)

    def _older(self, texts: FolderTexts, secrets: str) -> Configuration:
        """Put a revision in force that is kept, with what commands have switched today. Raises `ConfigError`."""
        good, found = self._good, self._in_force
        same = good is not None and (good.revision, good.under(STATE)) == (texts.revision, texts.under(STATE))
        if found is None or not same or secrets != self._secrets:
            found = self._configure(texts, examples=False, lenient=True)
            self.agree(FolderInForce(texts, lenient=True))
            self._since, self._lenient = self._now(), True
        self._in_force, self._good, self._secrets = found, texts, secrets
        return found

    def _with_state(self, number: str, today: FolderTexts) -> FolderTexts:
        texts = self._good if self._good is not None and self._good.revision == number else self.revisions.texts(number)
        kept = {name: text for name, text in texts.texts.items() if not name.startswith(STATE + "/")}
        return replace(texts, texts={**kept, **today.under(STATE)})

    def _keep_revision(self, texts: FolderTexts) -> None:
        """Keep what is in force as a revision. Several engines on a folder keep the same: the first one notes it."""
        standing = self.standing or InForce(texts.revision, self._since)
        trial = standing.candidate
        kept = texts.revision, "" if trial is None else trial.revision
        if kept == self._intact and self.revisions.standing.sign() == self._sign:
            return
        with self.revisions.standing.held():
            before = self.revisions.standing.read()
            if trial is not None and (before is None or _number_of(before.candidate) != trial.revision):
                known = self.revisions.known(trial.revision)
                taken = known is not None and known.taken
                who, _, about = self._keep_files(self._candidate_texts, trial.at, texts.revision, taken)
                self._deeds.add(who, "waiting", about, trial.revision)
            again = before is not None and before.revision == texts.revision
            if not (again and self.revisions.intact(texts.revision)):
                since = before.since if before is not None and again else self._since
                words = self._keep_files(texts, since, "" if before is None else before.revision)
                if not again:
                    self._deeds.add(*words, texts.revision)
            now = self._stand_now(before, texts.revision, trial)
            if now != before:
                self.revisions.standing.write(now)
            self.standing, self._sign = now, self.revisions.standing.sign()
            self.revisions.prune(self.in_force.settings.revisions.keep, {*kept})
        self._intact = kept

    def _stand_now(self, before: InForce | None, number: str, trial: TrialRevision | None) -> InForce:
        """Return what is written down: what people have changed meanwhile stays, and is followed with the next look."""
        since = self._since if before is None or before.revision != number else before.since
        guarded = self.in_force.settings.activation.guarded
        if before is not None and before.revision == number and _number_of(before.candidate) == _number_of(trial):
            trial = before.candidate
        return InForce(number, since, trial, guarded)

    def _keep_files(self, texts: FolderTexts, since: datetime, before: str, taken: bool = True) -> tuple[str, str, str]:
        """Keep the files of a revision; return who brought it, "in force", and what has changed, for the audit."""
        kept = self.revisions.known(before)
        changed = changes(kept.files if kept is not None else {}, self.revisions.hashes(texts))
        author = self.revisions.announced(texts.revision)
        if author is None:
            contents = {name: texts.bytes_of(name) for name in texts.written}
            author = author_of(self.folder, contents, [one.file for one in changed])
        self.revisions.keep(texts, since, author, taken, "" if before == texts.revision else before)
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
        return self.load(needs_routes=True, guarded=True, remarks=False)

    def remarks(self) -> Sequence[Problem]:
        """Return what is allowed in the folder in force and hardly meant."""
        with self._lock:
            return () if self._good is None else self._configure(self._good, False, self._lenient).remarks

    def changed(self) -> bool:
        """Return whether the content differs from what was last tried, good or bad: each is reported once."""
        with self._lock:
            if self.trial_changed:
                return True
            now = signature(self.folder)
            if now == self._seen:
                return False
            found = read_folder(self.folder, self._files)
            content = found.content, found.secrets
            if content == self._tried:
                self._seen = now  # touched, moved or linked anew, but the same in content
            return content != self._tried


def _number_of(trial: TrialRevision | None) -> str:
    return "" if trial is None else trial.revision
