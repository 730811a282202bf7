"""Links lead somewhere, and no page holds what belongs to one machine only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .pages import DOCS, ROOT, anchors, images, links, name_of, pages

TOP = sorted(ROOT.glob("*.md"))
FOLDERS = [path for path in (ROOT / "docker" / "README.md", ROOT / "sounds" / "README.md") if path.exists()]
EVERY = [*pages(), *TOP, *FOLDERS]


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_every_relative_link_resolves(page):
    assert broken(page) == []


def broken(page: Path) -> list[str]:
    found = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", [page for page in EVERY if images(page)], ids=name_of)
def test_every_picture_is_there_and_a_drawing_in_light_and_dark(page):
    for image in images(page):
        if image.endswith(".png"):  # of the page of calls: small, as everybody who clones has them
            assert (page.parent / image).stat().st_size < 100_000
            continue
        assert "prefers-color-scheme: dark" in (page.parent / image).read_text(encoding="utf-8")


def test_every_page_can_be_reached_from_the_index():
    seen, ahead = set(), [DOCS / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        targets = ((page.parent / link.partition("#")[0]).resolve() for link in links(page))
        ahead += [one for one in targets if one.suffix == ".md" and DOCS in one.parents and one not in seen]
    assert set(pages()) - seen == set()


MACHINE = re.compile(r"/work\b|/home/|/root\b|/tmp/\w|pypi|pythonhosted|index-url|\b10\.\d+\.\d+\.\d+\b", re.I)


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_no_page_names_this_machine_or_a_package_host(page):
    assert MACHINE.findall(page.read_text(encoding="utf-8")) == []
