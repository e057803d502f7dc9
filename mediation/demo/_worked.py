"""What the worked examples have in common: a model that thinks, units to ask it about, and options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pandas as pd

from .. import datasets
from .._checks import one_of
from .._errors import DataError, DesignError
from ..models import Model, load
from ..outcomes import AbstractOutcome, LogitDiff, LogProb
from ..specs import CAPIMAGINE, LVR, MIRAGE, MONET, LatentSpec, TextSpec
from ..units import Pairs, Prompt, prompts
from ._trained import find_trained

SPECS: dict[str, LatentSpec | TextSpec | None] = {
    "monet": MONET,
    "lvr": LVR,
    "mirage": MIRAGE,
    "capimagine": CAPIMAGINE,
    "none": None,
}
_KEPT = ("options", "box", "map", "category")
_TEST = 10_000  # added to the seed: training draws from seeds of its own, and no test scene is among its scenes


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Worked:
    """A model that thinks, and the units of an example.

    Attributes
    ----------
    name
        Of the model.
    model
        With its processor and spec.
    frame
        One unit a row, in the layout of `mediation.datasets.read`.
    own, other
        The prompt of each unit, and the same question with the image of its counterfactual.
    pairs
        ``base`` is `other` and ``source`` is `own`, with the columns ``answer`` and (for the synthetic tasks) ``foil``.
    outcome
        What is measured of the answer: the logit difference of answer and foil, or the log-probability of the answer.
    max_new_tokens
        Positions that a rollout may add.
    out
        Folder for figures and tables.
    """

    name: str
    model: Model
    frame: pd.DataFrame
    own: list[Prompt]
    other: list[Prompt]
    pairs: Pairs
    outcome: AbstractOutcome
    max_new_tokens: int
    out: Path


def worked(
    name: str,
    n: int = 100,
    *,
    argv: Sequence[str] | None = None,
    task: str = "needle",
    kind: str = "colour",
) -> Worked:
    """Return the model and the units of an example, as the command line asks for them.

    Parameters
    ----------
    name
        The small model to take, one of `mediation.demo.TRAINED`, unless the command line names a checkpoint.
    n
        Number of units, unless the command line says otherwise.
    argv
        Arguments: ``--checkpoint PATH --spec NAME --data FILE`` for a real checkpoint and a benchmark file, ``--n``,
        ``--seed``, ``--out``, ``--models``, ``--device``, ``--dtype``, ``--layout``. None for those of the process.
    task, kind
        The synthetic task, ``"needle"`` or ``"planning"``, and what is asked of the needle.

    Raises
    ------
    DesignError
        If the arguments do not go together.
    BackendError
        If the weights are not found.
    """
    asked = _parser(name, n).parse_args(argv)
    model, label = _model(asked, name)
    frame = _frame(asked, task, kind)
    protocol = datasets.PROTOCOLS.get(asked.spec) if asked.checkpoint is not None else None
    questions = [protocol.asked(one) if protocol is not None else one for one in frame["question"]]
    images = [datasets.opened(some) for some in frame["images"]]
    # The counterfactual of a benchmark's unit is another unit's image under its own question.
    others = list(frame["other_images"]) if "other_images" in frame else [*images[1:], images[0]]
    options: dict[str, Any] = {"system": protocol.system} if protocol is not None else {}
    own, other = (prompts(model, questions, some, **options) for some in (images, others))
    columns: dict[str, Any] = {**_answers(frame), **{name: list(frame[name]) for name in _KEPT if name in frame}}
    most = (protocol.max_new_tokens if protocol is not None else None) or (512 if asked.checkpoint is not None else 48)
    return Worked(
        name=label,
        model=model,
        frame=frame,
        own=own,
        other=other,
        pairs=Pairs(base=other, source=own, frame=pd.DataFrame(columns), cluster=list(frame["group"])),
        outcome=LogitDiff("answer", "foil") if "foil" in columns else LogProb("answer"),
        max_new_tokens=most,
        out=asked.out,
    )


def _parser(name: str, n: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=name, help=f"a small model of the repository (default: {name})")
    parser.add_argument("--models", help="folder of the small models (default: examples/models)")
    parser.add_argument("--checkpoint", help="a real checkpoint instead: hub id or path")
    parser.add_argument("--spec", default="none", help=f"how it thinks: {', '.join(SPECS)}")
    parser.add_argument("--data", help="a benchmark file instead of the synthetic task")
    parser.add_argument("--layout", help="its layout, if the columns do not tell")
    parser.add_argument("--n", type=int, default=n, help=f"units (default: {n})")
    parser.add_argument("--seed", type=int, default=0, help="of units, draws and resamples (default: 0)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for figures and tables (default: here)")
    parser.add_argument("--device", help="such as cuda")
    parser.add_argument("--dtype", help="such as bfloat16")
    return parser


def _model(asked: argparse.Namespace, name: str) -> tuple[Model, str]:
    if asked.checkpoint is None:
        if asked.spec != "none":
            raise DesignError("--spec goes with --checkpoint; the small models know how they think.")
        return find_trained(asked.model, asked.models), asked.model
    one_of(asked.spec, tuple(SPECS), what="--spec")
    import torch

    options: dict[str, Any] = {"device": asked.device} if asked.device else {}
    if asked.dtype:
        options["dtype"] = getattr(torch, asked.dtype)
    return load(asked.checkpoint, spec=SPECS[asked.spec], **options), Path(asked.checkpoint).name


def _frame(asked: argparse.Namespace, task: str, kind: str) -> pd.DataFrame:
    if asked.data is not None:
        return datasets.read(asked.data, asked.layout, limit=asked.n)
    if asked.checkpoint is not None:
        raise DesignError("--checkpoint goes with --data FILE: the synthetic tasks are for the small models.")
    one_of(task, ("needle", "planning"), what="task")
    seed = asked.seed + _TEST
    return datasets.planning(asked.n, rng=seed) if task == "planning" else datasets.needle(asked.n, kind=kind, rng=seed)


def _answers(frame: pd.DataFrame) -> dict[str, list[str]]:
    if frame["answer"].isna().any():
        raise DataError("Some units have no answer to compare with; effects on an answer need one.")
    columns = {"answer": [f" {str(answer).split()[0]}" for answer in frame["answer"]]}
    if "other_answer" in frame:
        columns["foil"] = [f" {answer.split()[0]}" for answer in frame["other_answer"]]
    return columns
