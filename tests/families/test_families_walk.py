"""Every family of transformers, every kind of site: exact against plain exchanges, or refused by name.

The walk takes about ten minutes. MEDIATION_WRITE_FAMILIES=1 writes what it found into docs/families.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

from tests.families.table import PAGE, cell, page
from tests.families.walk import KINDS, TOLERANCE, UNMOVED, everything, walk

ROOT = Path(__file__).resolve().parents[2]
WRITE = os.environ.get("MEDIATION_WRITE_FAMILIES") == "1"
AT_ONCE, SECONDS = 60, 3600
# Families some part of which exists and is declined all the same, with the reason. Nothing else may be refused.
_AXES = "its activations have the tokens on the first axis, where the rows of the batch are expected"
_STREAMS = "several residual streams are mixed in every block, so no part adds to one of them"
_SHORT = "a short convolution follows its attention and its MLP, so what is added mixes tokens once more"
_TWO = "the MLP of a block is two modules, one with experts and one without; name either with `med.Site`"
DECLINED = {
    "albert": "all blocks are one module, which is called several times",
    "convbert": "heads: half of the input of its output map is a convolution",
    "cpmant": "it puts a prompt of its own before the tokens",
    "dbrx": "its attention lies in a module that also returns the stream and the norm of it",
    "deepseek_v4": _STREAMS,
    "diffllama": "patterns: each head subtracts two of them",
    "flaubert": "its parts lie in lists of their own, so there is no list of blocks",
    "encoder-decoder": "two models in one: sites need `stack=`, and were asked for without it",
    "evolla": "its longest list of blocks is that of proteins; name the blocks with `med.models.Architecture`",
    "fsmt": _AXES,
    "gemma3n_text": "four residual streams are on the first axis, where the rows of the batch are expected",
    "granitemoe_swa": _TWO,
    "granitemoehybrid": _TWO,
    "granitemoeshared": _TWO,
    "hy_v4": _STREAMS,
    "hrm_text": "its blocks are called several times",
    "inkling2": _SHORT,
    "inkling2_text": _SHORT,
    "inkling_mm_model": _SHORT,
    "inkling_text": _SHORT,
    "funnel": "its encoder is a list of lists, which pool their tokens; its blocks are named with `med.Site`",
    "kosmos-2.5": "its numbers change between equal passes, so the run's own check declines",
    "led": "its encoder attends within windows, and its decoder computes patterns with the heads among the rows",
    "longcat_flash": "its blocks have two attentions and two MLPs each; name one with `med.Site`",
    "longformer": "it attends within windows, and pads its inputs to a multiple of them",
    "longt5": "its encoder attends within windows",
    "mobilebert": "its attention lies inside a bottleneck, which has a stream of its own",
    "pegasus_x": "its encoder attends within windows, and splits them in a second call of its MLP",
    "moss_transcribe_diarize": "its numbers change between equal passes, so the run's own check declines",
    "muse_spark": "its tokens are routed to experts, each with neurons of its own",
    "mvp": "patterns: the heads lie among the rows",
    "perceiver": "its blocks are of latents, not of tokens",
    "prophetnet": "its decoder attends in several streams",
    "qwen2_vl with pictures": "as tensors, the patches of all pictures lie in one, without an axis of units",
    "qwen4_exp": _STREAMS,
    "qwen4_exp_text": _STREAMS,
    "reformer": "its blocks carry two residual streams",
    "squeezebert": "its activations have the features before the tokens",
    "t5gemma2": "its decoder attends to its own tokens and the encoder's in one softmax",
    "trocr": "patterns: the heads lie among the rows",
    "xglm": "patterns: the heads lie among the rows",
    "xlm": "its parts lie in lists of their own, so there is no list of blocks",
    "xlnet": _AXES,
    "zamba": "one attention, shared by all blocks that have one, is called several times",
    "zamba2": "one attention, shared by all blocks that have one, is called several times",
}
# Faults that are known and not mended, (family, kind), with the reason.
_UNSEEN = "the walk finds no addition in its first block, so there is nothing to compare with"
KNOWN: dict[tuple[str, str], str] = dict.fromkeys((("neomme", kind) for kind in KINDS), _UNSEEN)
SOME = ("llama", "bloom", "gpt_neox", "bart", "lfm2", "modernbert", "flaubert")


def rows(families: list[str]) -> Iterator[dict[str, Any]]:
    """Walk families in a process of their own, so that a crash costs one family and not the walk."""
    left = list(families)
    while left:
        command = [sys.executable, "-m", "tests.families.walk", *left[:AT_ONCE]]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
        said = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
        found = [one for one in said if "begins" not in one]
        yield from found
        if len(found) < len(left[:AT_ONCE]):
            lost = left[len(found)]
            yield {"family": lost, "kind": "", "model": "", "cells": {}, "reason": f"FAULT: {run.stderr[-500:]}"}
            found.append({})
        left = left[len(found) :]


def faults(row: dict[str, Any]) -> list[str]:
    """Return what is wrong in a row: wrong numbers, raw errors, and refusals that are not in the list."""
    found = [row["reason"]] if row["reason"].startswith(("FAULT", "refused")) else []
    for stack, cells in row["cells"].items():
        for kind, verdicts in cells.items():
            for block, verdict in verdicts.items():
                declined = verdict.startswith("refused") and row["family"] in DECLINED
                known = declined or (row["family"], kind) in KNOWN
                if not verdict.startswith(("exact", "none")) and not known:
                    found.append(f"{row['family']} {stack} {kind}[{block}]: {verdict}")
    return found


@pytest.mark.slow
def test_every_family_is_exact_or_refused_by_name():
    found = list(rows(everything()))
    text = page(found, transformers.__version__, TOLERANCE, DECLINED)
    if WRITE:
        PAGE.write_text(text, "utf-8")
    wrong = [one for row in found for one in faults(row)]
    assert not wrong, "\n".join(wrong)
    assert sum(bool(row["cells"]) for row in found) >= 60
    verdicts = [one for row in found for cells in row["cells"].values() for of in cells.values() for one in of.values()]
    assert verdicts.count(UNMOVED) < 0.02 * len(verdicts)
    if f"of transformers {transformers.__version__}," in PAGE.read_text("utf-8"):
        assert text == PAGE.read_text("utf-8"), "docs/families.md is not what is found: MEDIATION_WRITE_FAMILIES=1"


@pytest.mark.parametrize("family", SOME)
def test_rows_of_the_page_are_true(family):
    row = json.loads(json.dumps(vars(walk(family))))
    assert not faults(row)
    text = PAGE.read_text("utf-8")
    for stack, cells in row["cells"].items():
        name = f"{family}, {stack}" if stack else family
        assert f"| {name} | " + " | ".join(cell(cells[kind]) for kind in KINDS) + " |" in text


def test_the_page_is_part_of_the_documentation():
    assert "\nfamilies\n" in (ROOT / "docs" / "index.md").read_text("utf-8")
    assert "families.md" in (ROOT / "docs" / "sites.md").read_text("utf-8")
