"""The command line: what it prints, and its exit codes (0 fine, 1 not fine, 2 misuse)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

GOLD = ("run-test", "support", "--caller", "+43 664 1234567", "--input", "123456")


def test_init_writes_a_folder_that_is_fine(run: Run, config: Path) -> None:
    code, out, _ = run("--config", str(config), "check")
    assert (code, out.startswith("fine: 1 route, 1 integration, revision ")) == (0, True)
    assert (config / "dialplan" / "routing-engine.conf").is_file()
    assert (config / "sounds" / "en" / "greeting-support.ulaw").is_file()


def test_init_overwrites_nothing(run: Run, config: Path) -> None:
    code, _, err = run("init", str(config))
    assert (code, "is there and not empty" in err) == (2, True)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_folder_is_named_before_or_after_the_command(run: Run, config: Path, place: str) -> None:
    where = ("--config", str(config))
    code, _, _ = run(*where, "check") if place == "before" else run("check", *where)
    assert code == 0


def test_the_folder_may_stand_in_the_environment(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTING_ENGINE_CONFIG", str(config))
    assert run("check")[0] == 0


def test_check_names_file_line_sentence_and_remedy(run: Run, config: Path) -> None:
    route = config / "routes" / "support.yaml"
    route.write_text(route.read_text().replace("at_least", "atleast"))
    code, out, _ = run("check", "--config", str(config))
    line = next(n for n, text in enumerate(route.read_text().splitlines(), 1) if "atleast" in text)
    assert code == 1
    assert out.startswith(f"routes/support.yaml:{line}: ")
    assert "did you mean 'at_least'?" in out


def test_check_as_json_has_the_same_problems(run: Run, config: Path) -> None:
    (config / "routes" / "support.yaml").write_text("")
    code, out, _ = run("check", "--json", "--config", str(config))
    assert (code, [one["file"] for one in as_json(out)["problems"]]) == (1, ["routes/support.yaml"])


def test_check_says_when_there_is_no_folder(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("check", "--config", str(tmp_path / "nowhere"))
    assert (code, "there is no such folder" in out) == (1, True)


def test_run_test_says_where_and_why(run: Run, config: Path) -> None:
    code, out, _ = run(*GOLD, "--config", str(config))
    assert code == 0
    assert out.startswith("queue vip, priority 10, by rule 'gold customers' of customers by number (matched)")
    assert "https://crm.example.com/contacts/C-1001" in out
    assert "rule gold customers: matched" in out


def test_run_test_as_json_has_the_keys_of_the_contract(run: Run, config: Path) -> None:
    found = as_json(run(*GOLD, "--json", "--config", str(config))[1])
    assert found["destination"] == {"kind": "queue", "target": "vip", "priority": 10}
    assert (found["route"], found["reason"], found["rule"]) == ("support", "matched", "gold customers")
    assert (found["source"], found["play"]) == ("customers by number", ["crm_routing-gold"])
    assert (found["record"]["name"], found["record_url"][-6:]) == ("Anna Gruber", "C-1001")
    assert found["variables"]["ROUTE_STATUS"] == "OK"
    assert found["variables"]["ROUTE_REVISION"] == found["revision"]
    assert {"step", "outcome", "took_ms"} == set(found["trail"][0])


def test_run_test_gives_1_when_no_rule_matched(run: Run, config: Path) -> None:
    code, out, _ = run("run-test", "support", "--caller", "anonymous", "--config", str(config))
    assert (code, out.splitlines()[0]) == (1, "ivr main (no_input)")


def test_run_test_takes_inputs_in_both_ways(run: Run, config: Path) -> None:
    where = ("--config", str(config), "--json")
    together = run("run-test", "support", "--input", "1", "2", "123456", *where)
    repeated = run("run-test", "support", "--input", "1", "--input", "2", "--input", "123456", *where)
    assert as_json(together[1])["destination"] == as_json(repeated[1])["destination"] == {
        "kind": "queue", "target": "vip", "priority": 10,
    }  # fmt: skip


def test_run_test_asks_canned_records_instead_of_the_real_ones(run: Run, config: Path, tmp_path: Path) -> None:
    canned = tmp_path / "canned.yaml"
    canned.write_text("customers by number: down\ncustomers by telephone: none\n")
    code, out, _ = run(*GOLD, "--records", str(canned), "--json", "--config", str(config))
    assert (code, as_json(out)["reason"]) == (1, "source_down")


def test_canned_records_have_the_page_of_their_model(run: Run, config: Path, tmp_path: Path) -> None:
    canned = tmp_path / "canned.yaml"
    canned.write_text("customers by number: {id: a b, tier: gold, balance: 5000}\n")
    _, out, _ = run(*GOLD, "--records", str(canned), "--json", "--config", str(config))
    assert as_json(out)["record_url"] == "https://crm.example.com/contacts/a%20b"


def test_unreadable_canned_records_are_not_fine(run: Run, config: Path, tmp_path: Path) -> None:
    code, _, err = run(*GOLD, "--records", str(tmp_path / "no.yaml"), "--config", str(config))
    assert (code, "no.yaml: the file cannot be read" in err) == (1, True)


def test_an_unknown_route_is_misuse_with_the_nearest_name(run: Run, config: Path) -> None:
    code, _, err = run("run-test", "suport", "--config", str(config))
    assert (code, err) == (2, "routing-engine: there is no route 'suport'; did you mean 'support'?\n")


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("run-test",), ("run-test", "support", "--at", "noon")])
def test_misuse_gives_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_at_sets_the_moment(run: Run, config: Path) -> None:
    route = config / "routes" / "support.yaml"
    text = route.read_text().replace("when: {tier: silver}", "when: {call.time: {between: ['22:00', '06:00']}}")
    route.write_text(text[: text.index("examples:")])
    rule = {
        at: as_json(run("run-test", "support", "--input", "234567", "--at", at, "--json", "--config", str(config))[1])
        for at in ("23:30", "12:00", "2026-12-24T05:59")
    }
    assert [found["rule"] for found in rule.values()] == ["account owner", None, "account owner"]


def test_a_moment_with_a_zone_is_brought_to_that_of_the_site(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("timezone: Europe/Vienna\n")
    route = "rules: [{name: evening, when: {call.time: '18:30', call.date: '2026-07-24'}, to: hangup}]\n"
    (config / "routes" / "support.yaml").write_text(route + "default: {to: {queue: a}}\n")
    for at in ("2026-07-24T16:30Z", "2026-07-24T18:30", "2026-07-24T18:30+02:00"):
        assert run("run-test", "support", "--at", at, "--config", str(config))[0] == 0


@pytest.mark.parametrize("at", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "18:00+25:00"])
def test_a_moment_that_no_zone_can_hold_is_misuse(run: Run, config: Path, at: str) -> None:
    assert run("run-test", "support", "--at", at, "--config", str(config))[0] == 2


@pytest.mark.parametrize("state", ["device.200=", "queue.a.members=two", "call.attestation=D", "last_agent=200"])
def test_a_state_that_no_channel_tells_is_misuse(run: Run, config: Path, state: str) -> None:
    code, _, err = run("run-test", "support", "--state", state, "--config", str(config))
    assert (code, "is never" in err) == (2, True)


def test_a_broken_folder_is_told_by_every_command(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("regin: AT\n")
    for command in (("run-test", "support"), ("test",), ("serve",)):
        code, _, err = run(*command, "--config", str(config))
        assert (code, err) == (1, "engine.yaml:1: engine.yaml has no key 'regin'; did you mean 'region'?\n")


def test_what_is_broken_elsewhere_locks_no_command_that_does_not_need_it(run: Run, config: Path) -> None:
    """The running engine has its last good configuration, and so these are wanted just then."""
    (config / "engine.yaml").write_text("regin: AT\nlisteners: {fastagi: 127.0.0.1:1}\n")
    (config / "routes" / "support.yaml").write_text("[")
    (config / "integrations" / "erp.yaml").write_text("provider: nothing\n")
    assert "127.0.0.1:1" in run("call", "support", "--input", "1", "--config", str(config))[2]
    assert run("integrations", "check", "customers", "--config", str(config))[0] == 0
    assert run("integrations", "fields", "customers", "--config", str(config))[0] == 0
    assert run("calendar", "--config", str(config))[0] == 0


def test_what_is_broken_of_an_integration_itself_is_told(run: Run, config: Path) -> None:
    (config / "integrations" / "erp.yaml").write_text("provider: nothing\n")
    for command in (("integrations",), ("integrations", "check", "erp"), ("mirror", "erp")):
        code, _, err = run(*command, "--config", str(config))
        assert (code, err.startswith("integrations/erp.yaml:1: there is no provider 'nothing'; ")) == (1, True)


def test_test_names_every_example_that_holds(run: Run, config: Path) -> None:
    code, out, _ = run("test", "--config", str(config))
    assert (code, out.splitlines()[-1]) == (0, "5 examples hold")
    assert "holds  support: a gold customer goes to the VIP queue" in out


def test_test_names_each_failing_example(run: Run, config: Path) -> None:
    route = config / "routes" / "support.yaml"
    route.write_text(route.read_text().replace("to: {queue: vip, priority: 10}", "to: {queue: vap}"))
    code, out, _ = run("test", "--config", str(config))
    assert (code, out.splitlines()[-1]) == (1, "4 examples hold, 1 fails")
    assert "FAILS  support: a gold customer goes to the VIP queue" in out


def test_run_test_works_while_an_example_fails(run: Run, config: Path) -> None:
    route = config / "routes" / "support.yaml"
    route.write_text(route.read_text().replace("to: {queue: vip, priority: 10}", "to: {queue: vap}"))
    code, out, err = run(*GOLD, "--config", str(config))
    assert (code, out.splitlines()[0][:9], "fails" in err) == (0, "queue vap", True)
    assert run("check", "--config", str(config))[0] == 1


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--caller", "abc", "--caller: 'abc' is not a telephone number"),
        ("--input", "12x", "'12x' cannot be typed on a telephone"),
        ("--at", "noon", "'noon' is not a time"),
        ("--state", "device.200=asleep!", "'device.200' is never 'asleep!'"),
        ("--state", "tier=gold", "is not a live state"),
    ],
)
def test_a_test_refuses_what_no_call_can_be(run: Run, config: Path, option: str, value: str, why: str) -> None:
    code, out, err = run("run-test", "support", option, value, "--config", str(config))
    assert (code, out, why in err) == (2, "", True), err


def test_a_test_says_what_it_took_for_granted(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text(
        "region: AT\ntimezone: Europe/Vienna\ncalendars: {office: {hours: {daily: closed}}}\n"
    )
    arguments = ("run-test", "support", "--caller", "0664 1234567", "--at", "2026-12-24T18:00", "--config", str(config))
    _, out, _ = run(*arguments)
    told = out.split("Taken for granted\n")[1]
    assert [line.split(None, 1) for line in told.splitlines()] == [
        ["caller", "+436641234567"],
        ["country", "AT"],
        ["time", "Thu 2026-12-24 18:00 CET"],
        ["calendar", "office closed"],
        ["sources", "asked just now"],
    ]
    assert as_json(run(*arguments, "--json")[1])["assumed"]["calendar office"] == "closed"


PIN = """
inputs: [{name: pin, digits: {min: 4, max: 4}, sensitive: true, prompt: [pin]}]
sources:
- name: customers
  integration: crm
  search: {field: phone, by: caller}
  rules:
  - {name: right, when: {input.pin: '{pin}'}, to: {queue: vip}}
  - {name: wrong, to: {queue: sales}}
