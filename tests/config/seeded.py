"""Faults that somebody has put in, each a small file: what is wrong, where, a word of the remedy, and it followed.

`#!` marks the line on which the finding must stand; `fix` is what the remedy makes of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ENGINE = """\
region: AT
listeners: {fastagi: 127.0.0.1:4573}
"""
CRM = """\
provider: fake
models:
  contact:
    fields:
      id: id
      tier: tier
      balance: {field: balance, type: number}
      vip: {field: vip, type: boolean}
      born: {field: born, type: date}
      zip: zip
      tags: tags
      created: created
      phone: phone
      name: name
"""
DEFAULT = "default: {to: {queue: sales}}\n"
SOURCE = """\
sources:
  - integration: crm
    model: contact
    search: {by: caller}
    rules:
"""


@dataclass(frozen=True)
class Fault:
    """One fault: the files that have it, a word of its sentence, one of its remedy, and the files after the remedy."""

    files: dict[str, str]
    says: str
    remedy: str
    mended: dict[str, str]

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line on which the finding must stand; line 0 is the whole file."""
        for name, text in self.files.items():
            for number, line in enumerate(text.splitlines(), start=1):
                if "#!" in line:
                    return name, number
        return next(iter(self.files)), 0


def _route(text: str, says: str, remedy: str, *fix: str) -> Fault:
    """Return a fault of a route; `fix` are pairs of what is replaced and by what."""
    return _file("routes/support.yaml", DEFAULT + text, says, remedy, *fix)


def _file(name: str, text: str, says: str, remedy: str, *fix: str) -> Fault:
    mended = text
    for old, new in zip(fix[::2], fix[1::2], strict=True):
        assert old in mended, f"'{old}' is not in the fault"
        mended = mended.replace(old, new)
    return Fault({name: text}, says, remedy, {name: mended})


def _rules(whens: Sequence[str], wrong: int, says: str, remedy: str, mended: str) -> Fault:
    """Return a fault of the rules of a source: the one in place `wrong`, and its condition after the remedy."""
    rows = [row(place, when, " #!" if place == wrong else "") for place, when in enumerate(whens)]
    good = [row(place, mended if place == wrong else when, "") for place, when in enumerate(whens)]
    if not mended:
        del good[wrong]
    name = "routes/support.yaml"
    return Fault({name: DEFAULT + SOURCE + "".join(rows)}, says, remedy, {name: DEFAULT + SOURCE + "".join(good)})


def row(place: int, when: str, mark: str = "") -> str:
    """Return one rule of the source as it is written."""
    condition = f"when: {{{when}}}, " if when else ""
    return f"      - {{name: r{place}, {condition}to: {{queue: q{place}}}}}{mark}\n"


