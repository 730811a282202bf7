"""The databases of these tests, each for all of them; and the house for the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from rig.databases import mariadb, postgresql
from tests.acceptance.conftest import house as house

from .sites import Site


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, issued = tmp_path_factory.mktemp("certificate"), authority.issue_cert("127.0.0.1", "localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder / "certificate.pem", folder / "key.pem"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgresql_site(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> AsyncIterator[Site]:
    with postgresql(tmp_path_factory.mktemp("postgresql"), certificate) as server:
        await Site(server).fill()
        yield Site(server)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mariadb_site(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> AsyncIterator[Site]:
    with mariadb(tmp_path_factory.mktemp("mariadb"), certificate) as server:
        await Site(server).fill()
        yield Site(server)
