"""`routing-engine pbx check`: what keeps a PBX from being followed, without an Asterisk; acceptance has a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.cli.examine_pbx import ari_finding, look_at_settings
from routing_engine.settings.listeners import HostPort
from routing_engine.settings.pbx import AmiKeys, Pbx, PbxKeys
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

MAIN = Pbx("main", PbxKeys(AmiKeys(HostPort("127.0.0.1", 5038), "engine", "s3cret"), trunks=("PJSIP/trunk*",)))
SETTINGS = """
Global Settings:
----------------
  Manager (AMI):             Yes
  Timestamp events:          {stamps}
  Channel vars:              {variables}
  Debug:                     No
"""
USER = """
            username: engine
           read perm: {read}
          write perm: call,reporting
"""
WELL = "ROUTING_ENGINE_MARK,ROUTE_CALL_ID,ROUTE_STATUS,MIXMONITOR_FILENAME,CALLERID(num-pres)"


EVALUATE = "dialplan eval function AST_CONFIG(manager.conf,general,channelvars)"


def found(
    variables: str = WELL, stamps: str = "Yes", read: str = "system,call,agent,user", whole: bool = True
) -> dict[str, str]:
    said = {
        "manager show settings": SETTINGS.format(stamps=stamps, variables=variables[:55]),
        "manager show user engine": USER.format(read=read),
        EVALUATE: f"Return Value: Success (0)\nResult: {variables}\n" if whole else "Return Value: Failure (-1)",
    }
    return {one.about: f"{one.state}: {one.sentence}" for one in look_at_settings(MAIN, said.__getitem__)}


def test_settings_that_are_right_are_fine() -> None:
    assert {text.partition(":")[0] for text in found().values()} == {"fine"}


@pytest.mark.parametrize("function", ["CHANNEL(pjsip,call-id)", "PJSIP_HEADER(read,X)"])
def test_a_function_of_pjsip_in_channelvars_is_refused(function: str) -> None:
    assert "Asterisk answers no call with it" in found(f"{WELL},{function}")["channelvars"]


@pytest.mark.parametrize(
    ("status", "state", "remedy"),
    [
        (200, "fine", ""),
        (401, "act", "ari.conf"),
        (404, "act", "module load"),
        (500, "act", "spool/asterisk/recording"),
    ],
)
def test_what_ari_answers_has_its_own_remedy(status: int, state: str, remedy: str) -> None:
    found = ari_finding("routing-engine", status)
    assert found.state == state
    assert remedy in found.remedy


def test_variables_that_are_missing_are_named() -> None:
    assert "ROUTE_STATUS" in found(WELL.replace("ROUTE_STATUS", "X"))["channelvars"]


def test_what_asterisk_cuts_off_is_not_called_missing() -> None:
    assert found(whole=False)["channelvars"].startswith("unknown")
    assert found("ROUTE_CALL_ID", whole=False)["channelvars"].startswith("act")


def test_events_without_a_moment_and_classes_that_are_not_heard_are_told() -> None:
    assert found(stamps="No")["timestampevents"].startswith("act")
    assert found(read="call,user")["events"] == "act: the user does not hear: system, agent"
    assert found(read="all")["events"].startswith("fine")


def test_a_pbx_that_is_not_there_is_a_misuse_and_those_that_are_are_named(run: Run, config: Path) -> None:
    (config / "pbxs").mkdir()
    text = "ami: {address: 127.0.0.1:1, user: engine, secret: '${AMI}'}\ntrunks: [PJSIP/trunk*]\n"
    (config / "environment").write_text("AMI=s3cret\n")
    (config / "environment").chmod(0o600)
    (config / "pbxs" / "main.yaml").write_text(text)
    code, _, err = run("pbx", "check", "mian", "--config", str(config))
    assert (code, err) == (2, f"routing-engine: there is no PBX 'mian' in {config}; there is main\n")
    code, out, _ = run("pbx", "check", "main", "--config", str(config), "--json", "--asterisk", "/no/such")
    states = {one["about"]: one["state"] for one in as_json(out)["findings"]}
    assert (code, states["log-in"], states["settings"]) == (1, "act", "unknown")
    assert "s3cret" not in out
