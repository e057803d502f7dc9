"""docs/families.md: family x kind of site, from the rows of the walk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "families.md"
COLUMNS = {
    "residual": "residual",
    "attention": "attention",
    "head": "one head",
    "pattern": "pattern",
    "mlp": "MLP",
    "neurons": "neurons",
    "embedding": "embedding",
}
TITLES = {
    "causal": "Causal language models",
    "encoder": "Encoders",
    "encoder-decoder": "Encoder-decoders, and models of speech and text",
    "image-text": "Models of images and text",
}
UNSEEN = "FAULT: a number, and no such part was found"
INTRODUCTION = """# Families of models

Which sites exist in which family of `transformers`, and whether the numbers there are right. This page is written by
a test (`MEDIATION_WRITE_FAMILIES=1 make test-slow ARGS="tests/families"`) that builds a tiny random model of every
language-model class that it can, {built} families of transformers {version}, and patches every kind of
[site](sites.md) in every kind of block.

Each number is compared with a plain exchange that knows nothing of the package: the test follows the residual stream
through the additions of a block, and replaces what is added there, one unpadded input at a time. Attention is what is
added and looks at other tokens through a softmax; the MLP is what is added and looks at no other token.

| cell | meaning |
|---|---|
| exact | the same number as by plain exchanges, to {tolerance:g}, in every block |
| exact in 1, 3 | in these blocks of the tiny model; the others have no such part, and asking for it is a `SiteError` |
| exact one at a time | with `batch_size=1`; a larger batch is refused, since its rows depend on each other |
| none | no block has such a part, and asking for it is an error that says so |
| not compared | a number is given, and the walk sees no addition there to compare it with |
| refused | the part exists, and the package declines it; the reason is [below](#refused) |

In models with two stacks, `stack="encoder"` or `stack="decoder"` names one. Attention is the block's self-attention.
A family that is not listed is not refused: `med.load` looks at the module tree, not at a list of names.
"""


def page(rows: Iterable[dict[str, Any]], version: str, tolerance: float, declined: dict[str, str]) -> str:
    """Return the text of the page."""
    rows = list(rows)
    built = [row for row in rows if row["cells"]]
    families = {row["family"].partition(" with ")[0] for row in built}
    parts = [INTRODUCTION.format(built=len(families), version=version, tolerance=tolerance)]
    for kind, title in TITLES.items():
        parts.append(f"## {title}\n\n" + _table([row for row in built if row["kind"] == kind]))
    parts.append("## Refused\n\n" + "\n".join(f"- `{family}`: {why}" for family, why in declined.items()) + "\n")
    left = [f"- `{row['family']}`: {row['reason']}" for row in rows if not row["cells"]]
    parts.append("## Not built\n\n" + "\n".join(left) + "\n")
    return "\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| family | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        for stack, cells in row["cells"].items():
            name = f"{row['family']}, {stack}" if stack else row["family"]
            lines.append(f"| {name} | " + " | ".join(cell(cells[kind]) for kind in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def cell(verdicts: dict[str, str]) -> str:
    """Return what a cell says of the verdicts on its blocks."""
    short = {block: _short(verdict) for block, verdict in verdicts.items()}
    there = {block: one for block, one in short.items() if one != "none"}
    said = list(dict.fromkeys(there.values()))
    if not said:
        return "none"
    if len(said) == 1 and len(there) == len(short):
        return said[0]
    return "; ".join(f"{one} in {', '.join(block for block in there if there[block] == one)}" for one in said)


def _short(verdict: str) -> str:
    if verdict.startswith("none"):
        return "none"
    if verdict == UNSEEN:
        return "not compared"
    if verdict.startswith("exact, with"):
        return "exact one at a time"
    return verdict.partition(":")[0]
