"""engine.yaml: every key, every default."""

from __future__ import annotations

from ipaddress import ip_network
from zoneinfo import ZoneInfo

import pytest

from routing_engine.config.engine_sections import LogSettings, RouteDefaults, ServiceLimits
from routing_engine.config.engine_yaml import EngineSettings, read_settings
from routing_engine.config.load import configure
from routing_engine.core.destinations import PROFILES, dialplan_location
from routing_engine.core.model import Destination
from routing_engine.settings.listeners import ListenerAddress, Listeners
from routing_engine.settings.yaml_reader import Problems

from .folders import ROUTE, snapshot


def settings(text: str) -> EngineSettings:
    notes = Problems("engine.yaml")
    found = read_settings(text, notes)
    assert found is not None, notes.problems
    return found


def test_without_an_engine_file_fastagi_listens_on_the_usual_port() -> None:
    found = configure(snapshot({"routes/support.yaml": ROUTE}), {}).settings
    assert found == EngineSettings()
    assert found.listeners == Listeners(ListenerAddress("127.0.0.1", 4573))


def test_a_listener_that_is_not_named_is_not_opened() -> None:
    found = configure(snapshot({"routes/support.yaml": ROUTE, "engine.yaml": "listeners: {}\n"}), {})
    assert found.settings.listeners == Listeners()
    assert any("no listener" in remark.sentence for remark in found.remarks)


def test_an_engine_file_without_listeners_has_the_usual_one() -> None:
    assert settings("region: AT").listeners == Listeners(ListenerAddress("127.0.0.1", 4573))


def test_an_address_may_be_ipv6() -> None:
    assert settings("listeners: {fastagi: '[::1]:4574'}").listeners == Listeners(ListenerAddress("::1", 4574))


def test_every_key_is_read() -> None:
    found = settings(
        "region: no\ntimezone: Europe/Vienna\ndrain_s: 10\n"
        "defaults: {deadline_s: 4, timeout_s: 2}\nlogging: {level: debug, format: json, numbers: plain}\n"
        "limits: {sessions: 10, environment_timeout_s: 2}\n"
    )
    assert (found.region, found.timezone, found.drain_s) == ("NO", ZoneInfo("Europe/Vienna"), 10)
    assert (found.defaults, found.logging) == (RouteDefaults(4, 2), LogSettings("debug", "json", "plain"))
    assert found.limits == ServiceLimits(10, 2)


def test_the_operators_own_places_stand_above_the_profile() -> None:
    found = settings("dialplan: {profile: freepbx, destinations: {queue: 'my-queues,q{target},1'}}")
    assert found.dialplan.places == {**PROFILES["freepbx"], "queue": "my-queues,q{target},1"}


def test_routes_take_what_they_leave_out_from_the_defaults() -> None:
    texts = {"engine.yaml": "defaults: {deadline_s: 4, filler: {ringing: true}}\n", "routes/support.yaml": ROUTE}
    found = configure(snapshot(texts), {}).routes["support"]
    assert (found.deadline_s, found.filler.kind) == (4, "ringing")


def test_inside_freepbx_the_usual_port_is_not_that_of_freepbx() -> None:
    assert settings("dialplan: {profile: freepbx}").listeners == Listeners(ListenerAddress("127.0.0.1", 4583))


def test_inside_freepbx_its_own_port_is_remarked() -> None:
    profile = "dialplan: {profile: freepbx}\n"
    [remark] = settings(f"{profile}listeners: {{fastagi: 127.0.0.1:4573}}").remarks
    assert "belongs to FreePBX's own FastAGI server" in remark.sentence
    assert settings(f"{profile}listeners: {{fastagi: 127.0.0.1:4583}}").remarks == ()


def test_numbers_outside_are_dialled_as_in_the_region_inside_freepbx() -> None:
    places = settings("{region: AT, dialplan: {profile: freepbx}}").places
    assert dialplan_location(Destination("external", "+436641234567"), places) == ("from-internal", "06641234567", "1")
    assert dialplan_location(Destination("external", "+498912345678"), places)[1] == "00498912345678"
    assert dialplan_location(Destination("external", "0664123"), places)[1] == "0664123"


def test_a_table_of_ones_own_may_dial_as_people_do() -> None:
    places = settings("{region: US, dialplan: {destinations: {external: 'out,9{dialled},1'}}}").places
    assert dialplan_location(Destination("external", "+12155550142"), places) == ("out", "912155550142", "1")


def test_a_listener_may_say_who_connects_and_what_word_they_send() -> None:
    text = "listeners: {fastagi: {address: 0.0.0.0:4573, allow: [10.0.0.5, 10.1.0.0/24], secret: '${AGI}'}}"
    notes = Problems("engine.yaml", {"AGI": "s3cr3t"}.get)
    found = read_settings(text, notes)
    assert found is not None, notes.problems
    allow = (ip_network("10.0.0.5"), ip_network("10.1.0.0/24"))
    assert found.listeners == Listeners(ListenerAddress("0.0.0.0", 4573, allow, "s3cr3t"))
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize("listener", ["fastagi", "metrics"])
@pytest.mark.parametrize(
    ("written", "remarked"),
    [
        ("0.0.0.0:4573", True),
        ("'[::]:4573'", True),
        ("10.0.0.1:4573", True),
        ("{address: 0.0.0.0:4573}", True),
        ("{address: 0.0.0.0:4573, allow: 10.0.0.5}", False),
        ("127.0.0.1:4573", False),
        ("localhost:4573", False),
    ],
)
def test_a_listener_that_everybody_reaches_is_remarked(listener: str, written: str, remarked: bool) -> None:
    remarks = settings(f"region: AT\nlisteners:\n  {listener}: {written}").remarks
    assert [one.line for one in remarks] == ([3] if remarked else [])
