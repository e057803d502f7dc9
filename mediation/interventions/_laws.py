"""The laws of an intervention, as a test for one of your own."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from .._checks import instance, shown
from ..errors import DesignError
from ._abstract import AbstractIntervention, an_intervention
from ._needs import Given, Moment, Need, Noise, applied, checked_needs

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 5e-2}


def stand_in(intervention: AbstractIntervention, hidden: Tensor, *, seed: int = 0) -> dict[Need, Tensor]:
    """Return made-up tensors for everything that `intervention` needs, to try it without a model.

    Parameters
    ----------
    intervention
        Any intervention.
    hidden
        Activation, (rows, ...).
    seed
        Seed of the draws.

    Returns
    -------
    dict
        Standard normal draws for noise and donors, the mean over the rows, a standard deviation of 1.5.

    Examples
    --------
    >>> from mediation.interventions import Mean
    >>> stand_in(Mean(), torch.tensor([[1.0], [3.0]]))
    {Moment(kind='mean', over='units', run='same'): tensor([[2.]])}
    """
    generator = torch.Generator().manual_seed(seed)
    given: dict[Need, Tensor] = {}
    for need in sorted(checked_needs(intervention), key=repr):
        if isinstance(need, Moment):
            given[need] = (
                hidden.mean(0, keepdim=True) if need.kind == "mean" else torch.tensor(1.5, device=hidden.device)
            )
        else:
            draws = torch.randn(hidden.shape, generator=generator).to(hidden.device)
            given[need] = draws if isinstance(need, Noise) else draws.to(hidden.dtype)
    return given


def check_laws(intervention: AbstractIntervention, hidden: Tensor, given: Given | None = None) -> None:
    """Check that an intervention keeps the laws that every run relies on.

    In order: equal to a copy of itself, with the same hash and repr; shape, dtype and device kept; arguments not
    changed; the same bits when called again; no number drawn from torch's global generator; every row as it would be
    alone.

    Parameters
    ----------
    intervention
        The intervention.
    hidden
        An activation like those it will meet, with at least two rows that differ.
    given
        What it needs; made up by `stand_in` if left out.

    Raises
    ------
    DesignError
        If a law is broken: which one, and how.

    Examples
    --------
    >>> from mediation.interventions import intervention
    >>> @intervention
    ... def centre(hidden):
    ...     return hidden - hidden.mean(0)
    >>> check_laws(centre(), torch.tensor([[1.0], [3.0]]))
    Traceback (most recent call last):
        ...
    mediation.errors.DesignError: centre() looks at other rows: row 0 alone ... changed by 1...
    """
    one = an_intervention(intervention, what="check_laws")
    instance(hidden, Tensor, what="check_laws: hidden", needed="an activation, which is a tensor,", error=DesignError)
    if not hidden.ndim or hidden.shape[0] < 2:
        raise DesignError(
            f"check_laws: an activation of at least two rows is needed, found shape {tuple(hidden.shape)}."
        )
    supply = dict(
        stand_in(one, hidden)
        if given is None
        else instance(
            given, Mapping, what="check_laws: given", needed="a mapping from needs to tensors", error=DesignError
        )
    )
    wrong = [need for need, item in supply.items() if not isinstance(item, Tensor)]
    if wrong:
        raise DesignError(f"check_laws: given holds no tensor for {shown(wrong[0])}; a tensor is needed for each need.")
    _check_value(one)
    result = _check_pure(one, hidden, supply)
    _check_rows(one, hidden, supply, result)


def _check_value(one: AbstractIntervention) -> None:
    twin = copy.deepcopy(one)
    if one != twin or hash(one) != hash(twin):
        raise DesignError(f"{one!r} does not equal a copy of itself; give it parameters that are compared by value.")
    if repr(one) != repr(twin) or " at 0x" in repr(one):
        raise DesignError(f"{one!r} prints an address; give it parameters that print as they are written.")


def _check_pure(one: AbstractIntervention, hidden: Tensor, given: dict[Need, Tensor]) -> Tensor:
    kept, kept_given, state = (
        hidden.clone(),
        {need: item.clone() for need, item in given.items()},
        torch.get_rng_state(),
    )
    result = applied(one, hidden, given).clone()
    if not _same(hidden, kept):
        raise DesignError(f"{one!r} changed its argument `hidden`. Work on a copy: hidden.clone().")
    changed = [need for need, item in given.items() if not _same(item, kept_given[need])]
    if changed:
        raise DesignError(f"{one!r} changed what it was given for {changed[0]!r}. Work on a copy.")
    for what in ("shape", "dtype", "device"):
        found, wanted = getattr(result, what), getattr(hidden, what)
        if found != wanted:
            raise DesignError(f"{one!r} returned {what} {found} for an activation of {what} {wanted}; it must stay.")
    if not torch.equal(state, torch.get_rng_state()):
        raise DesignError(f"{one!r} draws from torch's global generator. Take a keyword-only argument `noise` instead.")
    if not _same(one(hidden, given), result):
        raise DesignError(f"{one!r} gave another result when called again with the same arguments.")
    return result


def _check_rows(one: AbstractIntervention, hidden: Tensor, given: dict[Need, Tensor], whole: Tensor) -> None:
    tolerance = _TOLERANCE.get(hidden.dtype, 1e-5) * max(1.0, float(whole.double().abs().max()))
    for row in range(hidden.shape[0]):
        supply = {need: _row(item, hidden, row) for need, item in given.items()}
        alone = one(hidden[row : row + 1], supply)
        gap = float((alone.double() - whole[row : row + 1].double()).abs().max())
        if gap > tolerance:
            raise DesignError(
                f"{one!r} looks at other rows: row {row} alone gave a result that changed by {gap:.3g} beside "
                "the others. Rows are units; what depends on all of them comes in by keyword-only `mean` or `std`."
            )


def _row(item: Tensor, hidden: Tensor, row: int) -> Tensor:
    by_row = item.ndim == hidden.ndim and item.shape[0] == hidden.shape[0]
    return item[row : row + 1] if by_row else item


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))
