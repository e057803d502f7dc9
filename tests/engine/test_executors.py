"""An executor of one's own: what it is given, and what is said of one that answers wrongly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mediation as med
from mediation.engine import AbstractExecutor, Execution, HookBackend, make_study, progress_for, run_study
from mediation.errors import BackendError, DesignError
from mediation.testing import tiny_model
from tests.engine.studies import token_pairs

OUTCOME = med.LogitDiff(5, 6)


class Altered(AbstractExecutor):
    """Asks another executor, and alters what it says."""

    def __init__(self, inner, outcomes=lambda one, found: found, unchanged=lambda found: found):
        self.inner, self.alter, self.alter_unchanged = inner, outcomes, unchanged

    def outcomes(self, one):
        return self.alter(one, self.inner.outcomes(one))

    def unchanged(self, worlds, units):
        return self.alter_unchanged(self.inner.unchanged(worlds, units))


def ran(outcome=OUTCOME, through=lambda inner: inner):
    model = med.load(tiny_model("llama", layers=2))
    worlds = [med.World("base"), med.World("base", med.Interchange().at(med.residual(0, at="last")))]
    study = make_study(model, token_pairs((5, 5, 5)), worlds, outcome, seed=0)
    return run_study(study, Execution(backend=HookBackend()), progress_for(False), through=through)


def altered(**how):
    return ran(through=lambda inner: Altered(inner, **how))


def test_a_pass_says_how_many_rows_have_outcomes():
    def noted(one, found):
        assert len(found) == one.outcomes
        kinds.add((one.kind, one.check, one.outcomes > 0))
        return found

    kinds = set()
    plain = ran(med.KL())
    assert (ran(med.KL(), lambda inner: Altered(inner, noted)).values == plain.values).all()
    assert {("reference", "", False), ("plain", "", True), ("plain", "sample", False)} <= kinds


def test_one_outcome_may_come_without_an_axis():
    assert (altered(outcomes=lambda one, found: found.reshape(-1)).values == ran().values).all()


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (
            lambda one, found: torch.tensor(found),
            r"gave Tensor of shape \(3, 1\) for pass 0 \(plain\); a numpy array of",
        ),
        (lambda one, found: found[:-1], r"gave an array of float64, shape \(2, 1\) for pass 0 \(plain\); .* \(3,\) is"),
        (lambda one, found: found.tolist(), r"gave list for pass 0 \(plain\)"),
        (lambda one, found: None, r"gave None for pass 0 \(plain\)"),
        (lambda one, found: found.astype(object), r"gave an array of object, shape \(3, 1\)"),
        (
            lambda one, found: found if one.outcomes else np.zeros(len(one.cells)),
            r"nothing, of shape \(0,\), as it only",
        ),
    ],
)
def test_wrong_outcomes_of_an_executor_are_named(alter, said):
    with pytest.raises(BackendError, match=r"^Altered\.outcomes " + said.replace("nothing", ".*nothing")):
        altered(outcomes=alter)


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda found: None, r"gave None; a numpy array of truth values of shape \(1, 3\), worlds by units, is needed"),
        (lambda found: found.astype(int), r"gave an array of int64, shape \(1, 3\)"),
        (lambda found: found.T, r"gave an array of bool, shape \(3, 1\)"),
    ],
)
def test_a_wrong_answer_on_what_is_unchanged_is_named(alter, said):
    with pytest.raises(BackendError, match=r"^Altered\.unchanged " + said):
        altered(unchanged=alter)


@pytest.mark.parametrize(
    ("through", "said"),
    [
        (lambda inner: None, "through gave None; a function is needed, from the executor of this process"),
        (Altered(None), "through = <.*Altered.*>: a function is needed, .* Give the class, or a lambda."),
    ],
)
def test_what_makes_no_executor_is_named(through, said):
    with pytest.raises(DesignError, match=said):
        ran(through=through)