default: {to: {queue: sales}}
"""


def test_a_wrong_pin_does_not_print_the_right_one(run: Run, config: Path, tmp_path: Path) -> None:
    (config / "routes" / "support.yaml").write_text(PIN)
    (config / "integrations" / "crm.yaml").write_text(
        "provider: http\naddress: https://crm.example.com/\nmodels: {contact: {fields: {name: name, pin: pin}}}\n"
    )
    (tmp_path / "canned.yaml").write_text("customers: {name: Anna, pin: '4711'}\n")
    more = ("--records", str(tmp_path / "canned.yaml"), "--config", str(config))
    code, out, err = run("run-test", "support", "--caller", "+436641234567", "--input", "0815", *more)
    assert (code, "Anna" in out, "4711" in out + err) == (0, True, False), out + err


def test_canned_records_of_an_unknown_source_are_told(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "canned.yaml").write_text("customers by numbr: none\n")
    code, _, err = run(*GOLD, "--records", str(tmp_path / "canned.yaml"), "--config", str(config))
    assert (code, "no route has the source 'customers by numbr'" in err) == (1, True)


def test_inside_the_folder_no_config_is_needed(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(config)
    assert run("check")[0] == 0


def test_a_hub_without_routes_is_found_as_well(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/engine.yaml").write_text("listeners: {http: 127.0.0.1:0}\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("check")
    assert (code, "0 routes" in out) == (0, True)


@pytest.mark.io
def test_nobody_listening_is_told_with_the_remedy(run: Run, config: Path, unused_tcp_port: int) -> None:
    code, _, err = run("call", "support", "--engine", f"127.0.0.1:{unused_tcp_port}", "--config", str(config))
    assert (code, "nobody answers" in err, "routing-engine serve" in err) == (1, True, True)


def test_init_for_freepbx_keeps_both_engines_off_its_port(run: Run, tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "new"), "--profile", "freepbx")[0] == 0
    engine = (tmp_path / "new" / "engine.yaml").read_text()
    assert ("fastagi: 127.0.0.1:4583" in engine, "profile: freepbx" in engine, "4573" in engine) == (True, True, False)
    said = (tmp_path / "new" / "dialplan" / "globals_custom.conf").read_text()
    assert said == "ROUTING_ENGINE_1=127.0.0.1:4583\nROUTING_ENGINE_2=127.0.0.1:4584\n"
    assert run("--config", str(tmp_path / "new"), "check")[0] == 0
