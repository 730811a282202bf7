"""Calls that are signed by a carrier (STIR/SHAKEN), verified by a real Asterisk, and routed by what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.sip import Phone

from .middleware import Middleware
from .passport import Notary
from .scenery import DIALPLAN
from .stage import House, Stage
from .test_live_state import tells

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

ROUTES = {"attested": tells("call.attestation", "A", "B", "C", "failed", "none", otherwise="unknown")}
TRUST = """
failure_action=continue
relax_x5u_port_scheme_restrictions=yes
relax_x5u_path_restrictions=yes
x5u_permit=127.0.0.1/32
"""
CALLER = "+436641112233"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def notary() -> AsyncIterator[Notary]:
    async with Notary.working() as notary:
        yield notary


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(notary: Notary, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house whose Asterisk verifies what comes in on its trunk."""
    place: Path = tmp_path_factory.mktemp("trust")
    (place / "authority.pem").write_text(notary.authority)
    trust = f"[verification]\nca_file={place}/authority.pem\ncert_cache_dir={place}\n{TRUST}"
    trust += f"[carrier]\ntype=profile\nendpoint_behavior=verify\n{TRUST}"
    async with (
        Asterisk(DIALPLAN, extra={"stir_shaken.conf": trust}) as asterisk,
        Phone.open() as phone,
        Middleware.serving() as middleware,
    ):
        for module in ("res_curl", "res_stir_shaken", "res_pjsip_stir_shaken"):
            await asterisk.ami.action("ModuleLoad", Module=f"{module}.so", LoadType="load")
        yield House(asterisk, phone, middleware)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def verifying(house: House) -> AsyncIterator[None]:
    """From here on the trunk's calls are verified."""
    pjsip, trunk = house.asterisk.directory / "etc" / "pjsip.conf", "[trunk]\ntype=endpoint\n"
    pjsip.write_text(pjsip.read_text().replace(trunk, f"{trunk}stir_shaken_profile=carrier\n", 1))
    await house.asterisk.ami.action("Reload", Module="res_pjsip.so")
    yield


async def attested(stage: Stage, headers: dict[str, str]) -> str:
    """What a route makes of a call with these headers."""
    headers = {"X-Engine-1": stage.engine.address, **headers}
    call = await stage.house.phone.dial(stage.asterisk.sip_address, "attested", caller=CALLER, headers=headers)
    landing = await stage.asterisk.landed(call, "office")
    await call.hang_up()
    return landing.exten.removeprefix("x")


async def test_where_nothing_is_verified_there_is_no_attestation(stage: Stage, notary: Notary) -> None:
    assert await attested(stage, notary.headers(CALLER, "A")) == "none"


@pytest.mark.parametrize("level", ["A", "B", "C"])
async def test_a_good_signature_gives_its_level(stage: Stage, notary: Notary, verifying: None, level: str) -> None:
    assert await attested(stage, notary.headers(CALLER, level)) == level


async def test_a_call_without_a_signature_has_none(stage: Stage, verifying: None) -> None:
    assert await attested(stage, {}) == "none"


async def test_a_signature_that_does_not_hold_has_failed(stage: Stage, notary: Notary, verifying: None) -> None:
    good = notary.headers(CALLER, "A")
    bad = {
        "signed by somebody else": notary.headers(CALLER, "A", forged=True),
        "for another number": notary.headers("+43111", "A"),
        "an old one": notary.headers(CALLER, "A", age_s=3600),
        "no certificate there": notary.headers(CALLER, "A", lost=True),
        "no date": {"Identity": good["Identity"]},
        "no level": notary.headers(CALLER, "X"),
        "no signature at all": {**good, "Identity": f"a.b.c;info=<{notary.address}>;alg=ES256;ppt=shaken"},
    }
    found = {name: await attested(stage, headers) for name, headers in bad.items()}
    assert found == dict.fromkeys(bad, "failed")
