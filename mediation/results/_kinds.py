"""The kinds of result: which columns each kind of table has, their dtypes, and which of them name a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, final

Kind = Literal[
    "effects",
    "sweep",
    "ablation",
    "comparison",
    "controls",
    "specification",
    "equivalence",
    "interactions",
    "hierarchy",
    "subgroups",
    "models",
]
Dtype = Literal["str", "float64", "int64", "Int64"]

KINDS: tuple[Kind, ...] = (
    "effects", "sweep", "ablation",
    "comparison", "controls", "specification", "equivalence", "interactions", "hierarchy", "subgroups", "models",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, its dtype and what it holds.

    Parameters
    ----------
    name
        Name in the frame.
    dtype
        Name of the pandas dtype; ``Int64`` is the integer that may be missing.
    meaning
        One sentence.
    """

    name: str
    dtype: Dtype
    meaning: str


COMMON = (
    Column("estimand", "str", "Key of the estimand, such as 'pnie'."),
    Column("site", "str", "The mediator, or the ablated site; empty when the frame was brought by the user."),
    Column("estimate", "float64", "Full-sample value of the estimand, in units of the outcome ('pm': a ratio)."),
    Column("std_error", "float64", "Standard error, over units or clusters; NaN when it cannot be formed."),
    Column("conf_low", "float64", "Lower end of the pointwise interval; NaN when there is none."),
    Column("conf_high", "float64", "Upper end of the pointwise interval; NaN when there is none."),
    Column("p_value", "float64", "Two-sided p-value against no effect."),
    Column("method", "str", "How the interval was made, such as 'bootstrap-t' or 'fieller'."),
    Column("n", "int64", "Number of units."),
    Column("n_clusters", "int64", "Number of clusters; equal to n when units are independent."),
)
SWEEP = (
    Column("layer", "Int64", "Layer of the site; missing when the site belongs to none."),
    Column("position", "str", "Key of the position of the site; its label is in provenance['position_labels']."),
    Column("head", "Int64", "Attention head of the site; missing when all heads, or none, are the mediator."),
    Column("feature", "Int64", "Feature (neuron, channel) of the site; missing when it is not a single one."),
    Column("band_low", "float64", "Lower end of the simultaneous band over all sites of the estimand."),
    Column("band_high", "float64", "Upper end of the simultaneous band over all sites of the estimand."),
    Column("p_adjusted", "float64", "p-value adjusted for the number of sites."),
)
ARMS = (
    Column("arm", "str", "Name of the ablation; empty when the frame was brought by the user."),
    Column("dose", "float64", "Strength of the ablation, such as the noise scale; NaN when there is none."),
    Column("n_draws", "int64", "Random draws averaged within each unit; 1 when deterministic."),
)
_P_ADJUSTED = SWEEP[-1]
_N_DRAWS = ARMS[-1]
COMPARISON = (
    Column("first", "float64", "Estimate of the first result; `estimate` is first minus second."),
    Column("second", "float64", "Estimate of the second result."),
    Column("first_low", "float64", "Lower end of the interval of the first result; NaN if it has none at this level."),
    Column("first_high", "float64", "Upper end of that interval."),
    Column("second_low", "float64", "Lower end of the interval of the second result; NaN if it has none."),
    Column("second_high", "float64", "Upper end of that interval."),
    *SWEEP,
    *ARMS[:2],
)
CONTROLS = (
    Column("control", "str", "Name of the null control; 'none': the effect itself, 'beyond X': the effect minus X."),
    _N_DRAWS,
)
SPECIFICATION = (
    Column("metric", "str", "Name of the outcome."),
    Column("corruption", "str", "Name of the pairs, which differ in how the base was made."),
    *ARMS,
)
EQUIVALENCE = (
    *SWEEP[:4],
    *ARMS[:2],
    Column(
        "margin", "float64", "Margin m of the question whether the effect lies in (-m, m), in units of the estimate."
    ),
    Column("equivalence_low", "float64", "Lower end of the interval at level 1 - 2 alpha that the two tests invert."),
    Column("equivalence_high", "float64", "Upper end of that interval."),
    Column("p_equivalence", "float64", "Larger p-value of the two one-sided tests against the margin."),
    Column("verdict", "str", "equivalent, different, both: real but negligible, undecided, or no interval."),
)
INTERACTIONS = (
    Column("partner", "str", "The second site of a pair; empty otherwise."),
    Column("n_draws", "int64", "Orders of the sites that were sampled; 1 when the value is exact."),
    _P_ADJUSTED,
)
HIERARCHY = (
    *SWEEP[:4],
    Column("level", "str", "'layer' or 'site'."),
    _P_ADJUSTED,
    Column("rejected", "str", "'yes', 'no', or 'not tested': below a layer that was not rejected, or no interval."),
)
SUBGROUPS = (
    Column("subgroup", "str", "Value of the column by which units are grouped."),
    *SWEEP[:4],
    Column("band_low", "float64", "Lower end of the band over all subgroups (and sites) of the estimand."),
    Column("band_high", "float64", "Upper end of that band."),
    Column("p_adjusted", "float64", "p-value adjusted for the number of subgroups (and sites)."),
    *ARMS[:2],
    Column(
        "p_moderation",
        "float64",
        "p-value of 'the effect is the same in all subgroups', the same in each of them; Holm's over sites.",
    ),
)
MODELS = (
    Column("part", "str", "'model': one result; 'contrast': one minus another; 'mean': over the results."),
    Column("result", "str", "Label of the result, 'a - b' of a contrast, or whose mean it is."),
    Column("band_low", "float64", "Lower end of the band over all contrasts (and sites) of the estimand."),
    Column("band_high", "float64", "Upper end of that band."),
    Column("p_adjusted", "float64", "p-value adjusted for the number of contrasts (and sites)."),
    *ARMS[:2],
    Column("tau", "float64", "Standard deviation of the effect between models; NaN but for means."),
    Column("p_heterogeneity", "float64", "p-value of 'all models have the same effect'; NaN but for means."),
)
UNITS = (  # besides `unit` and `cluster`, which are as the user gave them
    Column("site", "str", "The mediator, or the ablated site; empty when there is none."),
    Column("weight", "float64", "Weight of the unit."),
    Column("draw", "int64", "Number of the draw within the unit; 0 when deterministic."),
)
_BY_KIND: Mapping[Kind, tuple[tuple[Column, ...], tuple[str, ...], str]] = MappingProxyType(
    {  # columns of the kind alone, what names a row, and a column that no other kind has
        "effects": ((), ("estimand",), ""),
        "comparison": (COMPARISON, ("estimand", "site", "arm", "dose"), "second"),
        "controls": (CONTROLS, ("estimand", "site", "control"), "control"),
        "specification": (SPECIFICATION, ("estimand", "site", "metric", "corruption", "arm", "dose"), "metric"),
        "equivalence": (EQUIVALENCE, ("estimand", "site", "arm", "dose"), "verdict"),
        "interactions": (INTERACTIONS, ("estimand", "site", "partner"), "partner"),
        "hierarchy": (HIERARCHY, ("estimand", "site", "level"), "level"),
        "subgroups": (SUBGROUPS, ("estimand", "site", "arm", "dose", "subgroup"), "subgroup"),
        "models": (MODELS, ("estimand", "site", "arm", "dose", "part", "result"), "tau"),
        "ablation": (ARMS, ("site", "arm", "dose"), ""),
        "sweep": (SWEEP, ("estimand", "site"), ""),
    }
)