#: The conditions of rules, from top to bottom: the last can never fire. Removed, the finding is gone.
_HIDDEN: list[list[str]] = [
    ["", "tier: gold"],
    ["tier: gold", "tier: gold"],
    ["tier: gold", "tier: gold, zip: '1'"],
    ["tier: {one_of: [gold, silver]}", "tier: silver"],
    ["tier: {one_of: [gold, silver, bronze]}", "tier: {one_of: [silver, gold]}"],
    ["tier: gold", "tier: silver", "tier: {one_of: [gold, silver]}"],
    ["tier: {is: gold, loosely: true}", "tier: Gold"],
    ["tier: {is_not: gold}", "tier: silver"],
    ["tier: {none_of: [gold, silver]}", "tier: bronze"],
    ["tier: gold", "tier: {is_not: gold}", "zip: '1'"],
    ["balance: {at_least: 100}", "balance: {at_least: 200}"],
    ["balance: {at_least: 100}", "balance: {more_than: 100}"],
    ["balance: {at_least: 100}", "balance: 100"],
    ["balance: {at_least: 100}", "balance: {between: [200, 300]}"],
    ["balance: {less_than: 100}", "balance: {at_most: 50}"],
    ["balance: {between: [0, 500]}", "balance: {between: [100, 200]}"],
    ["balance: {between: [0, 100]}", "balance: {between: [100, 200]}", "balance: {between: [50, 150]}"],
    ["balance: {less_than: 100}", "balance: {at_least: 100}", "balance: {between: [50, 150]}"],
    ["balance: {more_than: 10.5}", "balance: {at_least: 11}"],
    ["zip: {starts_with: '1'}", "zip: {starts_with: '10'}"],
    ["zip: {starts_with: '1'}", "zip: '1010'"],
    ["zip: {ends_with: '0'}", "zip: {ends_with: '10'}"],
    ["zip: {contains: '0'}", "zip: {contains: '10'}"],
    ["zip: {contains: '0'}", "zip: {starts_with: '10'}"],
    ["zip: {matches: '^1'}", "zip: {starts_with: '12'}"],
    ["zip: {starts_with: '1'}", "zip: {matches: '^1[0-9]{3}$'}"],
    ["zip: {matches: '^[0-9]+$'}", "zip: {matches: '^[0-9]{4}$'}"],
    ["zip: {matches: '^[0-9]+$'}", "zip: '1010'"],
    ["zip: {matches: '(?i)^a'}", "zip: {matches: '^(a|A)b'}"],
    ["any: [{tier: gold}, {vip: true}]", "tier: gold"],
    ["any: [{tier: gold}, {tier: silver}]", "tier: {one_of: [gold, silver]}"],
    ["all: [{tier: gold}]", "tier: gold, vip: true"],
    ["none: [{tier: gold}, {tier: silver}]", "tier: bronze"],
    ["none: [{tier: gold}]", "tier: {is_not: gold}"],
    ["any: [{tier: gold}, {none: [{tier: gold}]}]", "zip: '1'"],
    ["tier: gold, vip: true", "tier: gold, vip: {is_not: true}", "tier: gold"],
    ["created: {after: 2026-01-01}", "created: {after: 2026-03-01}"],
    ["created: {before: 2026-03-01}", "created: {before: 2026-01-01}"],
    ["created: {within_days: 30}", "created: {within_days: 7}"],
    ["created: {older_than_days: 7}", "created: {older_than_days: 30}"],
    ["created: {between: [2026-01-01, 2026-12-31]}", "created: {between: [2026-03-01, 2026-06-30]}"],
    ["tier: {is_empty: false}", "tier: gold"],
    ["tier: {is_empty: true}", "tier: {is_empty: false}", "zip: '1'"],
    ["vip: {is_true: true}", "vip: {is_true: false}", "zip: '1'"],
    ["vip: true", "vip: {is_true: true}"],
    ["call.caller: {starts_with: '+43'}", "call.caller: {starts_with: '+43664'}"],
    ["call.caller: {starts_with: '+43'}", "call.caller: '+436641234567'"],
    ["call.country: {one_of: [AT, DE]}", "call.country: AT"],
    ["call.time: {between: ['08:00', '18:00']}", "call.time: {between: ['09:00', '10:00']}"],
    ["call.time: {before: '12:00'}", "call.time: {at_least: '12:00'}", "tier: gold"],
    ["call.time: {between: ['22:00', '06:00']}", "call.time: {between: ['23:00', '01:00']}"],
    ["call.weekday: {one_of: [saturday, sunday]}", "call.weekday: sunday"],
    ["call.weekday: {none_of: [saturday, sunday]}", "call.weekday: monday, call.time: {after: '10:00'}"],
    ["share: {less_than: 50}", "share: {less_than: 20}"],
    ["share: {less_than: 50}", "share: {at_least: 50}", "tier: gold"],
    ["queue.sales.waiting: {more_than: 3}", "queue.sales.waiting: {more_than: 5}"],
    ["device.201: {one_of: [busy, inuse]}", "device.201: busy"],
    ["tier: '{zip}'", "tier: '{zip}', vip: true"],
    ["call.date: {between: [2026-12-24, 2026-12-26]}", "call.date: 2026-12-25"],
    ["balance: {at_least: 100}", "any: [{balance: 150}, {balance: {more_than: 200}}]"],
]

