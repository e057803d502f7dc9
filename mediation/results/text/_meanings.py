"""What each estimand is called, and what it means in the language of activation patching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Meaning:
    """How an estimand is spoken of in tables and figures.

    Parameters
    ----------
    key
        Key in the `estimand` column.
    symbol
        Short name for axes and tables, such as 'PNIE'.
    label
        Name in words.
    formula
        Contrast of potential outcomes, with ``y_xm`` = Y(x, M(m)).
    patching
        What is compared, in patching language.
    is_ratio
        True if it is a share, not an amount of the outcome.
    """

    key: str
    symbol: str
    label: str
    formula: str
    patching: str
    is_ratio: bool = False


_ALL = (
    Meaning("te", "TE", "total effect", "y11 - y00", "source run minus base run"),
    Meaning(
        "pnde", "PNDE", "pure direct effect", "y10 - y00", "source run with the mediator held at base, minus base run"
    ),
    Meaning(
        "tnde", "TNDE", "total direct effect", "y11 - y01", "source run minus base run with the mediator held at source"
    ),
    Meaning(
        "pnie", "PNIE", "pure indirect effect", "y01 - y00", "source activation patched into the base run (denoising)"
    ),
    Meaning(
        "tnie",
        "TNIE",
        "total indirect effect",
        "y11 - y10",
        "base activation patched into the source run (noising, sign reversed)",
    ),
    Meaning(
        "int_med", "INTmed", "mediated interaction", "y11 - y10 - y01 + y00", "noising effect minus denoising effect"
    ),
    Meaning(
        "cde", "CDE", "controlled direct effect", "y1m - y0m", "source run minus base run, both with the site ablated"
    ),
    Meaning(
        "int_ref", "INTref", "reference interaction", "PNDE - CDE", "direct effect that needs the site to be intact"
    ),
    Meaning(
        "pe", "PE", "portion eliminated", "TE - CDE", "ablation effect in the source run minus that in the base run"
    ),
    Meaning("pm", "PM", "proportion mediated", "TNIE / TE", "share of the total effect that noising removes", True),
    Meaning(
        "pm_pure",
        "PMpure",
        "proportion mediated",
        "PNIE / TE",
        "share of the total effect that denoising restores",
        True,
    ),
    Meaning(
        "pm_average", "PMavg", "proportion mediated", "(TNIE + PNIE) / 2 TE", "average of the other two shares", True
    ),
    Meaning("ablation", "AE", "ablation effect", "y - ym", "run as it is minus run with the site ablated"),
    Meaning(
        "ablation_share",
        "AE/TE",
        "ablation effect as a share",
        "(y - ym) / TE",
        "share of the total effect that the ablation takes away",
        True,
    ),
    Meaning(
        "ide",
        "IDE",
        "interventional direct effect",
        "g10 - g00",
        "source run minus base run, both with the mediator of a random base unit",
    ),
    Meaning(
        "iie",
        "IIE",
        "interventional indirect effect",
        "g11 - g10",
        "source run with the mediator of a random source unit minus that of a random base unit",
    ),
    Meaning("oe", "OE", "overall effect", "g11 - g00", "sum of the two interventional effects; not the total effect"),
    Meaning("joint", "joint", "joint effect", "v(N)", "all sites patched together"),
    Meaning(
        "non_additivity",
        "non-additivity",
        "joint effect minus the sum of alone effects",
        "v(N) - sum of v(i)",
        "all sites patched together, minus the sum of what each does alone",
    ),
    Meaning("alone", "alone", "effect of the site alone", "v(i)", "the site patched alone (add-one-in)"),
    Meaning(
        "shapley",
        "Shapley",
        "share of the joint effect",
        "mean over orders of v(S+i) - v(S)",
        "what the site adds to those patched before it, averaged over orders",
    ),
    Meaning(
        "leave_one_out",
        "leave-one-out",
        "effect of the site given all others",
        "v(N) - v(N-i)",
        "all sites patched, minus all but this one",
    ),
    Meaning(
        "pair_interaction",
        "pair",
        "interaction of two sites",
        "v(ij) - v(i) - v(j)",
        "both sites patched, minus what each does alone",
    ),
    Meaning(
        "shapley_interaction",
        "pair in context",
        "interaction of two sites given others",
        "mean over S of v(S+ij) - v(S+i) - v(S+j) + v(S)",
        "interaction of the two sites with others patched as well, averaged over which",
    ),
)

MEANINGS: Mapping[str, Meaning] = MappingProxyType({meaning.key: meaning for meaning in _ALL})


def meaning_of(estimand: str) -> Meaning:
    """Return the meaning of the key `estimand`; a key of the user's own stands for itself.

    Examples
    --------
    >>> meaning_of("pnie").symbol
    'PNIE'
    >>> meaning_of("my_contrast").label
    'my_contrast'
    """
    known = MEANINGS.get(estimand)
    return known if known is not None else Meaning(estimand, estimand, estimand, "", "")
