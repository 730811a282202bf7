"""A configuration folder read whole: settings, integrations, routes and their examples, or every problem of them."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from routing_engine.config.call_log import call_log_of, check_links, check_pop
from routing_engine.config.engine_yaml import EngineSettings, load_part, read_settings
from routing_engine.config.examples import Example, problems_of
from routing_engine.config.folder import (
    INTEGRATIONS,
    PBXS,
    PROVIDERS,
    ROUTES,
    WEBHOOKS,
    FolderTexts,
    UnreadableFile,
    read_folder,
)
from routing_engine.config.kept_routes import KeptRoutes, Proven
from routing_engine.config.lint.remarks import lint
from routing_engine.config.lint.site import SiteSubject, at_odds
from routing_engine.config.lint.unreached import circles
from routing_engine.config.route.read import RouteFile, read_route
from routing_engine.config.route.walk import speaks
from routing_engine.core.model import Decision, Route
from routing_engine.errors import ConfigError, Problem
from routing_engine.settings.environment import read_environment_file
from routing_engine.settings.integration import Integration, IntegrationFacts, IntegrationKeys, ProviderSetup
from routing_engine.settings.listeners import Listeners
from routing_engine.settings.mirror import check_listing, check_live, listing_of
from routing_engine.settings.people import DEFAULT_GROUP, Group, People, User
from routing_engine.settings.spec import read
from routing_engine.settings.yaml_lines import YamlLines
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml, suggest

if TYPE_CHECKING:
    from routing_engine.settings.pbx import Pbx
    from routing_engine.settings.webhook import WebhookKeys

#: Reads an integration's section (`provider` is taken) and closes it. It gets the integration's name too, and notes
#: problems, never raises.
ReadProvider: TypeAlias = Callable[[Section, str], ProviderSetup]
#: Reads a file of `providers/`, an operator's own description of a kind of system: its text, where to note problems,
#: and its name. None when it cannot be used.
ReadDescription: TypeAlias = Callable[[str, Problems, str], ReadProvider | None]
#: Plays the examples of a configuration; gives what each came to, by route and in their order. Not of this floor: it
#: needs what live calls need.
RunExamples: TypeAlias = "Callable[[Configuration], Mapping[str, Sequence[Decision]]]"
#: Gives an environment variable; None when it is not set.
Environment: TypeAlias = Callable[[str], str | None]

_INTEGRATION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z", re.ASCII)
#: What of engine.yaml matters to an integration that is asked by itself.
_FOR_INTEGRATIONS = ("region", "timezone", "cache", "mirror", "pages")
_LISTENER = "add listeners: {fastagi: 127.0.0.1:4573}"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole folder that can be used. `remarks` are no faults; `revision` differs with the content only.

    `failing` holds the examples that fail, where they were not a reason to refuse the folder. `pbxs` are the Asterisks
    whose calls are followed, `users` those who take them, `groups` what these may, `webhooks` who is told of them.
    `speaks`: a route has a text that a synthesiser says.
    """

    settings: EngineSettings
    integrations: Mapping[str, Integration]
    routes: Mapping[str, Route]
    examples: Mapping[str, tuple[Example, ...]]
    revision: str
    remarks: tuple[Problem, ...] = ()
    failing: tuple[Problem, ...] = ()
    pbxs: Mapping[str, Pbx] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    webhooks: Mapping[str, WebhookKeys] = field(default_factory=dict)
    speaks: bool = False

    @property
    def people(self) -> People:
        """Who takes calls, and what each may."""
        models = {f"{name}.{model}" for name, one in self.integrations.items() for model in one.models}
        return People(self.users, self.groups, frozenset(models))


def read_configuration(
    folder: Path,
    providers: Mapping[str, ReadProvider],
    environment: Environment = lambda _: None,
    run_examples: RunExamples | None = None,
) -> Configuration:
    """Read a configuration folder. Raises `ConfigError` with all problems of all files."""
    return configure(read_folder(folder), providers, environment, folder=folder, run_examples=run_examples)