#: Conditions that exclude one another: the fault, and what the remedy makes of it.
_NEVER: list[tuple[str, str]] = [
    ("balance: {less_than: 100, more_than: 200}", "balance: {more_than: 100, less_than: 200}"),
    ("balance: {at_least: 100, less_than: 100}", "balance: {at_least: 100, less_than: 101}"),
    ("balance: 5, all: [{balance: {more_than: 10}}]", "balance: {more_than: 10}"),
    ("tier: gold, all: [{tier: silver}]", "tier: {one_of: [gold, silver]}"),
    ("tier: gold, none: [{tier: gold}]", "tier: gold"),
    ("tier: {is: gold, is_not: gold}", "tier: gold"),
    ("tier: {is: gold, none_of: [gold, silver]}", "tier: gold"),
    ("tier: {one_of: [gold], starts_with: s}", "tier: {one_of: [gold]}"),
    ("zip: {starts_with: '1', matches: '^2'}", "zip: {starts_with: '1'}"),
    ("zip: {starts_with: '1', all: x}", ""),
    ("tier: {is_empty: true, is: gold}", "tier: gold"),
    ("vip: {is_true: true, is_empty: true}", "vip: true"),
    ("created: {after: 2026-06-01, before: 2026-01-01}", "created: {after: 2026-01-01, before: 2026-06-01}"),
    ("created: {within_days: 7, older_than_days: 30}", "created: {within_days: 30}"),
    ("call.weekday: monday, call.date: 2026-12-25", "call.date: 2026-12-25"),
    ("call.time: {before: '08:00', after: '18:00'}", "any: [{call.time: {before: '08:00'}}]"),
    ("call.country: AT, all: [{call.country: DE}]", "call.country: {one_of: [AT, DE]}"),
    ("share: {less_than: 20, at_least: 50}", "share: {less_than: 50}"),
    ("call.caller: {starts_with: '+43', ends_with: x}", ""),
]
_NEVER = [(fault, mended) for fault, mended in _NEVER if mended]

