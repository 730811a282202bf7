"""The whole installation in containers: two engines, a real Asterisk that sends calls through them, a middleware.

Needs a Docker engine with compose: `.ci/containers-engine` brings one, `. .cache/containers/env` names it.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PROJECT = "routing-engine-test"
ENGINES = ("engine-1", "engine-2")
# Empty: Docker chooses the ports, so that an engine on this machine is not in the way.
PORTS = {"ROUTING_ENGINE_1_PORT": "", "ROUTING_ENGINE_2_PORT": "", "MIDDLEWARE_PORT": ""}

GOLD_NUMBER, SILVER_NUMBER, UNKNOWN_NUMBER = "123456", "234567", "999999"
STRANGER = "436649999999"
SILENCE = "silence"

pytestmark = pytest.mark.containers


def run(*command: str, timeout_s: float = 600) -> str:
    """What a command prints; its own words stand in the failure."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=os.environ | PORTS)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def compose(*words: str, timeout_s: float = 600) -> str:
    return run("docker", "compose", "-f", str(TOP / "docker/compose.yaml"), "-p", PROJECT, *words, timeout_s=timeout_s)


def inspect(service: str) -> dict:
    """Docker's own description of a service's container, stopped or not."""
    return json.loads(run("docker", "inspect", f"{PROJECT}-{service}-1"))[0]


def health(service: str) -> str:
    return inspect(service)["State"]["Health"]["Status"]


def asterisk(command: str) -> str:
    return compose("exec", "-T", "asterisk", "asterisk", "-rx", command, timeout_s=30)


def until(true, within_s: float, what: str):
    """The first value of `true()` that is one; fails when there is none in time, and says where the calls are."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.2)
    pytest.fail(f"not within {within_s} s: {what}; calls:\n{asterisk('core show channels concise')}")


@dataclass(frozen=True)
class Place:
    """Where a call is in the dialplan, as `core show channels concise` says it."""

    context: str
    exten: str
    application: str
    data: str


def place_of(caller: str) -> Place | None:
    """Where the dialplan's half of the caller's Local channel is now."""
    for line in asterisk("core show channels concise").splitlines():
        channel, context, exten, _, _, application, data, *_ = [*line.split("!"), *[""] * 7]
        if channel.startswith(f"Local/{caller}-") and channel.endswith(";2"):
            return Place(context, exten, application, data)
    return None


def dial(digits: str, caller: str = STRANGER, number: str = "500") -> str:
    """Rings a number as `caller`, who presses the digits and # after two seconds; gives the caller back."""
    asterisk(f"channel originate Local/{caller}-{number}@caller extension {digits}@keypad")
    return caller


def lands_in(caller: str, queue: str, within_s: float = 30) -> None:
    def waits() -> bool:
        place = place_of(caller)
        return place is not None and place.application == "Queue" and place.data.split(",")[0] == queue

    until(waits, within_s, f"{caller} waits in queue {queue}")


def hang_up() -> None:
    asterisk("channel request hangup all")
    until(lambda: "0 active channels" in asterisk("core show channels"), 10, "all channels are gone")


@pytest.fixture(scope="module")
def installation() -> Iterator[None]:
    """Built and up, every container healthy; gone afterwards, and what it said is shown when it did not come up."""
    assert shutil.which("docker"), "there is no docker command: run .ci/containers-engine, then . .cache/containers/env"
    compose("build")
    try:
        compose("up", "--detach", "--wait", "--wait-timeout", "120")
        yield
    finally:
        print(compose("logs", "--no-color", "--tail", "200"))
        compose("down", "--volumes", "--timeout", "5")


@pytest.fixture(autouse=True)
def quiet_line(installation: None) -> Iterator[None]:
    """Both engines run and no call is up, before and after each test."""
    compose("up", "--detach", "--no-recreate")
    # Not `--wait`: that gives up at once on a container which was paused and is unhealthy until its next check.
    everything = (*ENGINES, "asterisk", "middleware")
    until(lambda: all(health(each) == "healthy" for each in everything), 60, "all are healthy")
    yield
    hang_up()


def test_every_container_becomes_healthy():
    for service in (*ENGINES, "asterisk", "middleware"):
        assert health(service) == "healthy"


def test_ports_are_open_on_this_machine_only():
    for service in (*ENGINES, "middleware"):
        bindings = [each for port in inspect(service)["NetworkSettings"]["Ports"].values() for each in port or []]
        assert bindings
        assert {each["HostIp"] for each in bindings} == {"127.0.0.1"}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_needs_no_root_no_capability_and_no_writable_root(engine: str):
    assert compose("exec", "-T", engine, "id", "-u").strip() == "10001"
    host = inspect(engine)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    writes = "touch /opt/routing-engine/x /etc/routing-engine/x 2>/dev/null && echo written || echo refused"
    assert compose("exec", "-T", engine, "sh", "-c", writes).strip() == "refused"


def test_the_mounted_configuration_has_no_fault_and_its_examples_hold():
    compose("exec", "-T", "engine-1", "routing-engine", "check")
    compose("exec", "-T", "engine-1", "routing-engine", "test")


@pytest.mark.parametrize(
    ("digits", "queue"), [(GOLD_NUMBER, "vip"), (SILVER_NUMBER, "support"), (UNKNOWN_NUMBER, "reception")]
)
def test_the_customer_number_decides_the_queue(digits: str, queue: str):
    lands_in(dial(digits), queue)


def test_a_caller_who_presses_nothing_lands_too():
    lands_in(dial(SILENCE), "reception", within_s=60)


def test_a_finished_call_says_in_its_record_which_queue_it_was_sent_to():
    lands_in(dial(GOLD_NUMBER, caller="436641110001"), "vip")
    hang_up()
    records = compose("exec", "-T", "asterisk", "cat", "/var/log/asterisk/cdr-csv/Master.csv").splitlines()
    (record,) = [line for line in records if "436641110001" in line and ";2" in line]
    assert '"Queue","vip' in record


def test_the_second_engine_takes_the_calls_of_a_stopped_first():
    compose("stop", "engine-1")
    lands_in(dial(GOLD_NUMBER), "vip")


def test_the_second_engine_takes_the_calls_of_a_first_that_accepts_and_stays_silent():
    compose("pause", "engine-1")
    try:
        lands_in(dial(SILENCE), "reception", within_s=60)
    finally:
        compose("unpause", "engine-1")


def test_without_any_engine_the_caller_hears_the_emergency_prompt():
    compose("stop", *ENGINES)
    caller = dial(GOLD_NUMBER)

    def hears() -> bool:
        place = place_of(caller)
        return place is not None and "crm_routing-emergency" in place.data

    until(hears, 20, "the emergency prompt plays")


def test_sigterm_lets_a_call_under_way_land_and_then_the_engine_exits_with_0():
    compose("stop", "engine-2")  # so that nobody else can have taken the call
    caller = dial(GOLD_NUMBER)
    until(lambda: (place := place_of(caller)) and place.application == "AGI", 10, "the call is with the engine")
    compose("kill", "--signal", "SIGTERM", "engine-1")
    lands_in(caller, "vip")
    until(lambda: not inspect("engine-1")["State"]["Running"], 15, "the engine ends after its last call")
    assert inspect("engine-1")["State"]["ExitCode"] == 0


def test_an_idle_engine_stops_at_once_and_with_0():
    compose("stop", "engine-1")
    # After ten seconds it would have been killed, which is another code.
    assert inspect("engine-1")["State"]["ExitCode"] == 0