def configure(
    snapshot: FolderTexts,
    providers: Mapping[str, ReadProvider],
    environment: Environment = lambda _: None,
    examples: bool = True,
    folder: Path = Path(),
    now: Callable[[], datetime] = datetime.now,
    describe: ReadDescription | None = None,
    run_examples: RunExamples | None = None,
    lenient: bool = False,
    kept: KeptRoutes | None = None,
    remarks: bool = True,
) -> Configuration:
    """Make a configuration of a folder's texts. Raises `ConfigError` with all problems of all files.

    `run_examples` plays the examples of a folder that has no other problem. One that fails is a problem too; without
    `examples` it stands in `failing` instead. Relative paths begin in `folder`; `now` is for remarks on what has
    expired, and for calendars; `describe` reads `providers/`. `lenient`: an integration with a problem, such as a
    secret that is gone, is down. `kept` has what routes came to the last time. Without `remarks` nobody looks for what
    is allowed and hardly meant: of many routes that takes a third of the time.
    """
    reader = _FolderReader(snapshot, providers, environment, folder, now(), describe, lenient, kept)
    reader.read_whole()
    return reader.finish(examples, run_examples, remarks)


def configure_integrations(
    snapshot: FolderTexts,
    providers: Mapping[str, ReadProvider],
    environment: Environment,
    folder: Path,
    describe: ReadDescription | None,
    name: str = "",
) -> Configuration:
    """Make a configuration of the integrations alone, whatever is wrong with routes.

    With `name`, whatever is wrong with other integrations, too. Raises `ConfigError` with the problems that are left.
    """
    reader = _FolderReader(snapshot, providers, environment, folder, datetime.now(), describe)
    return reader.read_integrations(name)


