"""What the worked examples have in common: a model that thinks, units to ask it about, and options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import datasets
from .._checks import one_of
from .._errors import DataError, DesignError
from ..analysis import ablate, mediate
from ..interventions import Assignment
from ..models import Model, load
from ..outcomes import AbstractOutcome, AnswerCorrect, LogitDiff, LogProb, judge
from ..probing import capture
from ..results import Effects
from ..sites import ThoughtSite, image, imagination, latents
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
# What the latents of the small models were trained to be: features of the region, or of the helper image.
_TARGETS = {"lvr": "region", "mirage": "helper", "necessary-latent": "helper", "ignored-latent": "helper"}
_STEPS = 4
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
    own
        The prompt of each unit.
    pairs
        ``source`` is `own`, ``base`` the same question with the image of the unit's counterfactual.
    outcome
        What is measured of the answer's first token: its logit less that of the counterfactual's answer; for benchmarks
        its log-probability.
    max_new_tokens
        Positions that a rollout may add.
    out
        Folder for figures and tables.
    seed
        Of draws and resamples.
    small
        Whether it is one of the small models.
    """

    name: str
    model: Model
    frame: pd.DataFrame
    own: list[Prompt]
    pairs: Pairs
    outcome: AbstractOutcome
    max_new_tokens: int
    out: Path
    seed: int
    small: bool

    @property
    def thought(self) -> ThoughtSite:
        """The site of the thought: latents or imagined text."""
        return imagination() if isinstance(self.model.spec, TextSpec) else latents()

    @property
    def correct(self) -> AbstractOutcome:
        """1 if the whole answer is right: by the options, or by walking over the map."""
        if "map" not in self.frame:
            return AnswerCorrect("answer", options="options" if self.frame["options"].notna().all() else None)

        @judge
        def arrives(told: Any, unit: Any) -> float:
            return float(datasets.simulate(unit["map"], told.answer))

        return arrives

    def mediate(self, estimands: Sequence[str], **options: Any) -> Effects:
        """Return effects of the image on the answer through the thought; options are those of `mediation.mediate`."""
        return mediate(
            self.model, self.pairs, self.thought, self.outcome, estimands=list(estimands),
            **{"max_new_tokens": self.max_new_tokens, "rng": self.seed, "progress": False, **options},
        )  # fmt: skip

    def ablate(self, arms: Mapping[str, Assignment], outcome: AbstractOutcome, **options: Any) -> Effects:
        """Return what the arms do to the answers about the units' own images."""
        return ablate(
            self.model, self.pairs, dict(arms), outcome, run="source",
            **{"max_new_tokens": self.max_new_tokens, "rng": self.seed, "progress": False, **options},
        )  # fmt: skip

    def oracle(self, of: str = "own") -> NDArray[np.float64] | None:
        """Return the visual features that the latents were trained to be, ``(units, steps, features)``.

        Parameters
        ----------
        of
            ``"own"``, or ``"other"`` for those of the counterfactual scene.

        Returns
        -------
        ndarray or None
            None where the latents were not trained on visual features.
        """
        target = _TARGETS.get(self.name) if self.small else None
        if target == "region":
            run: Any = "source" if of == "own" else "base"
            return capture(self.model, self.pairs, image(box="box"), run, layer="input").values
        if target == "helper":
            column = "helper_images" if of == "own" else "other_helper_images"
            questions = list(self.frame["question"])
            shown = prompts(self.model, questions, [datasets.opened(some) for some in self.frame[column]])
            found = capture(self.model, shown, image(), layer="input").values
            units, tokens, features = found.shape
            return found.reshape(units, _STEPS, tokens // _STEPS, features).mean(axis=2)
        return None

    def save(self, what: Any, name: str) -> None:
        """Write a table (CSV) or a figure to the folder of the example, and say where."""
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / name
        what.to_csv(path, index=False) if isinstance(what, pd.DataFrame) else what.savefig(path, dpi=160)
        print(f"wrote {path}")


def worked(name: str, *, n: int = 100, argv: Sequence[str] | None = None, task: str = "needle") -> Worked:
    """Return the model and the units of an example, as the command line asks for them.

    Parameters
    ----------
    name
        The small model to take, one of `mediation.demo.TRAINED`, unless the command line names another or a checkpoint.
    n
        Number of units, unless the command line says otherwise.
    argv
        Arguments: ``--checkpoint PATH --spec NAME --data FILE`` for a real checkpoint and a benchmark file;
        ``--model``, ``--models``, ``--n``, ``--seed``, ``--out``, ``--layout``, ``--device``, ``--dtype``. None for
        those of the process.
    task
        The synthetic task, ``"needle"`` or ``"planning"``.

    Raises
    ------
    DesignError
        If the arguments do not go together.
    BackendError
        If the weights are not found.
    """
    return each_worked(name, n=n, argv=argv, task=task)[0]


def each_worked(*names: str, n: int = 100, argv: Sequence[str] | None = None, task: str = "needle") -> list[Worked]:
    """Return several small models on the same units; only one where the command line names a model or a checkpoint.

    Parameters and errors are those of `worked`.
    """
    asked = _parser(names, n).parse_args(argv)
    one_of(task, ("needle", "planning"), what="task")
    frame = _frame(asked, task)
    if asked.checkpoint is not None:
        return [_case(asked, frame, Path(asked.checkpoint).name, _checkpoint(asked))]
    if asked.spec != "none":
        raise DesignError("--spec goes with --checkpoint; the small models know how they think.")
    chosen = names if asked.model is None else (asked.model,)
    return [_case(asked, frame, name, find_trained(name, asked.models)) for name in chosen]


def _case(asked: argparse.Namespace, frame: pd.DataFrame, name: str, model: Model) -> Worked:
    protocol = datasets.PROTOCOLS.get(asked.spec) if asked.checkpoint is not None else None
    questions = [protocol.asked(one) if protocol is not None else one for one in frame["question"]]
    images = [datasets.opened(some) for some in frame["images"]]
    # The counterfactual of a benchmark's unit is another unit's image under its own question.
    others = (
        [datasets.opened(some) for some in frame["other_images"]]
        if "other_images" in frame
        else [*images[1:], images[0]]
    )
    options: dict[str, Any] = {"system": protocol.system} if protocol is not None else {}
    own, other = (prompts(model, questions, some, **options) for some in (images, others))
    columns: dict[str, Any] = {**_answers(frame), **{name: list(frame[name]) for name in _KEPT if name in frame}}
    most = (protocol.max_new_tokens if protocol is not None else None) or (512 if asked.checkpoint is not None else 48)
    return Worked(
        name=name,
        model=model,
        frame=frame,
        own=own,
        pairs=Pairs(base=other, source=own, frame=pd.DataFrame(columns), cluster=list(frame["group"])),
        outcome=LogitDiff("first answer", "first foil") if "first foil" in columns else LogProb("first answer"),
        max_new_tokens=most,
        out=asked.out,
        seed=asked.seed,
        small=asked.checkpoint is None,
    )


def _parser(names: Sequence[str], n: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help=f"a small model of the repository (default: {', '.join(names)})")
    parser.add_argument("--models", help="folder of the small models (default: examples/models)")
    parser.add_argument("--checkpoint", help="a real checkpoint instead: hub id or path")
    parser.add_argument("--spec", default="none", choices=list(SPECS), help="how the checkpoint thinks")
    parser.add_argument("--data", help="a benchmark file instead of the synthetic task")
    parser.add_argument("--layout", help="its layout, if the columns do not tell")
    parser.add_argument("--n", type=int, default=n, help=f"units (default: {n})")
    parser.add_argument("--seed", type=int, default=0, help="of units, draws and resamples (default: 0)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for figures and tables (default: here)")
    parser.add_argument("--device", help="such as cuda")
    parser.add_argument("--dtype", help="such as bfloat16")
    return parser


def _checkpoint(asked: argparse.Namespace) -> Model:
    import torch

    options: dict[str, Any] = {"device": asked.device} if asked.device else {}
    if asked.dtype:
        options["dtype"] = getattr(torch, asked.dtype)
    return load(asked.checkpoint, spec=SPECS[asked.spec], **options)


def _frame(asked: argparse.Namespace, task: str) -> pd.DataFrame:
    if asked.data is not None:
        return datasets.read(asked.data, asked.layout, limit=asked.n)
    if asked.checkpoint is not None:
        raise DesignError("--checkpoint goes with --data FILE: the synthetic tasks are for the small models.")
    seed = asked.seed + _TEST
    return datasets.planning(asked.n, rng=seed) if task == "planning" else datasets.needle(asked.n, rng=seed)


def _answers(frame: pd.DataFrame) -> dict[str, list[str]]:
    if frame["answer"].isna().any():
        raise DataError("Some units have no answer to compare with; effects on an answer need one.")
    columns = {"answer": list(frame["answer"])}
    columns["first answer"] = [f" {answer.split()[0]}" for answer in frame["answer"]]
    if "other_answer" in frame:
        columns["first foil"] = [f" {answer.split()[0]}" for answer in frame["other_answer"]]
    return columns
