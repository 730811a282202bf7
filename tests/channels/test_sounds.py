"""Which sounds lie on this machine, and what a dry run says of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.channels.sounds import is_here
from routing_engine.config.folder import FolderTexts
from routing_engine.config.load import configure
from routing_engine.dry_run import dry_run
from routing_engine.rehearsal import DryCall

pytestmark = pytest.mark.io


def test_what_is_shipped_is_here_in_each_language(tmp_path: Path) -> None:
    assert is_here("crm_routing-gold", ["de"], tmp_path, ())
    assert is_here("crm_routing-gold", ["de_AT"], tmp_path, ())
    assert not is_here("crm_routing-gold", ["fr"], tmp_path, ())


def test_a_sound_beside_the_configuration_or_of_an_asterisk_is_here(tmp_path: Path) -> None:
    for name in ("sounds/de/acme/hello.ulaw", "asterisk/beep.gsm"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert is_here("acme/hello", ["de"], tmp_path, ())
    assert is_here("beep", ["de"], tmp_path, [tmp_path / "asterisk"])
    assert not is_here("nope", ["de"], tmp_path, [tmp_path / "asterisk"])


async def test_a_dry_run_does_not_say_played_of_a_sound_that_exists_nowhere(tmp_path: Path) -> None:
    route = "instruction: [greeting-welcome, no-such-sound]\ninput: {prompt: none-either, digits: {min: 1, max: 1}}\n"
    texts = {"routes/support.yaml": route + "default: {play: greeting-welcome, to: {queue: sales}}\n"}
    found = await dry_run(configure(FolderTexts(texts, "r", "r"), {}, folder=tmp_path), DryCall("support", records={}))
    said = [f"{one.step}: {one.outcome}" for one in found.decision.trail]
    unsure = [line for line in said if "among the sounds here is no" in line]
    assert ["no no-such-sound" in unsure[0], "no none-either" in unsure[1]] == [True, True]
    assert any(line.endswith("greeting-welcome: played") for line in said)
