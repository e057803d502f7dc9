"""What the worked examples have in common: a model that thinks, units to ask it about, and options."""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import datasets
from ..analysis import ablate, mediate
from ..errors import DataError, DegenerateWarning, FlaggedUnitsWarning
from ..interventions import Assignment
from ..models import Model
from ..outcomes import AbstractOutcome, AnswerCorrect, AnswerFlipped, Cued, LogitDiff, LogProb, judge
from ..probing import States, capture
from ..results import Effects
from ..sites import InputSite, ThoughtSite, image, imagination, latents
from ..specs import LatentSpec, TextSpec
from ..units import Pairs, Prompt, prompts
from ._arguments import arguments, checkpoint_asked_for, units_asked_for
from ._trained import find_trained

# What the latents of the small models were trained to be: features of the region, or of the helper image.
_TARGETS = {"lvr": "region", "mirage": "helper", "necessary-latent": "helper", "ignored-latent": "helper"}
_STEPS = 4
_KEPT = ("options", "box", "map", "category", "layout")
_HALF = 0.5
_AT_ONCE = 16  # units whose image tokens are held together: a large image has thousands of them


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
        its log-probability. It is read after ``--cue``, or after the end token where the model says that itself (LVR).
        Where there are only maps (VSP) and no one right answer: whether the way arrives.
    max_new_tokens
        Positions that a rollout may add.
    out
        Folder for figures and tables.
    seed
        Of draws and resamples.
    small
        Whether it is one of the small models.
    derived
        Other questions about the units' images, in the rows of `frame`: ``question, options, answer``. For the small
        models, what is under the object whose colour is asked for; for a checkpoint, the file after ``--derived``.
    protocol
        How the questions are put.
    left_out
        Units that `mediate` and `ablate` left out so far, by their number, and why.
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
    derived: pd.DataFrame | None = None
    protocol: datasets.Protocol = field(default_factory=datasets.Protocol)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def thought(self) -> ThoughtSite:
        """The site of the thought: latents or imagined text."""
        return imagination() if isinstance(self.model.spec, TextSpec) else latents()

    @property
    def correct(self) -> AbstractOutcome:
        """1 if the whole answer is right: by the options, or by walking over the map."""
        return _correct(self.frame)

    @property
    def flipped(self) -> AbstractOutcome:
        """1 if the whole answer is another one than without an intervention."""
        return AnswerFlipped(options=_options(self.frame))

    @property
    def foot(self) -> str:
        """What to say below a table about units that were left out; empty if there are none."""
        if not self.left_out:
            return ""
        why = "; ".join(f"{reason}: {count}" for reason, count in Counter(self.left_out.values()).items())
        return (
            f"{self.name}: {len(self.left_out)} of {len(self.frame)} units are left out where whole answers or effects "
            f"are compared, because their thoughts cannot be ({why})."
        )

    def prompts(self, questions: Sequence[str], images: Any = None, *, answer: str | None = None) -> list[Prompt]:
        """Return prompts put as those of the units are; `answer` is what the answer begins with, if not as there."""
        prefix = self.protocol.answer_prefix if answer is None else answer
        asked = [self.protocol.asked(one) for one in questions]
        return prompts(self.model, asked, images, system=self.protocol.system, answer=prefix or "")

    def mediate(self, estimands: Sequence[str], **options: Any) -> Effects:
        """Return effects of the image on the answer through the thought; options are those of `mediation.mediate`.

        Units that are left out, and rows without an interval, bring no warning: see `foot`, and NaN in the table.
        """
        with quiet():
            asked = {"estimands": list(estimands), **self._options, **options}
            return self._noted(mediate(self.model, self.pairs, self.thought, self.outcome, **asked))

    def ablate(
        self, arms: Mapping[str, Assignment], outcome: AbstractOutcome, pairs: Pairs | None = None, **options: Any
    ) -> Effects:
        """Return what the arms do to the answers about the units' own images, or to those of other pairs.

        Warnings as for `mediate`.
        """
        asked = self._options | ({"run": "source"} if pairs is None else {}) | options
        with quiet():
            return self._noted(ablate(self.model, pairs or self.pairs, dict(arms), outcome, **asked))

    @property
    def _options(self) -> dict[str, Any]:
        return {"max_new_tokens": self.max_new_tokens, "rng": self.seed, "progress": False}

    def _noted(self, effects: Effects) -> Effects:
        self.left_out.update(effects.provenance["rollout"]["units_left_out"])
        return effects

    def states(self, site: Any = None, *, layer: Any = None, steps: int | None = None, mean: bool = False) -> States:
        """Return states of the plain runs on the units' own images.

        Parameters
        ----------
        site
            As `mediation.probing.capture` takes it; the thought if it is left out, and then only steps that half of the
            units have: of the others there is too little to say.
        layer
            As there.
        steps
            The first so many; all if None.
        mean
            Their mean over steps instead.
        """
        where = self.thought if site is None else site
        some = range(len(self.own))
        size = _AT_ONCE if isinstance(where, InputSite) else len(some)
        found = []
        for start in range(0, len(some), size):
            part = self.pairs.subset(some[start : start + size])
            whole = capture(self.model, part, where, "source", layer=layer, max_new_tokens=self.max_new_tokens)
            short = whole if steps is None else whole.take(steps=range(min(steps, whole.shape[1])))
            found.append(short.mean() if mean else short)
        every = _together(found)
        if site is not None or mean:
            return every
        return every.take(steps=range(max(1, int((every.has.mean(axis=0) >= _HALF).sum()))))

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
            pooled: NDArray[np.float64] = found.reshape(units, _STEPS, tokens // _STEPS, features).mean(axis=2)
            return pooled
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
        Arguments: ``--checkpoint PATH --spec NAME --data FILE`` for a real checkpoint and a benchmark file, with
        ``--layout``, ``--derived``, ``--answer-prefix``, ``--cue``, ``--max-new-tokens``, ``--device`` and ``--dtype``;
        ``--model`` and ``--models`` for the small ones; ``--n``, ``--seed``, ``--out``. None for those of the process.
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
    asked = arguments(names, n, argv)
    frame, derived = units_asked_for(asked, task)
    if asked.checkpoint is not None:
        return [_case(asked, frame, Path(asked.checkpoint).name, checkpoint_asked_for(asked), derived)]
    chosen = names if asked.model is None else (asked.model,)
    return [_case(asked, frame, name, find_trained(name, asked.models), derived) for name in chosen]


def _case(
    asked: argparse.Namespace, frame: pd.DataFrame, name: str, model: Model, derived: pd.DataFrame | None
) -> Worked:
    real = asked.checkpoint is not None
    protocol = datasets.PROTOCOLS.get(asked.spec, datasets.Protocol()) if real else datasets.Protocol()
    questions = [protocol.asked(one) for one in frame["question"]]
    images = [datasets.opened(some) for some in frame["images"]]
    # The counterfactual of a benchmark's unit is another unit's image under its own question.
    others = (
        [datasets.opened(some) for some in frame["other_images"]]
        if "other_images" in frame
        else [*images[1:], images[0]]
    )
    if asked.answer_prefix is not None:
        protocol = replace(protocol, answer_prefix=asked.answer_prefix)
    own, other = (
        prompts(model, questions, some, system=protocol.system, answer=protocol.answer_prefix or "")
        for some in (images, others)
    )
    columns: dict[str, Any] = {**_answers(frame), **{name: list(frame[name]) for name in _KEPT if name in frame}}
    return Worked(
        name=name,
        model=model,
        frame=frame,
        own=own,
        pairs=Pairs(base=other, source=own, frame=pd.DataFrame(columns), cluster=list(frame["group"])),
        outcome=_first_token(frame, columns, asked.cue or _said_first(model)),
        max_new_tokens=asked.max_new_tokens or ((protocol.max_new_tokens or 512) if real else 48),
        out=asked.out,
        seed=asked.seed,
        small=not real,
        derived=derived,
        protocol=protocol,
    )


def _answers(frame: pd.DataFrame) -> dict[str, list[str]]:
    if frame["answer"].isna().any():
        if "map" in frame:
            return {}
        raise DataError("Some units have no answer to compare with; effects on an answer need one.")
    columns = {"answer": list(frame["answer"])}
    columns["first answer"] = [f" {answer.split()[0]}" for answer in frame["answer"]]
    if "other_answer" in frame:
        columns["first foil"] = [f" {answer.split()[0]}" for answer in frame["other_answer"]]
    return columns


def _first_token(frame: pd.DataFrame, columns: Mapping[str, Any], cue: str | None) -> AbstractOutcome:
    """Return the outcome of the answer's first token; of the whole way where only a map is known."""
    if "first answer" not in columns:
        return _correct(frame)
    found = LogitDiff("first answer", "first foil") if "first foil" in columns else LogProb("first answer")
    return found if cue is None else Cued(found, cue)


def _said_first(model: Model) -> str | None:
    """Return what the model itself says between its thought and the answer: the end token where none is forced."""
    spec = model.spec
    return spec.end if isinstance(spec, LatentSpec) and not spec.force_end else None


def _correct(frame: pd.DataFrame) -> AbstractOutcome:
    if "map" not in frame:
        return AnswerCorrect("answer", options=_options(frame))

    @judge
    def arrives(told: Any, unit: Any) -> float:
        found = datasets.extract(told.answer, layout=unit["layout"])
        return float(found is not None and datasets.simulate(unit["map"], found))

    return arrives


def _options(frame: pd.DataFrame) -> str | None:
    return "options" if frame["options"].notna().all() else None


def _together(parts: Sequence[States]) -> States:
    """Return the states of all units, from those of some after others."""
    if len(parts) == 1:
        return parts[0]
    steps = max(part.shape[1] for part in parts)
    wide = [np.pad(part.values, [(0, 0), (0, steps - part.shape[1]), (0, 0)]) for part in parts]
    return States(np.concatenate(wide), np.concatenate([part.lengths for part in parts]), parts[0].name)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep two warnings back that the tables of the examples tell of themselves."""
    with warnings.catch_warnings():
        for category in (FlaggedUnitsWarning, DegenerateWarning):
            warnings.simplefilter("ignore", category)
        yield