#: Comparisons that never hold, or always: the fault, a word of why, a word of the remedy, and what it makes of it.
_UNFIT: list[tuple[str, str, str, str]] = [
    ("call.caller: '06641234567'", "arrives as '+436641234567'", "'+436641234567'", "call.caller: '+436641234567'"),
    ("call.caller: '00436641234567'", "arrives as", "'+436641234567'", "call.caller: '+436641234567'"),
    ("call.caller: '+43 664 1234567'", "arrives as", "'+436641234567'", "call.caller: '+436641234567'"),
    ("call.caller: {starts_with: '0664'}", "arrives as '+43664'", "'+43664'", "call.caller: {starts_with: '+43664'}"),
    ("call.caller: {starts_with: '0043'}", "arrives as '+43'", "'+43'", "call.caller: {starts_with: '+43'}"),
    (
        "call.caller: {one_of: ['06641234567']}",
        "arrives",
        "'+436641234567'",
        "call.caller: {one_of: ['+436641234567']}",
    ),
    ("call.caller: Anna", "never holds", "country code", "call.name: Anna"),
    ("call.caller: {starts_with: '+43 664'}", "never holds", "'+43664'", "call.caller: {starts_with: '+43664'}"),
    ("call.caller: {matches: '^0664'}", "", "", ""),
    ("call.country: Austria", "two capital letters", "ISO 3166", "call.country: AT"),
    ("call.country: at", "two capital letters", "write AT", "call.country: AT"),
    ("call.country: '+43'", "two capital letters", "ISO 3166", "call.country: AT"),
    ("call.country: {one_of: [Germany, Italy]}", "never holds", "ISO 3166", "call.country: {one_of: [DE, IT]}"),
    ("call.time: '8:00'", "HH:MM", "correct", "call.time: '08:00'"),
    ("call.time: {at_least: 8}", "HH:MM", "correct", "call.time: {at_least: '08:00'}"),
    ("call.time: {between: [2026-01-01, 2026-02-01]}", "HH:MM", "correct", "call.date: 2026-01-01"),
    ("call.date: '24.12.2026'", "YYYY-MM-DD", "correct", "call.date: '2026-12-24'"),
    ("call.date: {at_least: 5}", "YYYY-MM-DD", "correct", "call.date: {at_least: 2026-12-05}"),
    ("call.weekday: {at_least: 3}", "never holds", "correct", "call.weekday: wednesday"),
    ("call.weekday: {starts_with: Mon}", "never holds", "correct", "call.weekday: {starts_with: mon}"),
    ("call.attestation: {more_than: 1}", "never holds", "correct", "call.attestation: A"),
    ("share: {at_least: 100}", "never holds", "correct", "share: {at_least: 50}"),
    ("share: {less_than: 100}", "always holds", "remove", "share: {less_than: 50}"),
    ("data.origin: cache", "it is live", "correct", "data.age_s: {less_than: 60}"),
    ("data.age_s: {less_than: 0}", "never holds", "correct", "data.age_s: {less_than: 60}"),
    ("data.age_s: {before: 2026-01-01}", "never holds", "correct", "data.age_s: {less_than: 60}"),
    ("queue.sales.waiting: {less_than: 0}", "never holds", "correct", "queue.sales.waiting: {less_than: 1}"),
    ("zip: {matches: '$1'}", "never holds", "correct", "zip: {matches: '^1'}"),
    ("zip: {matches: '1^'}", "never holds", "correct", "zip: {matches: '^1'}"),
    ("zip: {matches: ''}", "", "", ""),
    ("balance: gold", "is a number", "correct", "tier: gold"),
    ("balance: {after: 2026-01-01}", "is a number", "correct", "balance: {more_than: 1}"),
    ("balance: {within_days: 7}", "is a number", "correct", "created: {within_days: 7}"),
    ("vip: gold", "is true or false", "correct", "vip: true"),
    ("vip: {at_least: 1}", "is true or false", "correct", "vip: true"),
    ("born: 24.12.1980x", "is a day", "correct", "born: '1980-12-24'"),
    ("born: {more_than: 18}", "is a day", "correct", "born: {before: 2008-01-01}"),
    ("tier: {starts_with: ''}", "always holds", "remove", "tier: {starts_with: g}"),
    ("call.time: {between: ['00:00', '23:59']}", "always holds", "remove", "call.time: {between: ['08:00', '17:59']}"),
    ("call.weekday: {is_empty: true}", "never holds", "correct", "call.weekday: monday"),
]
_UNFIT = [row for row in _UNFIT if row[1]]

#: Conditions on an input of 4 to 6 digits.
_DIGITS: list[tuple[str, str]] = [
    ("input: '123'", "input: '1234'"),
    ("input: '1234567'", "input: '123456'"),
    ("input: 1234567", "input: 123456"),
    ("input: {at_least: 1000000}", "input: {at_least: 100000}"),
    ("input: {matches: '^[0-9]{3}$'}", "input: {matches: '^[0-9]{4}$'}"),
    ("input: {starts_with: '+43'}", "input: {starts_with: '43'}"),
    ("input: abcd", "input: '1234'"),
    ("input: {one_of: ['1', '2']}", "input: {one_of: ['1111', '2222']}"),
    ("input: {starts_with: '1234567'}", "input: {starts_with: '1234'}"),
    ("input: {is_true: true}", "input: '1111'"),
]
_INPUT = "input: {prompt: x, digits: {min: 4, max: 6}}\nrules:\n  - {name: typed, when: {WHEN}, to: {queue: a}}MARK\n"


def _digits(fault: str, mended: str) -> Fault:
    text, good = (_INPUT.replace("WHEN", one) for one in (fault, mended))
    name = "routes/support.yaml"
    return Fault(
        {name: DEFAULT + text.replace("MARK", " #!")},
        "never holds",
        "correct 'digits'",
        {name: DEFAULT + good.replace("MARK", "")},
    )


