"""Every ```python block of the documentation runs, page by page, in order.

A page is written to a file whose line numbers are those of the page, so that a traceback points into it. Two HTML
comments change what is done with the block after them:

- ``<!-- not run: reason -->``: the python block is left out; the reason is required;
- ``<!-- output -->``: the text block must be what the python block before it printed ("..." stands for anything).
"""

from __future__ import annotations

import doctest
import re
import runpy
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import mediation as med

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "inference").glob("*.md")),
    *(page for page in [ROOT / "README.md"] if page.exists()),
]
MARK = "\x1e"  # printed after each block: record separator

_FENCE = re.compile(r"^(`{3,}|~{3,})\s*(\S*)")
_INDENTED = re.compile(r"^\s+```python")
_NOT_RUN = re.compile(r"<!--\s*not run(?::\s*(.*?))?\s*-->$")
_OUTPUT = re.compile(r"<!--\s*output\s*-->$")


@dataclass
class Block:
    """A python block: its lines by number, and what it should print (None: anything)."""

    first: int
    lines: list[str] = field(default_factory=list)
    expected: str | None = None


def blocks_of(text: str) -> list[Block]:
    """Return the python blocks of a page that run."""
    found: list[Block] = []
    comment, language, fence, body, first = "", "", "", [""], 0
    for number, line in enumerate(text.splitlines()):
        opened = _FENCE.match(line)
        if fence and line.strip() == fence:
            _finish(found, language, comment, Block(first, body))
            fence, comment = "", ""
        elif fence:
            body.append(line)
        elif opened:
            fence, language, body, first = opened[1], opened[2], [], number + 1
        elif line.strip():
            assert not _INDENTED.match(line), f"line {number + 1}: a block inside a list is not run; move it out"
            comment = line.strip()
    assert not fence, f"the block that begins in line {first} is not closed"
    return found


def _finish(found: list[Block], language: str, comment: str, block: Block) -> None:
    skipped = _NOT_RUN.match(comment)
    if language == "python" and skipped:
        assert skipped[1], f"line {block.first}: say why: <!-- not run: reason -->"
    elif language == "python":
        found.append(block)
    elif _OUTPUT.match(comment):
        assert found, f"line {block.first}: no python block runs before this output"
        found[-1].expected = "\n".join(block.lines) + "\n"


def script_of(blocks: list[Block]) -> str:
    """Return the page as a script: code on its own lines, a mark printed where each block ends."""
    last = blocks[-1].first + len(blocks[-1].lines) + 1
    lines = [""] * last
    for block in blocks:
        end = block.first + len(block.lines)
        lines[block.first : end] = block.lines
        lines[end] = f"print({MARK!r}, end='')"
    return "\n".join(lines) + "\n"


def same(expected: str, printed: str) -> bool:
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, printed, options)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page.read_text())], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    blocks = blocks_of(page.read_text())
    script = tmp_path / f"{page.stem}.py"
    script.write_text(script_of(blocks))
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", med.errors.DegenerateWarning
        )  # pages show tables with cells that have no interval
        warnings.simplefilter("ignore", med.errors.WeakTotalEffectWarning)  # and some speak of just that
        warnings.simplefilter("ignore", med.errors.InteractionWarning)  # or of this
        runpy.run_path(str(script), run_name="page")
    printed = capsys.readouterr().out.split(MARK)[:-1]
    assert len(printed) == len(blocks)
    for block, out in zip(blocks, printed, strict=True):
        if block.expected is not None:
            assert same(block.expected, out), f"{page.name}, block of line {block.first}:\n{out}"


def test_pages_are_found_and_most_of_their_code_runs():
    names = {page.name for page in PAGES}
    assert {"quickstart.md", "notation.md", "extending.md", "sites.md", "how-it-runs.md"} <= names
    assert sum(len(blocks_of(page.read_text())) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_parser_keeps_line_numbers_skips_and_compares():
    page = "\n".join(
        [
            "A page.",
            "```python",
            "print(1 + 1)",
            "```",
            "<!-- output -->",
            "```text",
            "2",
            "```",
            "<!-- not run: takes an hour -->",
            "",
            "```python",
            "never()",
            "```",
            "```python",
            "print('a')",
            "```",
        ]
    )
    blocks = blocks_of(page)
    assert [(block.first, block.expected) for block in blocks] == [(2, "2\n"), (14, None)]
    assert script_of(blocks).splitlines()[2] == "print(1 + 1)"
    assert same("2\n", "2\n")
    assert same("2 ... 4\n", "2  3 4\n")
    assert not same("2\n", "3\n")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<!-- not run -->\n```python\nx\n```", "say why"),
        ("```python\nx", "not closed"),
        ("- a\n  ```python\n  x\n  ```", "inside a list"),
        ("<!-- output -->\n```text\n2\n```", "no python block"),
    ],
)
def test_what_would_hide_code_is_refused(page, message):
    with pytest.raises(AssertionError, match=message):
        blocks_of(page)
