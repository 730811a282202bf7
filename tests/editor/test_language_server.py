"""What an editor says of a configuration: completions and errors of the YAML language server, by our schemas."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree

import pytest
import pytest_asyncio

from rig.language_server import LanguageServer, fetch_server
from routing_engine.cli.schema import FOLDER, modeline, write_schemas
from routing_engine.config.engine_sections import RouteDefaults
from routing_engine.config.route.read import read_route
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import Problems
from tests.docs.pages import files, pages

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

#: Files that have a schema.
KNOWN = re.compile(r"engine\.yaml|(routes|integrations|providers)/")
ROUTE, ENGINE, INTEGRATION = "routes/x.yaml", "engine.yaml", "integrations/x.yaml"
DESCRIPTION = "providers/x.yaml"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[LanguageServer]:
    async with LanguageServer(fetch_server()) as running:
        yield running


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder)
    return folder / FOLDER


@pytest.fixture
def config(tmp_path: Path, schemas: Path) -> Path:
    copytree(schemas, tmp_path / FOLDER)
    return tmp_path


def write(config: Path, name: str, text: str, prefix: str = "") -> Path:
    """A file with its modeline, so that `text` begins on line 2; `prefix` makes its name another one."""
    file = config / Path(name).with_name(prefix + Path(name).name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{modeline(Path(name))}\n{text}", encoding="utf-8")
    return file


#: A file, a text whose `^` is where the editor stands, and words that it must propose there.
PROPOSED = [
    (ENGINE, "^", "region listeners dialplan calendars journal drain_s"),
    (ENGINE, "journal:\n  ^", "numbers key keep_days"),
    (ENGINE, "dialplan:\n  profile: ^", "plain freepbx"),
    (ENGINE, "calendars:\n  office:\n    ^", "hours holidays closed open ical"),
    (INTEGRATION, "^", "provider"),
    (INTEGRATION, "provider: redis\n^", "address models number_form limits breaker mirror"),
    (INTEGRATION, "provider: sql\nmodels:\n  contact:\n    ^", "table find_by_phone fields"),
    (INTEGRATION, "provider: hubspot\n^", "auth models hosts limits"),
    (INTEGRATION, "provider: hubspot\nauth:\n  ^", "private_app oauth2"),
    (DESCRIPTION, "^", "address auth models find_by_phone"),
    (INTEGRATION, "provider: redis\nbreaker:\n  ^", "failures pause_s"),
    (ROUTE, "^", "input sources default examples"),
    (ROUTE, "default:\n  to:\n    ^", "queue extension voicemail priority ring_s else"),
    (ROUTE, "rules:\n  - when:\n      tier:\n        ^", "is one_of at_least matches loosely"),
    (ROUTE, "rules:\n  - when:\n      any:\n        - tier:\n            ^", "is one_of"),
    (ROUTE, "sources:\n  - integration: crm\n    cache:\n      ^", "ttl_s negative_ttl_s sensitive"),
    (ROUTE, "default:\n  play:\n    - ^", "say digits date"),
    (ROUTE, "examples:\n  - expect:\n      ^", "rule to reason source"),
]


@pytest.mark.parametrize(("name", "text", "words"), PROPOSED)
async def test_the_editor_proposes_what_is_known_here(server, config, name, text, words):
    before = text.partition("^")[0]
    file = write(config, name, before + "\n")
    lines = before.split("\n")
    proposed = await server.completions(file, len(lines) + 1, len(lines[-1]))
    assert set(words.split()) <= set(proposed)


async def test_a_proposal_says_what_it_means_its_range_and_its_default(server, config):
    proposed = await server.completions(write(config, ENGINE, "journal:\n  \n"), 3, 2)
    assert proposed["keep_days"] == "calls that are older are deleted (days, 1 to 3650; default: 90)"


#: A file, a text, and what the editor must say, as `line: a part of its sentence`.
WRONG = [
    (ENGINE, "regoin: AT\n", "2: Property regoin is not allowed"),
    (ENGINE, "drain_s: 9999\n", "2: Value is above the maximum of 3600"),
    (ENGINE, "journal: {numbers: hidden}\n", '2: Value is not accepted. Valid values: "masked", "plain", "hashed"'),
    (INTEGRATION, "models: {contact: {}}\n", '2: Missing property "provider"'),
    (INTEGRATION, "provider: redsi\n", "2: Value is not accepted"),
    (INTEGRATION, "provider: redis\nmodels: {}\nbreaker: {failures: 0}\n", "4: Value is below the minimum of 1"),
    (INTEGRATION, "provider: http\nmodels: {contact: {}}\n", '2: Missing property "address"'),
    (INTEGRATION, "provider: hubspot\nauth: {private_ap: x}\n", "3: Property private_ap is not allowed"),
    (INTEGRATION, "provider: redis\naddress: redis://x\nmodels: {contact: {}}\nkyes: {}\n",
     "5: Property kyes is not allowed"),
    (DESCRIPTION, "address: https://x\nmodels: {}\nfind_by_fone: []\n", "4: Property find_by_fone is not allowed"),
    (ROUTE, "description: no default\n", '2: Missing property "default"'),
    (ROUTE, "default: {to: {queue: a}}\nsuorces: []\n", "3: Property suorces is not allowed"),
    (ROUTE, "default: {to: {quue: a}}\n", "2: Property quue is not allowed"),
    (ROUTE, "default: {to: {queue: a}}\nrules: [{when: {tier: {equal: x}}, to: hangup}]\n",
     "3: Property equal is not allowed"),
    (ROUTE, "default: {to: {queue: a}}\ninput: {digits: {min: 0}}\n", "3: Value is below the minimum of 1"),
    (ROUTE, "default: {to: {queue: a}}\nlook_ahead: maybe\n", "3: Value is not accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "problem"), WRONG)
async def test_the_editor_marks_what_is_wrong_on_its_line(server, config, name, text, problem):
    found = await server.problems(write(config, name, text))
    assert [one for one in found if one.startswith(problem)], found


#: Parts of a route whose values have several shapes: each is read as it is, so an editor must accept it as it is.
SHAPES = [
    "default: {to: hangup}",
    "default: {to: {hangup: }}",
    "default: {to: {queue: 600}}",
    "default: {to: [{extension: 0123, ring_s: 15}, callback]}",
    "default: {to: {extension: '{call.called}', else: {queue: a}}}",
    "default: {play: a, to: hangup}",
    "default: {play: [a, {say: 'now'}, {digits: '{call.called}'}], to: hangup}",
    "language: de\ndefault: {to: hangup}",
    "language: {by: call.country, AT: de, else: en}\ndefault: {to: hangup}",
    "filler: none\ndefault: {to: hangup}",
    "filler: {after_s: 1, ringing: true}\ndefault: {to: hangup}",
    "input: {on_failure: default, language: {'1': en}}\ndefault: {to: hangup}",
    "input: {on_failure: {to: hangup}, digits: {min: 2}}\ndefault: {to: hangup}",
    "rules:\n  - {when: {call.caller: 100}, to: hangup}\ndefault: {to: hangup}",
    "rules:\n  - {when: {call.caller: {'>=': 5, loosely: false}}, to: hangup}\ndefault: {to: hangup}",
    "rules:\n  - {when: {any: [{call.name: x}, {none: [{call.name: z}]}]}, to: hangup}\ndefault: {to: hangup}",
    "rules:\n  - {when: {call.name: {one_of: [a, b]}}, to: hangup, until: 2999-01-01}\ndefault: {to: hangup}",
    "rules:\n  - {to: hangup, set: {caller_name: x, CRM_ID: 5}}\ndefault: {to: hangup}",
    *(
        f"sources:\n  - {{integration: crm, search: {{by: caller}}, {shape}}}\ndefault: {{to: hangup}}"
        for shape in (
            "when_many: first",
            "when_many: newest by updated",
            "when_many: {prefer: {active: true}}",
            "when_many: {ask: name, else: {to: hangup}}",
            "when_many: {to: hangup}",
            "when_down: next",
            "when_down: {play: a, to: hangup}",
            "cache: {ttl_s: 5}, stale_for: 24h",
        )
    ),
]


@pytest.mark.parametrize("text", SHAPES)
async def test_reader_and_editor_accept_every_shape_of_a_value(server, config, text):
    notes, models = Problems("x.yaml"), {"crm": {"contact": Model("contact", {})}}
    read_route("x1", text, notes, RouteDefaults(), models)
    assert notes.problems == []
    assert await server.problems(write(config, ROUTE, text + "\n")) == []


#: The same with shapes that nothing has: both refuse them, each in its words.
NO_SHAPES = [
    "default: {to: [[hangup]]}",
    "default: {to: [{queue: a, else: hangup}]}",
    "default: {to: nowhere}",
    "default: hangup",
    "default: {play: {sing: a}, to: hangup}",
    "default: {play: {say: a, digits: '1'}, to: hangup}",
    "language: [de]\ndefault: {to: hangup}",
    "rules: {to: hangup}\ndefault: {to: hangup}",
    "rules:\n  - {when: [a], to: hangup}\ndefault: {to: hangup}",
    "rules:\n  - {when: {any: {call.name: x}}, to: hangup}\ndefault: {to: hangup}",
    "rules:\n  - {when: {call.name: {one_of: a}}, to: hangup}\ndefault: {to: hangup}",
    "input: {on_failure: never}\ndefault: {to: hangup}",
    "sources:\n  - {integration: crm, search: caller}\ndefault: {to: hangup}",
]


@pytest.mark.parametrize("text", NO_SHAPES)
async def test_reader_and_editor_refuse_a_shape_that_nothing_has(server, config, text):
    notes, models = Problems("x.yaml"), {"crm": {"contact": Model("contact", {})}}
    read_route("x1", text, notes, RouteDefaults(), models)
    assert notes.problems != []
    assert await server.problems(write(config, ROUTE, text + "\n")) != []


async def test_the_editor_accepts_every_file_of_the_documentation(server, config):
    written = {}
    for page in pages():
        texts = {name: text for name, text in files(page).items() if KNOWN.match(name)}
        # Descriptions of their own have integrations of their own; all others share schemas, which are slow to read.
        own = any(name.startswith("providers/") for name in texts)
        folder, prefix = (config / page.stem, "") if own else (config, f"{page.stem}-")
        written |= {write(folder, name, text, prefix): f"{page.name}: {name}" for name, text in texts.items()}
        if own:
            write_schemas(folder)
    said = await server.problems_of(written)
    marked = {written[file]: found for file, found in said.items() if found}
    assert len(said) == len(written) > 50
    assert marked == {}
