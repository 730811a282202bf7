"""What a route may be made of: values of records, conditions on every left side, targets, prompts, side effects."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

Words = dict[str, object]
TEXTS = st.sampled_from(
    [
        "gold", "Gold ", "0042", "42", "2500", "yes", "false", "0", "", " ", "a\tb", "x\x00y\u202ez", "Müller 😀",
        "A,B", "2026-11-20", "2026-11-20T10:00:00", "2026-11-20T09:00:00+01:00", "2025-01-01", "201", "de", "*43#",
        "12:30", "2026-03-29T02:30:00", "not a date",
    ]
)  # fmt: skip
PHONES = st.sampled_from(
    ["+43 664 1234567", "0664/1234567", "436641234567", "+43 1 5550000", "1234567", "", "0664 1234567; 0043 1 5550000"]
)
ODD: list[object] = [42, 2500.5, 7.0, 0, -3, True, False, None, [], ["gold", "42"], {"deep": ["a", 1]}, [["x"]]]
VALUES: st.SearchStrategy[object] = st.one_of(TEXTS, st.sampled_from(ODD))
#: What is likely in a field, so that rules hold often enough.
USUAL: Mapping[str, st.SearchStrategy[object]] = {
    "id": st.sampled_from(["7", 8, "a b", True, None]),
    "name": st.sampled_from(["Anna", "a\tb", "x\x00y\u202ez", "de", "it"]),
    "tier": st.sampled_from(["gold", "Gold ", "silver", ["gold", "42"]]),
    "owner": st.sampled_from(["0042", "42", 42, "042.0", "201"]),
    "due": st.sampled_from(["2026-11-20", "2026-11-20T08:00:00", "2026-11-20T09:00:00+01:00", "2025-01-01"]),
    "vip": st.sampled_from(["yes", "1", True, "false", 0]),
    "phone": st.sampled_from(["+43 664 1234567"] * 5 + [["+43 664 1234567", "217"]]) | PHONES,
    "unmapped": st.sampled_from(["x", 1]),
}
RECORD: st.SearchStrategy[Words] = st.fixed_dictionaries(
    {"id": USUAL["id"]}, optional={name: usual | VALUES for name, usual in USUAL.items() if name != "id"}
)

# ------------------------------------------------------------------------------------------------- conditions

_WORDS = st.sampled_from(["gold", "Gold", "42", "0042", "de", "a b", "201", "2026-11-20", "silver", "yes"])
_FIGURES: list[object] = [42, 2500.5, 0, "2026-11-20", "2026-11-20T09:30:00", "12:00", "today"]
#: An operator with what stands right of it. With the fields of a record each holds for some of the values above.
OPERATIONS: st.SearchStrategy[Words] = st.one_of(
    st.builds(lambda name, word: {name: word}, st.sampled_from(["is", "is_not", "contains", "=", "!="]), _WORDS),
    st.builds(
        lambda name, word, loosely: {name: word, "loosely": loosely},
        st.sampled_from(["is", "is_not", "contains", "starts_with", "ends_with"]),
        _WORDS,
        st.booleans(),
    ),
    st.builds(
        lambda name, words, loosely: {name: words, "loosely": loosely},
        st.sampled_from(["one_of", "none_of"]),
        st.lists(_WORDS | st.sampled_from([42, True]), min_size=1, max_size=3),
        st.booleans(),
    ),
    st.builds(
        lambda name, figure: {name: figure},
        st.sampled_from(["more_than", "at_least", "less_than", "at_most", "before", "after", ">=", "<"]),
        st.sampled_from(_FIGURES),
    ),
    st.sampled_from([{"between": [1, 3000]}, {"between": ["2026-11-01", "today"]}, {"between": ["22:00", "13:00"]}]),
    st.builds(
        lambda name, days: {name: days},
        st.sampled_from(["within_days", "older_than_days"]),
        st.sampled_from([0, 7, 400]),
    ),
    st.builds(lambda name, flag: {name: flag}, st.sampled_from(["is_empty", "is_true"]), st.booleans()),
    st.sampled_from([{"matches": "^[Gg]"}, {"matches": "[0-9]+"}, {"is": True}, {"is": 42}, {"is_not": 42}]),
    st.sampled_from([{"is": "{owner}"}, {"at_least": "{owner}"}, {"starts_with": "{name}", "loosely": True}]),
)
_FIELDS = st.sampled_from(["id", "name", "tier", "owner", "due", "vip", "phone", "unmapped"])
OF_RECORDS: st.SearchStrategy[Words] = st.builds(lambda field, what: {field: what}, _FIELDS, OPERATIONS)
USUALLY: st.SearchStrategy[Words] = st.sampled_from(
    [
        {"tier": "gold"}, {"owner": 42}, {"owner": {"at_least": 42}}, {"due": "2026-11-20"}, {"vip": True},
        {"due": {"after": "2026-01-01"}}, {"name": {"contains": "b"}}, {"name": "a b"}, {"phone": {"is_empty": True}},
        {"unmapped": {"is_empty": False}}, {"tier": {"is": "gold", "loosely": True}}, {"id": "7"},
        {"call.language": "de"}, {"call.name": "Anna"}, {"call.caller": "{phone}"}, {"call.called": "{owner}"},
    ]
)  # fmt: skip
OF_THE_DATA: st.SearchStrategy[Words] = st.sampled_from([{"data.origin": "live"}, {"data.age_s": {"at_most": 5}}])
OF_THE_CALL: st.SearchStrategy[Words] = st.sampled_from(
    [
        {"call.language": "en"}, {"call.language": "de"}, {"call.name": ""}, {"call.name": "Anna"},
        {"call.called": "217"}, {"call.called": {"is_empty": True}}, {"call.time": {"before": "11:00"}},
        {"call.time": {"between": ["22:00", "12:30"]}}, {"call.called": {"one_of": ["+431217", "217"]}},
        {"call.weekday": "friday"}, {"call.date": "2026-03-28"}, {"call.country": "AT"}, {"call.variable.V": "a b"},
        {"call.caller": "+436641234567"}, {"device.201": "busy"}, {"call.caller": {"is_empty": True}},
        {"call.calendar": "open"}, {"call.calendar.office": {"one_of": ["closed", "holiday"]}},
        {"call.date": {"at_least": "2026-03-29"}}, {"list.known": "blocked"}, {"list.known": {"is_not": "allowed"}},
        {"share": {"less_than": 50}}, {"share": {"between": [20, 70]}},
        {"queue.sales.waiting": {"at_least": 2}}, {"queue.sales.free": {"less_than": 1}}, {"call.attestation": "A"},
        {"call.attestation": {"is_not": "failed"}}, {"device.202": {"one_of": ["not_inuse", "ringing"]}},
    ]
)  # fmt: skip


def trees(tests: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """Return conditions over these: alone, two beside one another, and trees of `all`, `any`, `none`."""
    several = st.lists(tests, min_size=1, max_size=3)
    tree = st.builds(lambda join, parts: {join: parts}, st.sampled_from(["all", "any", "none"]), several)
    deeper = st.builds(lambda part, one: {"any": [part, one]}, tree, tests)
    return st.one_of(tests, tests, tests, st.builds(lambda one, two: {**one, **two}, tests, tests), tree, deeper)


# ------------------------------------------------------------------------------------------ what comes of a rule

FIXED: list[object] = [
    {"queue": "vip", "priority": 3},
    [{"extension": "201", "ring_s": 20}, {"queue": "desk"}],
    [{"extension": "201"}, {"extension": "202", "ring_s": 5}, {"queue": "sales", "priority": 1}, {"voicemail": "217"}],
    [{"last_agent": "14 days", "ring_s": 10}, {"extension": "{call.called}"}, {"queue": "sales"}],
    {"last_agent": "3 days", "else": {"ring_group": "600"}},
    {"extension": "{call.called}", "else": {"voicemail": "217"}},
    {"external": "+43 1 555-0000", "ring_s": 30},
    {"dialplan": "custom,s,1"},
    {"hangup": "busy"},
    {"announcement": "closed-{call.language}"},
    {"conference": "{call.variable.V}", "else": "callback"},
    "callback",
]
FROM_RECORDS: list[object] = [
    {"extension": "{owner}", "else": {"queue": "sales"}},
    {"queue": "q{tier}"},
    {"external": "{phone}", "else": {"ivr": "main"}},
    [{"extension": "{owner}", "ring_s": 5}, {"extension": "{name}"}, {"queue": "q-{vip}"}],
    {"callback": "{phone}", "else": {"extension": "{due}", "else": {"queue": "last"}}},
]
SETS: list[dict[str, str]] = [
    {},
    {"caller_name": "{call.name}!", "CALLED": "{call.called}{call.language}"},
    {"music": "m-{call.language}", "account": "{call.variable.V}", "record": "yes", "AT": "{call.date} {call.time}"},
]  # fmt: skip
FROM_RECORDS_SETS: list[dict[str, str]] = [
    {"caller_name": "{name} - {owner}", "CRM_ID": "{id}{due}"},
    {"language": "{name}", "CRM_TIER": "{tier}{vip}"},
    {"caller_number": "{phone}", "announce": "agent-{tier}", "header.X-Due": "{due}", "__UN": "{unmapped}"},
    {"alert_info": "ring-{owner}", "SEEN": "{call.caller}"},
]
PLAYS: list[object] = [None, None, "thanks", [{"digits": "{call.called}"}, {"time": "{call.time}"}]]
FROM_RECORDS_PLAYS: list[object] = [
    ["your-order", {"digits": "{owner}"}, {"date": "{due}"}],
    ["custom/status-{tier}", {"number": "{owner}"}, {"letters": "{name}"}],
]
LABELS: list[object] = [{"digits": "{owner}"}, {"letters": "{tier}"}, ["due-on", {"date": "{due}"}], "{name}"]
