"""The pictures of the documentation are of this page: each can be taken anew, and each is shown somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .chromium import TOP
from .pictures import FOLDER, PICTURES, take

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_can_be_taken_anew(browser: Browser, name: str, tmp_path: Path) -> None:
    assert (await take(browser, name, tmp_path)).read_bytes().startswith(b"\x89PNG")


async def test_the_documentation_has_these_pictures_and_no_others() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES)
    assert (TOP / "docs/how-to/take-calls.md").read_text().count("../pictures/") <= len(PICTURES)
