"""A restart with a broken folder: calls are routed by the last good configuration, and everybody hears of it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
import structlog
from test_service import call, middleware, serving, write
from test_service_observed import observed, scrape

from routing_engine.cli import main
from routing_engine.logger import set_up_log

pytestmark = pytest.mark.io


async def once_served(folder: Path, address: str) -> Path:
    """Return a folder that was in force, and then broken."""
    async with serving(observed(folder, address)):
        pass
    (folder / "routes" / "support.yaml").write_text("default: {to: {quue: vip}}\n")
    return folder


async def test_a_restart_with_a_broken_folder_routes_calls_and_says_so(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        folder = await once_served(tmp_path, address)
        async with serving(folder) as (service, port):
            found = await call(port)
            metrics = service.listening["metrics"][0]
            ready, figures = await scrape(metrics, "ready"), await scrape(metrics)
    assert (found["ROUTE_STATUS"], found["ROUTE_TARGET"]) == ("OK", "vip")
    assert ready[0] == 200
    assert ready[1].startswith("ready; the folder cannot be used (1 problem): in force is the last good configuration")
    assert "routing_engine_configuration_refused 1.0" in figures[1]


async def test_the_log_of_such_a_start_names_revision_and_problems(tmp_path: Path) -> None:
    log = io.StringIO()
    async with middleware() as (_, address):
        folder = await once_served(tmp_path, address)
        set_up_log("info", "json", log)
        try:
            async with serving(folder) as (service, _):
                revision = service.calls.newest.configuration.revision
        finally:
            structlog.reset_defaults()
    event = next(line for line in map(json.loads, log.getvalue().splitlines()) if line["event"].endswith("last_good"))
    assert (event["level"], event["revision"], event["folder"]) == ("error", revision, str(folder))
    assert "routes/support.yaml:1" in event["problems"][0]


async def test_a_folder_that_comes_right_is_in_force_again(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        folder = await once_served(tmp_path, address)
        async with serving(folder) as (service, port):
            observed(folder, address)
            assert await service.reload()
            ready = await scrape(service.listening["metrics"][0], "ready")
            assert (await call(port))["ROUTE_STATUS"] == "OK"
    assert ready == (200, "ready\n")


async def test_a_secret_that_comes_back_is_noticed_without_a_change_of_the_folder(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        folder, secret = write(tmp_path, address), tmp_path / "token"
        secret.write_text("hunter2")
        with (folder / "integrations" / "erp.yaml").open("a") as file:
            file.write(f"auth: {{bearer: {{file: {secret}}}}}\n")
        async with serving(folder):
            pass
        secret.unlink()
        async with serving(folder) as (service, port):
            without = await call(port)
            secret.write_text("hunter2")
            assert await service.reload(again=True)
            assert (await call(port))["ROUTE_TARGET"] == "vip"
    assert (without["ROUTE_STATUS"], without["ROUTE_REASON"]) == ("OK", "source_down")


async def test_a_state_folder_that_cannot_be_written_stops_no_call(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        folder = write(tmp_path, address, engine="journal: none\n")
        (folder / "state").write_text("a file where the folder should be")
        async with serving(folder) as (_, port):
            assert (await call(port))["ROUTE_TARGET"] == "vip"


async def test_every_command_says_what_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with middleware() as (_, address):
        folder = await once_served(tmp_path, address)
        async with serving(folder):
            pass
    for command in (["check"], ["test"], ["calls"], ["calendar"], ["integrations"]):
        main(["--config", str(folder), *command])
        assert "in force is the last good configuration" in capsys.readouterr().err


async def test_run_test_tries_what_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with middleware() as (_, address):
        folder = await once_served(tmp_path, address)
    records = folder / "records.yaml"
    records.write_text("crm: {name: Anna}\n")
    arguments = ["run-test", "support", "--caller", "+436641234567", "--records", str(records), "--json"]
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["--config", str(folder), *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["destination"]["target"] == "vip"
    assert (found["last_good"]["revision"], len(found["last_good"]["problems"])) == (found["revision"], 1)
