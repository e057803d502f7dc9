"""The settings of the inference that a result's provenance tells of, to redo it in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import DesignError
from ...estimate import PRECISIONS, Precision
from ...inference import Inference
from ._provenance import section


def settings_of(provenance: Mapping[str, Any]) -> Inference:
    """Return the settings in `provenance`; the defaults where it does not say.

    Examples
    --------
    >>> settings_of({"inference": {"confidence_level": 0.9}, "seed": 3}).confidence_level
    0.9
    """
    known = section(provenance, "inference")
    given = {name: known[name] for name in ("method", "confidence_level", "n_resamples", "seed") if name in known}
    seed = provenance.get("seed")
    if "seed" not in given and isinstance(seed, int) and seed >= 0:
        given["seed"] = seed
    return Inference(**given)


def precision_of(provenance: Mapping[str, Any]) -> Precision:
    """Return in which precision the outcomes of a result were computed.

    Without a word of it in `provenance["inference"]`, a model of float64 computes in float64 and any other in float32;
    outcomes that came without a model are those of a user's frame, in float64.

    Examples
    --------
    >>> precision_of({"model": {"dtype": "bfloat16"}}), precision_of({"model": {"dtype": "float64"}}), precision_of({})
    ('float32', 'float64', 'float64')
    """
    stated = section(provenance, "inference").get("precision")
    for precision in PRECISIONS:
        if stated == precision:
            return precision
    model = section(provenance, "model")
    return "float32" if model and model.get("dtype") != "float64" else "float64"


def need_own_draws(provenance: Mapping[str, Any], what: str) -> None:
    """Raise DesignError if all units share their draws, so that units are not independent."""
    if section(provenance, "inference").get("draws") == "shared":
        raise DesignError(
            f"{what} takes units as independent, and here all units share their random draws (draws='shared'). Give "
            "each unit draws of its own, as med.mediate and med.ablate do; the intervals of this result hold as they "
            "are."
        )
