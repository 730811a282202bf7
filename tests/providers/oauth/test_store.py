"""Tokens on disk: what others can read of them, keys that fit and do not, and two processes at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.providers.oauth.tokens import StoredToken, TokenStore, key_file, make_key
from routing_engine.settings.paths import state_folder

from .conftest import Site, until
from .vendor import CLIENT

KEPT = StoredToken("access-0", "refresh-0", {"api": "https://a.example"}, 1.0, None, "settings")


def test_what_is_written_is_read_and_nobody_else_can(tmp_path: Path) -> None:
    key = make_key(tmp_path, "")
    assert key is not None
    store = TokenStore("crm", tmp_path)
    store.write(KEPT)
    assert store.read() == KEPT
    modes = [path.stat().st_mode & 0o777 for path in (key, store.path, store.path.parent)]
    assert modes == [0o600, 0o600, 0o700]
    content = store.path.read_bytes()
    assert not any(secret in content for secret in (b"access-0", b"refresh-0", b"a.example"))
    assert os.listdir(store.path.parent) == ["crm"]


@pytest.mark.parametrize(
    ("folder", "state"),
    [
        ("/etc/routing-engine", "/var/lib/routing-engine"),
        ("/etc/two", "/var/lib/two"),
        ("/etc/deep/config", "/etc/deep/config/state"),
        ("/srv/config", "/srv/config/state"),
    ],
)
def test_tokens_lie_where_the_service_may_write(folder: str, state: str) -> None:
    assert state_folder(Path(folder)) == Path(state)
    assert TokenStore("crm", Path(folder)).path == Path(state, "tokens", "crm")


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    make_key(tmp_path, "")
    before = key_file(tmp_path).read_bytes()
    assert make_key(tmp_path, "") is None
    assert make_key(tmp_path / "other", "from the environment") is None
    assert key_file(tmp_path).read_bytes() == before


def test_the_environment_comes_before_the_file_and_openssl_s_base64_will_do(tmp_path: Path) -> None:
    make_key(tmp_path, "")
    variable = "+/" * 21 + "+="
    TokenStore("crm", tmp_path, variable).write(KEPT)
    assert TokenStore("crm", tmp_path, variable).read() == KEPT
    with pytest.raises(ProviderRefused, match="another key"):
        TokenStore("crm", tmp_path).read()


def test_the_first_of_several_keys_encrypts_and_all_decrypt(tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    TokenStore("crm", tmp_path, old).write(KEPT)
    assert TokenStore("crm", tmp_path, f"{new},{old}").read() == KEPT
    TokenStore("crm", tmp_path, f"{new} {old}").write(KEPT)
    assert TokenStore("crm", tmp_path, new).read() == KEPT


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (Fernet.generate_key().decode(), "written with another key, or are damaged; give back the key"),
        ("short", "ROUTING_ENGINE_KEY holds no key for the tokens; a key is 32 random bytes in base64"),
        (" , ", "ROUTING_ENGINE_KEY holds no key for the tokens"),
        ("", "have no key; set ROUTING_ENGINE_KEY, or restore .*/state/key"),
    ],
    ids=["another", "too short", "only commas", "none"],
)
def test_a_key_that_does_not_fit_is_told_with_what_to_do(tmp_path: Path, key: str, says: str) -> None:
    right = Fernet.generate_key().decode()
    TokenStore("crm", tmp_path, right).write(KEPT)
    with pytest.raises(ProviderRefused, match=says) as caught:
        TokenStore("crm", tmp_path, key).read()
    assert right not in str(caught.value)


def test_tokens_of_another_integration_are_not_taken(tmp_path: Path) -> None:
    make_key(tmp_path, "")
    store = TokenStore("crm", tmp_path)
    store.write(KEPT)
    store.path.rename(store.path.with_name("erp"))
    with pytest.raises(ProviderRefused, match=r"erp: the tokens in .* damaged"):
        TokenStore("erp", tmp_path).read()


def test_what_is_there_stays_when_writing_fails(tmp_path: Path) -> None:
    make_key(tmp_path, "")
    store = TokenStore("crm", tmp_path)
    store.path.mkdir(parents=True)  # nothing can be renamed over a folder
    with pytest.raises(ProviderRefused, match="cannot be written"):
        store.write(KEPT)
    assert os.listdir(store.path.parent) == ["crm"]


async def test_root_gives_no_file_away_that_a_lock_of_the_engine_leads_to(tmp_path: Path) -> None:
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    store, shadow = TokenStore("crm", tmp_path), tmp_path / "shadow"
    shadow.write_text("root:*:")
    store.path.parent.mkdir(parents=True)
    os.chown(store.path.parent, user, -1)
    Path(f"{store.path}.lock").symlink_to(shadow)
    with suppress(ProviderRefused):  # of root; somebody else may lock what he owns anyway
        async with store.locked(1):
            pass
    assert (shadow.stat().st_uid, shadow.read_text()) == (os.geteuid(), "root:*:")


async def test_a_failure_within_the_lock_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="the renewal's own"):
        async with TokenStore("crm", tmp_path).locked(1):
            raise TimeoutError("the renewal's own")


async def test_who_waits_too_long_for_the_lock_gives_up(tmp_path: Path) -> None:
    store = TokenStore("crm", tmp_path)
    async with store.locked(1):
        with pytest.raises(ProviderUnreachable, match="another process"):
            async with store.locked(0.1):
                pass


RENEW = """
import asyncio, sys, time
from pathlib import Path
import aiohttp
from routing_engine.providers.oauth.refresh import open_credential
from routing_engine.providers.oauth.plan import OAuthPlan
from routing_engine.providers.oauth.settings import OAuthSettings

async def main(folder, address, client, secret):
    plan = OAuthPlan(address + "/token", address + "/authorize")
    settings = OAuthSettings(plan, client, secret, folder=Path(folder))
    async with aiohttp.ClientSession() as session:
        credential = open_credential("crm", settings, lambda: session, time.monotonic, lambda: 1_800_000_100.0)
        found = await asyncio.gather(*(credential.values() for _ in range(8)))
    print(*{values["access_token"] for values in found})

asyncio.run(main(*sys.argv[1:]))
"""


def has_open(process: int, name: str) -> bool:
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(file).endswith(name):
                return True
    return False


@pytest.mark.io
async def test_two_processes_renew_once(site: Site) -> None:
    settings = site.settings()
    site.logged_in(settings)
    site.vendor.gate = asyncio.Event()
    words = [sys.executable, "-c", RENEW, str(site.folder), site.vendor.address, CLIENT, settings.client_secret]
    both = [await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        await until(lambda: all(has_open(one.pid, "crm.lock") for one in both) and bool(site.vendor.asked))
    finally:
        site.vendor.gate.set()
        found = [(await one.communicate())[0].decode().strip() for one in both]
    assert found == ["access-1", "access-1"]
    assert [form["refresh_token"] for form in site.vendor.asked] == ["refresh-0"]