_ONE_RULE = "    rules: [{to: {queue: a}}]\n"
_HEAD = SOURCE.removesuffix("    rules:\n")
#: Everything else, kind by kind.
_OTHERS: list[Fault] = [
    # ranges
    _rules(
        ["balance: {less_than: 100}", "balance: {more_than: 100}"], 1, "is a hole", "100", "balance: {at_least: 100}"
    ),
    _rules(
        ["balance: {between: [0, 499]}", "balance: {between: [501, 900]}"],
        1,
        "balance 500",
        "hold for 500",
        "balance: {between: [500, 900]}",
    ),
    _rules(
        ["balance: {less_than: 100}", "balance: {between: [200, 500]}", "balance: {more_than: 500}"],
        1,
        "is a hole",
        "hold for",
        "balance: {between: [100, 500]}",
    ),
    _rules(
        ["call.time: {before: '12:00'}", "call.time: {after: '12:00'}"],
        1,
        "call.time 12:00",
        "hold for 12:00",
        "call.time: {at_least: '12:00'}",
    ),
    _rules(
        ["balance: {between: [0, 500]}", "balance: {between: [400, 900]}"],
        1,
        "overlap",
        "begin where",
        "balance: {between: [500, 900]}",
    ),
    _rules(
        ["call.time: {between: ['08:00', '12:00']}", "call.time: {between: ['11:00', '17:00']}"],
        1,
        "overlap",
        "begin where",
        "call.time: {between: ['12:00', '17:00']}",
    ),
    # what no call comes to
    _route(
        "rules: [{name: all, to: {queue: a}}]\nsources:\n"
        + _HEAD.split("\n", 1)[1].replace("  - i", "  - i", 1).replace("crm\n", "crm #!\n", 1)
        + _ONE_RULE,
        "is never asked",
        "leave calls to it",
        "{name: all, to",
        "{name: all, when: {call.country: AT}, to",
    ),
    _file(
        "routes/support.yaml",
        "default: {to: {queue: sales}} #!\nrules:\n"
        "  - {name: early, when: {call.time: {before: '12:00'}}, to: {queue: a}}\n"
        "  - {name: late, when: {call.time: {at_least: '12:00'}}, to: {queue: b}}\n",
        "the default is never reached",
        "write as default",
        "{queue: sales}",
        "{queue: b}",
        "  - {name: late, when: {call.time: {at_least: '12:00'}}, to: {queue: b}}\n",
        "",
    ),
    # what makes no difference
    _route(
        _HEAD + _ONE_RULE + _HEAD.split("\n", 1)[1].replace("crm\n", "crm #!\n    name: again\n", 1) + _ONE_RULE,
        "asks the same",
        "search by another",
        "crm #!\n    name: again\n    model: contact\n    search: {by: caller}",
        "crm\n    name: again\n    model: contact\n    search: {by: called}",
    ),
    _route(
        SOURCE + "      - to: {queue: a, else: {queue: b}} #!\n",
        "never taken",
        "remove 'else'",
        ", else: {queue: b}",
        "",
    ),
    _file(
        "routes/support.yaml",
        "default:\n  to:\n    queue: sales\n    else: hangup #!\n",
        "never taken",
        "remove 'else'",
        "    else: hangup #!\n",
        "",
    ),
    _route(
        "anonymous:\n  to:\n    queue: a\n    else: {queue: b} #!\n",
        "never taken",
        "remove 'else'",
        "    else: {queue: b} #!\n",
        "",
    ),
    _route(
        "input:\n  prompt: x\n  attempts: 1\n  retry_prompt: again #!\nrules: [{when: {input: '1'}, to: {queue: a}}]\n",
        "never played",
        "attempts: 2",
        "attempts: 1",
        "attempts: 2",
    ),
    _route(
        "inputs:\n  - {name: a, attempts: 1}\n  - name: b\n    attempts: 1\n    retry_prompt: again #!\n"
        "rules: [{when: {input.a: '1', input.b: '1'}, to: {queue: a}}]\n",
        "never played",
        "remove it",
        "    retry_prompt: again #!\n",
        "",
    ),
    _route("input: {prompt: x} #!\n", "nothing uses it", "search by it", "input: {prompt: x} #!\n", ""),
    _route(
        _HEAD + "    timeout_s: 5 #!\n" + _ONE_RULE,
        "beyond 'deadline_s'",
        "timeout_s: 3",
        "timeout_s: 5",
        "timeout_s: 3",
    ),
    _route(
        "filler:\n  after_s: 4 #!\n" + _HEAD + _ONE_RULE,
        "nobody hears it",
        "after_s: 0.7",
        "after_s: 4",
        "after_s: 0.7",
    ),
    # fields
    _route(
        _HEAD + _ONE_RULE.replace("to:", "when: {teir: gold}, to:").replace("\n", " #!\n"),
        "does not map",
        "tier",
        "teir",
        "tier",
    ),
    _route(
        _HEAD.replace("{by: caller}", "{field: phnoe, by: caller} #!") + _ONE_RULE,
        "names 'phnoe'",
        "phone",
        "phnoe",
        "phone",
    ),
    _route(
        _HEAD + "    when_many: newest by craeted #!\n" + _ONE_RULE, "names 'craeted'", "created", "craeted", "created"
    ),
    _route(_HEAD + "    when_many: {prefer: {vpi: true}} #!\n" + _ONE_RULE, "names 'vpi'", "vip", "vpi", "vip"),
    _route(_HEAD + "    when_many: {ask: {say: '{nmae}'}} #!\n" + _ONE_RULE, "names 'nmae'", "name", "nmae", "name"),
    _route(
        _HEAD
        + _ONE_RULE
        + "examples:\n  - records:\n      crm.contact: {teir: gold} #!\n    expect: {to: {queue: a}}\n",
        "gives 'teir'",
        "tier",
        "teir",
        "tier",
    ),
    _route(
        SOURCE + "      - {to: {queue: '{queu}'}, when: {tier: a}} #!\n",
        "looks at 'queu'",
        "known here",
        "{queu}",
        "{tier}",
    ),
    # settings, and what nobody uses
    _file(
        "engine.yaml",
        "listeners:\n  fastagi: 127.0.0.1:4573\n  metrics: 127.0.0.1:4573 #!\n",
        "both on port",
        "4574",
        "metrics: 127.0.0.1:4573",
        "metrics: 127.0.0.1:4574",
    ),
    _file(
        "engine.yaml",
        ENGINE + "defaults:\n  deadline_s: 2\n  timeout_s: 5 #!\n",
        "beyond 'deadline_s'",
        "timeout_s: 2",
        "timeout_s: 5",
        "timeout_s: 2",
    ),
    _file(
        "engine.yaml",
        ENGINE + "defaults:\n  filler:\n    after_s: 3 #!\n",
        "nobody hears it",
        "after_s: 0.7",
        "after_s: 3",
        "after_s: 0.7",
    ),
    _file(
        "engine.yaml",
        ENGINE + "database: /dev/null/calls.db #!\n",
        "cannot be written",
        "name a file",
        "/dev/null/calls.db",
        "calls.db",
    ),
    _file(
        "engine.yaml",
        ENGINE + "journal:\n  path: /dev/null/journal.db #!\n",
        "cannot be written",
        "name a file",
        "/dev/null/journal.db",
        "journal.db",
    ),
    _file(
        "engine.yaml",
        ENGINE + "calendars:\n  office: {hours: {weekdays: '08:00-17:00'}} #!\n",
        "calendar 'office'",
        "remove it",
        "calendars:\n  office: {hours: {weekdays: '08:00-17:00'}} #!\n",
        "",
    ),
    _file(
        "integrations/erp.yaml",
        "provider: fake\nmodels: {contact: {}}\n",
        "no route asks",
        "remove the file",
        "provider: fake\nmodels: {contact: {}}\n",
        "",
    ),
]

FAULTS: list[Fault] = [
    *(_rules(whens, len(whens) - 1, "can never fire", "remove it", "") for whens in _HIDDEN),
    *(_rules([fault], 0, "exclude one another", "correct the conditions", mended) for fault, mended in _NEVER),
    *(_rules([fault], 0, why, remedy, mended) for fault, why, remedy, mended in _UNFIT),
    *(_digits(fault, mended) for fault, mended in _DIGITS),
    *_OTHERS,
]
