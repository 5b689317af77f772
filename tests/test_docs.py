"""The Python blocks of every page of the docs run."""

import re
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
PAGES = sorted((HOME / "docs").glob("*.md"))


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "docs"}
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), space)


def test_pages_point_to_files_that_are_there():
    for page in [HOME / "README.md", HOME / "CONTRIBUTING.md", *PAGES]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
