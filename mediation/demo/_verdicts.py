"""The verdict table of the worked examples: one model on one task a row, and what is said of it in plain words."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from ..errors import DegenerateWarning, WeakTotalEffectWarning
from ..interventions import Skip
from ..probing import States, probe, similarity
from ..results import Effects
from ._arms import accuracy_of
from ._worked import Worked, quiet

_KEYS = ("te", "pnde", "tnie", "pm")
_SPLITS = 5

ZERO, WHOLLY, MEDIATED, OPPOSED = "exactly zero", "wholly mediated", "mediated", "opposed"

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "equivalent": "negligible",
        "both: real but negligible": "real but negligible",
        "different": MEDIATED,
        "undecided": "undecided",
        "no interval": "no interval",
    }
)


def verdict_of(effects: Effects, margin: float = 0.1) -> str:
    """Return in plain words what is known of the indirect effect TNIE beside the total effect.

    =================== ==========================================================================================
    exactly zero        it is 0 in every unit: the answer does not look at the thought
    wholly mediated     the direct effect PNDE is 0 in every unit, and the total effect is not
    mediated            its interval leaves out 0, and it may be larger than the margin
    opposed             the same, with the sign against that of the total effect
    real but negligible its interval leaves out 0, and it is within the margin
    negligible          it is within the margin, by an equivalence test at level 2.5%
    undecided           neither: more units are needed
    no interval         no test could be made
    =================== ==========================================================================================

    Parameters
    ----------
    effects
        With the estimands te and tnie, and units ``y00, y10, y11``.
    margin
        Largest share of the total effect that is negligible.

    Returns
    -------
    str

    Raises
    ------
    DesignError
        If an estimand is not there, or the margin is not positive.

    Examples
    --------
    >>> from mediation import effects
    >>> units = pd.DataFrame({"y00": [0.0] * 5, "y10": [0.0] * 5, "y11": [1.0, 1.3, 1.1, 1.2, 0.9]})
    >>> verdict_of(effects(units, estimands=["te", "tnie"], rng=0))
    'wholly mediated'
    """
    units = effects.units
    if (units["y11"] == units["y10"]).all():
        return ZERO
    if (units["y10"] == units["y00"]).all():
        return WHOLLY
    with warnings.catch_warnings():
        for category in (DegenerateWarning, WeakTotalEffectWarning):
            warnings.simplefilter("ignore", category)  # the words say so
        found = effects.equivalence(margin, estimands=["tnie"], relative_to="te").tidy().iloc[0]
    said = _WORDS[found["verdict"]]
    total = (units["y11"] - units["y00"]).mean()
    return OPPOSED if said == MEDIATED and found["estimate"] * total < 0 else said


def verdict_row(case: Worked, margin: float = 0.1) -> dict[str, Any]:
    """Return the row of a model in the verdict table.

    Parameters
    ----------
    case
        Model and units.
    margin
        As in `verdict_of`.

    Returns
    -------
    dict
        ``model, task, n``; ``accuracy`` of whole answers with Wilson's interval; ``te``, in units of the outcome, and
        ``share`` = TNIE / TE with their intervals; ``verdict``; ``probe``, how often a linear probe reads the first
        word of the right answer from the mean state of the thought, out of sample; ``cosine`` and ``centred cosine`` of
        the thoughts of two units at the same step, mean over steps. Ends of 95% intervals are in columns ``... low``
        and ``... high``, NaN where there is none.

    Raises
    ------
    DesignError, OutcomeError
        As `mediation.mediate`.
    """
    # The run as it is stands beside any arm.
    right = accuracy_of(case.ablate({"skipped": Skip().at(case.thought)}, case.correct).units["y"])
    effects = case.mediate(_KEYS)
    table = effects.tidy().set_index("estimand")
    return {
        "model": case.name,
        "task": case.frame["layout"].iloc[0],
        "n": int(table["n"]["te"]),
        **{"accuracy": right["accuracy"], "accuracy low": right["low"], "accuracy high": right["high"]},
        **_ends("te", table.loc["te"]),
        **_ends("share", table.loc["pm"]),
        "verdict": verdict_of(effects, margin),
        **_probed(case.states(mean=True), [str(one).split()[0] for one in case.frame["answer"]], case.seed),
        **_alike(case.states(), case.seed),
    }


def _ends(name: str, row: Any) -> dict[str, float]:
    return {name: row["estimate"], f"{name} low": row["conf_low"], f"{name} high": row["conf_high"]}


def _probed(states: States, labels: list[str], seed: int) -> dict[str, float]:
    """Return the accuracy of a linear probe; NaN where a label has one unit, which cannot be read out of sample."""
    rarest = int(pd.Series(labels).value_counts().min())
    if rarest < 2:
        return dict.fromkeys(("probe", "probe low", "probe high"), float("nan"))
    with quiet():
        found = probe(states, labels, n_splits=min(_SPLITS, rarest), n_controls=1, rng=seed)
    return {"probe": found.accuracy, "probe low": found.conf_low, "probe high": found.conf_high}


def _alike(states: States, seed: int) -> dict[str, float]:
    """Return cosines, means over steps; of a single step there is no centred one."""
    measures = {"inter cosine": "cosine", "inter centred cosine": "centred cosine"}
    with quiet():
        found = similarity(states, measures=list(measures), rng=seed).tidy().groupby("measure")["estimate"].mean()
    return {name: float(found.get(measure, float("nan"))) for measure, name in measures.items()}
