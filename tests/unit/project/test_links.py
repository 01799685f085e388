"""Every link from one of the project's pages to another leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.unit.project.tree import ROOT, markdown_files, name_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links_in(page: Path) -> list[str]:
    """The targets of a page's links, without those to other sites."""
    text = re.sub(r"`[^`\n]*`", "", CODE_BLOCK.sub("", page.read_text()))
    return [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]


def file_at(page: Path, link: str) -> Path:
    """The file that a link leads to."""
    return (page.parent / link.partition("#")[0]).resolve() if not link.startswith("#") else page


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def problem_with(page: Path, link: str) -> str | None:
    """What is wrong with a link, None where nothing is."""
    target, anchor = file_at(page, link), link.partition("#")[2]
    if not target.is_relative_to(ROOT):
        return "leads out of the project"
    if not target.exists():
        return "leads nowhere"
    if anchor and anchor not in anchors_of(target):
        return "names no heading there"
    return None


class TestLinks:
    """What a reader who follows them finds."""

    def test_every_link_leads_somewhere(self) -> None:
        problems = {
            f"{name_of(page)} -> {link}": problem_with(page, link)
            for page in markdown_files()
            for link in links_in(page)
        }
        assert problems
        assert {link: problem for link, problem in problems.items() if problem} == {}

    @pytest.mark.parametrize(
        ("link", "problem"),
        [
            ("docs/nowhere.md", "leads nowhere"),
            ("#no-such-heading", "names no heading there"),
            ("../elsewhere.md", "leads out of the project"),
        ],
    )
    def test_a_dead_link_is_noticed(self, link: str, problem: str) -> None:
        assert problem_with(ROOT / "README.md", link) == problem

    def test_every_page_can_be_reached_from_the_readme(self) -> None:
        seen: set[Path] = set()
        to_read = [ROOT / "README.md"]
        while to_read:
            page = to_read.pop()
            if page in seen:
                continue
            seen.add(page)
            for target in (file_at(page, link) for link in links_in(page)):
                found = target.glob("*.md") if target.is_dir() else [target]
                to_read += [path for path in found if path.suffix == ".md" and path.is_file()]
        assert [name_of(page) for page in markdown_files() if page not in seen] == []