class _FolderReader:
    """One reading of a folder's texts: collects problems over all files. Raises `ConfigError` for no folder at all."""

    def __init__(
        self,
        snapshot: FolderTexts,
        providers: Mapping[str, ReadProvider],
        environment: Environment,
        folder: Path,
        now: datetime,
        describe: ReadDescription | None,
        lenient: bool = False,
        kept: KeptRoutes | None = None,
    ) -> None:
        if snapshot.missing:
            remedy = "name another with --config, or create it with 'routing-engine init'"
            raise ConfigError([Problem(os.path.abspath(snapshot.missing), 0, "there is no such folder", remedy)])
        self.snapshot, self.environment = snapshot, environment
        self.folder, self.now = folder, now
        self.describe, self.lenient = describe, lenient
        self.kept = KeptRoutes() if kept is None else kept
        self.problems: list[Problem] = []
        self.remarks: list[Problem] = []
        self.file_of: dict[str, str] = {}
        self.settings: EngineSettings | None = None
        self.providers = providers
        self.described: Mapping[str, ReadProvider | None] = {}
        self.integrations: Mapping[str, Integration | None] = {}
        self.routes: Mapping[str, RouteFile | None] = {}
        self.pbxs: Mapping[str, Pbx] = {}
        self.users: Mapping[str, User] = {}
        self.groups: Mapping[str, Group] = {}
        self.webhooks: Mapping[str, WebhookKeys] = {}

    def read_whole(self) -> None:
        """Read every file: each kind after those that it may name."""
        self.problems += [] if self.lenient else read_environment_file(self.folder).problems
        self.settings = self._read_settings()
        self.described = self._read_descriptions()
        self.integrations = self._read_integrations()
        self.routes = self._read_routes()
        self._check_match_order()
        self.pbxs = self._read_pbxs()
        self.groups = self._read_groups()
        self.users = self._read_users()
        self.webhooks = self._read_webhooks()

    def read_integrations(self, name: str) -> Configuration:
        """Read what one integration needs, or all of them where `name` is "". Raises `ConfigError`."""
        self.settings, problems = load_part(self.folder, _FOR_INTEGRATIONS, self.environment)
        self.described = self._read_descriptions()
        self.integrations = self._read_integrations()
        if not name:
            problems += self.problems
        # `...` stands for a name without a file: the command says that itself.
        elif self.integrations.get(name, ...) is None:
            own = [one for one in self.problems if PurePosixPath(one.file).stem == name]
            problems += own or self.problems  # its description is broken, and says so itself
        if problems:
            raise ConfigError(problems)
        good = {name: one for name, one in self.integrations.items() if one is not None}
        return Configuration(self.settings, good, {}, {}, self.snapshot.revision)

    def finish(self, examples: bool, run_examples: RunExamples | None, remarks: bool) -> Configuration:
        if self.problems or self.settings is None:
            raise ConfigError(self.problems)
        files = {name: file for name, file in self.routes.items() if file is not None}
        found = Configuration(
            settings=self.settings,
            integrations={name: one for name, one in self.integrations.items() if one is not None},
            routes={name: file.route for name, file in files.items()},
            examples={name: file.examples for name, file in files.items()},
            revision=self.snapshot.revision,
            pbxs=self.pbxs,
            users=self.users,
            groups=self.groups,
            webhooks=self.webhooks,
            # Here, in the thread of a reload: of 10,000 routes it would hold up all calls for 30 ms.
            speaks=any(speaks(file.route) for file in files.values()),
        )
        decisions = None if run_examples is None else self._play(found, run_examples)
        failing = [] if decisions is None else self._failing(found, decisions)
        if examples and failing:
            raise ConfigError(failing)
        if not remarks:
            return replace(found, failing=tuple(failing))
        every = self._remarks(files, self.settings, None if decisions is None else _came_to(decisions))
        return replace(found, remarks=tuple(sorted(every)), failing=tuple(failing))

    def _open(self, file: str, text: str | UnreadableFile) -> tuple[Problems, str | None]:
        notes = Problems(file, self.environment, self.folder)
        if isinstance(text, UnreadableFile):
            notes.note(0, text.why, text.remedy)
            return notes, None
        return notes, text

    def _read_settings(self) -> EngineSettings | None:
        if self.snapshot.engine is None:
            return EngineSettings(folder=self.folder)
        notes, text = self._open(*self.snapshot.engine)
        settings = (
            None
            if text is None
            else read_settings(text, notes, self.snapshot.texts, self.now, self.folder, self.lenient, self.kept.lists)
        )
        self.problems += notes.problems
        return settings

    def _named(self, folder: str) -> dict[str, tuple[str, str | UnreadableFile]]:
        """Return the files of a folder by name without ending; two of the same name are a problem."""
        found: dict[str, tuple[str, str | UnreadableFile]] = {}
        for file, text in self.snapshot.under(folder).items():
            name = posixpath.splitext(posixpath.basename(file))[0]
            # `support.yaml` and `support.yml` would be one route twice, and chance would say which.
            if name in found:
                self.problems.append(Problem(file, 0, f"there is '{found[name][0]}' too", "keep one of the two"))
            found[name] = file, text
        return found

    def _read_descriptions(self) -> dict[str, ReadProvider | None]:
        if self.describe is None:
            return {}
        found: dict[str, ReadProvider | None] = {}
        for name, (file, content) in self._named(PROVIDERS).items():
            notes, text = self._open(file, content)
            if not _INTEGRATION_NAME.match(name):
                notes.note(0, f"a provider cannot be called '{name}'", "name the file with a-z A-Z 0-9 - and _")
            found[name] = None if text is None else self.describe(text, notes, name)
            self.problems += notes.problems
        return found

    def _read_integrations(self) -> dict[str, Integration | None]:
        return {name: self._read_integration(name, *file) for name, file in self._named(INTEGRATIONS).items()}

    def _read_integration(self, name: str, file: str, content: str | UnreadableFile) -> Integration | None:
        notes, text = self._open(file, content)
        if not _INTEGRATION_NAME.match(name):
            notes.note(0, f"an integration cannot be called '{name}'", "name the file with a-z A-Z 0-9 - and _")
        section = None if text is None else read_yaml(text, notes)
        found = None if section is None else self._read_provider(section, name)
        # Routes that can do without it go on; calls that need it hear that it is down.
        if self.lenient and found is not None and notes.problems:
            return replace(found, unusable=str(notes.problems[0]))
        self.problems += notes.problems
        self.remarks += notes.remarks
        return None if notes.problems else found

    def _read_provider(self, section: Section, name: str) -> Integration | None:
        # The other keys are the provider's: it alone knows them, and reads them below.
        keys = read(section, IntegrationKeys, "the integration", only=("provider", "mirror", "log", "pop"))
        provider, mirror = keys.provider, keys.mirror
        known: Mapping[str, ReadProvider | None] = self.described if provider in self.described else self.providers
        if provider not in known:
            if provider:
                names = (*self.providers, *self.described)
                section.note("provider", f"there is no provider '{provider}'", suggest(provider, names))
            return None
        of_provider = known[provider]
        if of_provider is None:  # the description is broken, and says so itself
            return None
        found = of_provider(section, name)
        log = call_log_of(section, provider, keys.log, found.settings)
        check_pop(section, provider, keys.pop, found.settings)
        if self.settings is not None:
            check_links(section, log, self.settings.pages)
        if mirror is None:
            return Integration(name, provider, found.models, found.settings, found.limits, log=log, pop=keys.pop)
        listings = {model: listing_of(found.settings, model) for model in found.models}
        check_listing(section, provider, listings)
        listed = {model: one for model, one in found.models.items() if listings[model]}
        check_live(section, mirror, [name for name, model in listed.items() if not model.attempts])
        # An index of ours is searched by any field, and by the caller however the system writes numbers.
        mirrored = {
            model: replace(one, mirrored=True, by_field=True, by_name=False, attempts=max(1, one.attempts))
            for model, one in listed.items()
        }
        models = {**found.models, **mirrored}
        return Integration(name, provider, models, found.settings, found.limits, mirror, log=log, pop=keys.pop)

    def _facts(self) -> dict[str, IntegrationFacts]:
        return {name: None if found is None else found.models for name, found in self.integrations.items()}

    def _read_routes(self) -> dict[str, RouteFile | None]:
        named = self._named(ROUTES)
        # All names before the first file is read: routes lead to one another in any order.
        self.file_of = {name: file for name, (file, _) in named.items()}
        others = tuple((name, text) for name, text in self.snapshot.texts.items() if not name.startswith(ROUTES + "/"))
        facts = self._facts()
        # What could be read of an integration too: it may be another with the same text, once a secret is there.
        self.kept.begin((others, self.snapshot.secrets, self.lenient, facts), named)
        return {name: self._read_route(name, content, facts) for name, (_, content) in named.items()}

    def _read_route(
        self, name: str, content: str | UnreadableFile, facts: Mapping[str, IntegrationFacts]
    ) -> RouteFile | None:
        notes, text = self._open(self.file_of[name], content)
        defaults = (self.settings or EngineSettings()).defaults
        site = self.settings.site if self.settings is not None else None  # what is not known is not checked
        revision = self.snapshot.revision
        if text is not None and self.settings is not None and (kept := self.kept.get(name, text, revision, site)):
            self.remarks += kept[1]
            return kept[0]
        found = None if text is None else read_route(name, text, notes, defaults, facts, self.file_of, site)
        self.problems += notes.problems
        self.remarks += notes.remarks
        if found is None or text is None:
            return None
        # The revision is the folder's, not the file's: it changes with all that a decision may depend on.
        found = replace(found, route=replace(found.route, revision=revision))
        if not notes.problems and self.settings is not None:
            self.kept.put(name, text, found, notes.remarks)
        return found

    def _check_match_order(self) -> None:
        for name in self.settings.match_order if self.settings is not None else ():
            if name not in self.integrations:
                sentence = f"'match_order' names the integration '{name}', which is not there"
                self.problems.append(Problem("engine.yaml", 0, sentence, suggest(name, self.integrations)))

    def _read_pbxs(self) -> dict[str, Pbx]:
        found: dict[str, Pbx] = {}
        for name, (file, content) in self._named(PBXS).items():
            notes, text = self._open(file, content)
            from routing_engine.config.pbxs import read_pbx  # late: many folders have none

            one = None if text is None else read_pbx(name, text, notes, self._edges())
            self._note(notes)
            if one is not None:
                found[name] = one
                self._look_for_door(one, file)
        return found

    def _look_for_door(self, pbx: Pbx, file: str) -> None:
        """Remark a PBX of an edge where no edge could connect."""
        settings = self.settings
        if pbx.keys.edge and settings is not None and settings.hub is None and settings.listeners.http is None:
            sentence = f"the edge '{pbx.keys.edge}' cannot connect: the listener 'http' is not opened"
            self.remarks.append(Problem(file, 0, sentence, "add to listeners: http: 127.0.0.1:8473"))

    def _edges(self) -> Collection[str] | None:
        """Return the names of keys that engines beside PBXs have; None where that does not matter."""
        if self.settings is None or self.settings.hub is not None:
            return None
        return [name for name, one in self.settings.api_keys.items() if "edge" in one.may]

    def _read_webhooks(self) -> dict[str, WebhookKeys]:
        found: dict[str, WebhookKeys] = {}
        for name, (file, content) in self._named(WEBHOOKS).items():
            notes, text = self._open(file, content)
            from routing_engine.config.webhooks import read_webhook  # late: many folders have none

            one = None if text is None else read_webhook(name, text, notes, self.integrations)
            self._note(notes)
            if one is not None:
                found[name] = one
        return found

    def _read_users(self) -> dict[str, User]:
        if self.snapshot.users is None:
            return {}
        from routing_engine.config.people import read_users  # late: many folders have none

        notes, text = self._open(*self.snapshot.users)
        # By their files: a PBX with a problem is there all the same.
        known = [PurePosixPath(file).stem for file in self.snapshot.under(PBXS)]
        names = known, self.integrations, self.groups
        found = {} if text is None else read_users(text, notes, *names, self.pbxs)
        self._note(notes)
        self._remark_on_unread(found)
        return found

    def _remark_on_unread(self, users: Mapping[str, User]) -> None:
        from routing_engine.config.people import remarks_on_unread  # late: as above

        if self.snapshot.groups is None:
            return  # then everybody reads everything
        models = {f"{name}.{model}" for name, one in self.integrations.items() for model in (one.models if one else ())}
        sources = {name: one.route.sources for name, one in self.routes.items() if one is not None}
        people = People(users, self.groups, frozenset(models))
        self.remarks += remarks_on_unread(self.snapshot.groups[0], people, sources)

    def _read_groups(self) -> dict[str, Group]:
        from routing_engine.config.people import read_groups, usual_groups  # late: as above

        models = {name: None if one is None else one.models for name, one in self.integrations.items()}
        if self.snapshot.groups is None:
            return usual_groups(f"{name}.{model}" for name, known in models.items() for model in known or ())
        notes, text = self._open(*self.snapshot.groups)
        # What cannot be read allows nothing: a start without it must not open what was closed.
        found = {DEFAULT_GROUP: Group(DEFAULT_GROUP)} if text is None else read_groups(text, notes, models)
        self._note(notes)
        return found

    def _note(self, notes: Problems) -> None:
        # People and Asterisks that are followed route no call: a start that must do without them goes on.
        self.problems += [] if self.lenient else notes.problems
        self.remarks += notes.remarks

    def _play(self, found: Configuration, run_examples: RunExamples) -> Mapping[str, Sequence[Decision]]:
        """Return what the examples of each route come to; those are played that may have changed."""
        wanted = {name: found.examples[name] for name in self.kept.unplayed(found.examples)}
        return self.kept.played(run_examples(replace(found, examples=wanted)), found.examples)

    def _failing(self, found: Configuration, decisions: Mapping[str, Sequence[Decision]]) -> list[Problem]:
        """Return a problem for each way in which an example is not what it expects."""
        failing: list[Problem] = []
        sources = {source.name for route in found.routes.values() for source in route.sources}
        for name, every in found.examples.items():
            for example, decision in zip(every, decisions[name], strict=True):
                failing += problems_of(self.file_of[name], example, decision, sources)
        return failing

    def _remarks(
        self, files: Mapping[str, RouteFile], settings: EngineSettings, proven: Mapping[str, Proven] | None
    ) -> list[Problem]:
        remarks = (
            []
            if files or not settings.listeners.take_calls
            else [Problem(ROUTES, 0, "there is no route", "write routes/NAME.yaml")]
        )
        if settings.listeners == Listeners():
            remarks.append(Problem("engine.yaml", 0, "no listener is named: nobody can call the engine", _LISTENER))
        facts, now = self._facts(), self._local_now(settings)
        for name, file in files.items():
            came_to = None if proven is None else proven.get(name, frozenset())
            text = self.snapshot.texts[self.file_of[name]]
            look = partial(lint, self.file_of[name], file, facts, came_to, now, text if isinstance(text, str) else "")
            remarks += self.kept.remarks(name, came_to, look)
        remarks += at_odds(self._site(files, settings))
        remarks += circles({name: file.route for name, file in files.items()}, self.file_of)
        remarks += read_environment_file(self.folder).remarks
        return remarks + self.remarks + list(settings.remarks)

    def _site(self, files: Mapping[str, RouteFile], settings: EngineSettings) -> SiteSubject:
        name, text = self.snapshot.engine or ("engine.yaml", "")
        lines, routes = YamlLines(text if isinstance(text, str) else ""), [file.route for file in files.values()]
        kinds = {name: one.provider for name, one in self.integrations.items() if one is not None}
        asked = bool(self.pbxs or self.webhooks or settings.listeners.http or settings.hub)
        return SiteSubject(name, settings, lines, routes, kinds, self.described, asked)

    def _local_now(self, settings: EngineSettings) -> datetime:
        # `until` is written without a zone, in the site's time.
        return self.now.astimezone(settings.timezone).replace(tzinfo=None)


def _came_to(decisions: Mapping[str, Sequence[Decision]]) -> dict[str, Proven]:
    """Return the source and rule of each route that examples came to, also on their way to another route."""
    found: dict[str, set[tuple[str, str]]] = {}
    for decision in (one for every in decisions.values() for one in every):
        # A call that is sent on proves rules of both routes.
        for route, source, rule in ((decision.route, decision.source, decision.rule), *decision.passed):
            found.setdefault(route, set()).add((source, rule))
    return {route: frozenset(pairs) for route, pairs in found.items()}