_JOINT: tuple[Kind, ...] = ("controls", "specification")
_ADDED: Mapping[Kind, tuple[Column, ...]] = MappingProxyType(
    {
        "ablation": (_P_ADJUSTED,),
        **{
            kind: (
                Column("band_low", "float64", "Lower end of the max-t band over the rows adjusted together."),
                Column("band_high", "float64", "Upper end of that band."),
                Column("p_adjusted", "float64", "p-value adjusted for the rows adjusted together."),
            )
            for kind in _JOINT
        },
    }
)


def added_to(kind: Kind) -> tuple[Column, ...]:
    """Return the columns that a table of `kind` has only after `Effects.adjust`."""
    return _ADDED.get(kind, ())


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of a table of `kind`, in order."""
    return COMMON + _BY_KIND[kind][0]


def key_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns that name a row of a table of `kind`."""
    return _BY_KIND[kind][1]


def kind_from(names: set[str]) -> Kind:
    """Return the kind that a table with the columns `names` belongs to.

    Examples
    --------
    >>> kind_from({"estimand", "arm", "dose"}), kind_from({"estimand", "control"})
    ('ablation', 'controls')
    """
    for kind, (_, _, mark) in _BY_KIND.items():
        if mark and mark in names:
            return kind
    if names & {column.name for column in ARMS}:
        return "ablation"
    return "sweep" if names & {column.name for column in SWEEP} else "effects"
