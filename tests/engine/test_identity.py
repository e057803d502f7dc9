"""What tells one study from another: every field is classed, and what changes numbers is refused by name."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mediation as med
from mediation.engine import Execution, Study, World, make_study
from mediation.engine.backends._choose import backend_for
from mediation.engine.checkpoint._fingerprint import fingerprint, structure_digest, weights_digest
from mediation.engine.checkpoint._identity import IN_IDENTITY, NOT_IN_IDENTITY, digest_of, identity_of
from mediation.models import Model
from mediation.outcomes import Prepared
from mediation.units import Encoded, Pairs

CLASSES = (Study, Execution, World, Pairs, Encoded, Prepared, Model)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_is_classed(cls):
    changes, does_not = IN_IDENTITY[cls.__name__], NOT_IN_IDENTITY[cls.__name__]
    fields = {field.name for field in dataclasses.fields(cls)}
    assert not set(changes) & set(does_not)
    missing = fields - set(changes) - set(does_not)
    assert not missing, (
        f"{cls.__name__} has the fields {sorted(missing)}, which are not classed: does the field change a number of a "
        "run? Then add it to identity_of and to IN_IDENTITY, and raise IDENTITY_VERSION. If not, say why in "
        "NOT_IN_IDENTITY (both in mediation/engine/checkpoint/_identity.py)."
    )
    assert set(changes) | set(does_not) == fields, "a field is classed that is there no longer"
    assert all(does_not.values()), "every field that is left out has a reason"


def test_every_class_is_tested():
    assert set(IN_IDENTITY) == set(NOT_IN_IDENTITY) == {cls.__name__ for cls in CLASSES}


FRAME = pd.DataFrame({"answer": [5, 6, 7], "foil": [8, 8, 8], "group": ["a", "a", "a"], "note": ["x", "y", "z"]})
BASE, SOURCE = [[3, 4, 5], [6, 7, 8], [9, 10, 11]], [[3, 4, 6], [6, 7, 9], [9, 10, 12]]
SPANS = {"middle": ([(1, 2)] * 3, [(1, 2)] * 3)}
SITE = med.residual(1, at="last")


def shift(hidden, by=1.0):
    return hidden + by


def network(seed: int = 0, attention: str = "eager", **config: Any) -> Any:
    return med.testing.tiny_model("llama", layers=2, seed=seed, attention=attention, **config)


def identity(**change: Any) -> dict[str, Any]:
    """Return the identity of a small study, with one thing changed."""
    given: dict[str, Any] = {
        "module": network(),
        "dtype": None,
        "base": BASE,
        "source": SOURCE,
        "frame": FRAME,
        "spans": SPANS,
        "cluster": None,
        "weight": None,
        "outcome": med.LogitDiff("answer", "foil"),
        "worlds": [World("base"), World("base", med.Interchange().at(SITE))],
        "seed": 0,
        "n_draws": 1,
        "backend": "hooks",
    }
    execution = {
        name: change.pop(name) for name in ("batch_size", "padding_side", "fan_out", "checks") if name in change
    }
    given |= change
    model = med.load(given["module"], dtype=given["dtype"])
    pairs = Pairs(**{name: given[name] for name in ("base", "source", "frame", "spans", "cluster", "weight")})
    study = make_study(model, pairs, given["worlds"], given["outcome"], seed=given["seed"], n_draws=given["n_draws"])
    return identity_of(study, Execution(backend=backend_for(given["backend"]), **execution))


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return identity()


def one_weight_changed() -> Any:
    module = network()
    with torch.no_grad():
        module.model.layers[1].mlp.down_proj.weight[-1, -2] += 1e-6
    return module


def another_frame(**columns: Any) -> pd.DataFrame:
    return FRAME.assign(**columns)


CHANGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "a weight": ("model.weights", lambda: {"module": one_weight_changed()}),
    "a setting": ("model.config.rms_norm_eps", lambda: {"module": network(rms_norm_eps=1e-4)}),
    "the attention": ("model.attention", lambda: {"module": network(attention="sdpa")}),
    "the type": ("model.dtype", lambda: {"dtype": torch.float64}),
    "an input": ("inputs.base", lambda: {"base": [*BASE[:2], [9, 13, 11]]}),
    "a source": ("inputs.source", lambda: {"source": [*SOURCE[:2], [9, 10, 13]]}),
    "a span": ("spans.base", lambda: {"spans": {"middle": ([(1, 2)] * 2 + [(0, 1)], [(1, 2)] * 3)}}),
    "an answer": ("outcome.reads", lambda: {"frame": another_frame(answer=[5, 6, 9])}),
    "the outcome": ("outcome", lambda: {"outcome": med.LogProb("answer")}),
    "where it is read": ("outcome.at", lambda: {"outcome": med.LogitDiff("answer", "foil", at=-2)}),
    "the site": ("worlds", lambda: {"worlds": [World("base"), World("base", med.Interchange().at(med.mlp(1)))]}),
    "the run": ("worlds", lambda: {"worlds": [World("base"), World("source", med.Interchange().at(SITE))]}),
    "one world more": ("worlds", lambda: {"worlds": [World("base"), World("source")]}),
    "batch_size": ("batch_size", lambda: {"batch_size": 2}),
    "padding_side": ("padding_side", lambda: {"padding_side": "right"}),
    "fan_out": ("fan_out", lambda: {"fan_out": False}),
    "backend": ("backend", lambda: {"backend": "reference"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_numbers_is_named(plain, what):
    name, change = CHANGES[what]
    other = identity(**change())
    differing = {field for field in {**plain, **other} if plain.get(field) != other.get(field)}
    assert name in differing
    assert digest_of(plain) != digest_of(other)


SAME: dict[str, Callable[[], dict[str, Any]]] = {
    "nothing": dict,
    "clusters": lambda: {"cluster": ["a", "b", "b"]},
    "weights": lambda: {"weight": [1.0, 2.0, 3.0]},
    "checks": lambda: {"checks": 0},
    "a seed that draws nothing": lambda: {"seed": 7},
    "a column that is not read": lambda: {"frame": another_frame(note=["q", "r", "s"], more=[1, 2, 3])},
    "inputs as tensors": lambda: {"base": torch.tensor(BASE), "source": torch.tensor(SOURCE)},
}


@pytest.mark.parametrize("what", SAME)
def test_what_changes_no_number_is_no_difference(plain, what):
    assert identity(**SAME[what]()) == plain


def test_seed_draws_and_donors_count_where_something_is_drawn():
    noise = [World("base", med.GaussianNoise(1.0).at(SITE))]
    assert identity(worlds=noise)["seed"] == 0
    assert identity(worlds=noise, seed=1) != identity(worlds=noise)
    assert identity(worlds=noise, n_draws=2) != identity(worlds=noise)
    matched = [World("base", med.Swap("matched", column="group").at(SITE))]
    one, other = (identity(worlds=matched, frame=frame) for frame in (FRAME, another_frame(note=[1, 2, 3])))
    assert one == other
    groups = another_frame(group=["b", "b", "b"])  # other names, the same donors
    assert identity(worlds=matched, frame=groups) == one
    swapped = [World("base", med.Swap("derangement").at(SITE))]
    assert identity(worlds=swapped)["donors"] is not None
    assert identity(worlds=swapped, seed=3)["donors"] != identity(worlds=swapped, seed=8)["donors"]


def test_interventions_count_by_source_parameters_and_long_tensors():
    def custom(by: float) -> list[World]:
        return [World("base", med.intervention(shift)(by=by).at(SITE))]

    assert identity(worlds=custom(1.0)) == identity(worlds=custom(1.0))
    assert identity(worlds=custom(1.0)) != identity(worlds=custom(1.5))
    long = torch.arange(16.0).repeat(2, 1)
    bases = [long + torch.eye(2, 16), long + torch.eye(2, 16) * 2]
    subspaces = [[World("base", med.Subspace(basis, med.Zero()).at(SITE))] for basis in bases]
    assert identity(worlds=subspaces[0]) == identity(worlds=subspaces[0])
    assert identity(worlds=subspaces[0]) != identity(worlds=subspaces[1])
    both = [med.Zero().at(SITE), med.Zero().at(med.mlp(0))]
    orders = [[World("base", both[i] | both[1 - i])] for i in range(2)]
    one, other = (identity(worlds=worlds)["worlds"][0].split("#")[1] for worlds in orders)
    assert one == other


SCALE = 2.0


def helper(logits):
    return logits[:, 5] * SCALE


def test_functions_count_by_source_constants_helpers_and_what_they_enclose(monkeypatch):
    @med.outcome
    def custom(logits):
        return helper(logits)

    def enclosing(index):
        return med.outcome(lambda logits: logits[:, index])

    before = identity(outcome=custom)
    assert identity(outcome=custom) == before
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert identity(outcome=custom) != before
    assert identity(outcome=enclosing(3)) == identity(outcome=enclosing(3))
    assert identity(outcome=enclosing(3)) != identity(outcome=enclosing(4))

    @med.outcome
    def by_unit(logits, units):
        return logits[:, 5] * torch.tensor(units["answer"].to_numpy())

    assert identity(outcome=by_unit) != identity(outcome=by_unit, frame=another_frame(answer=[1, 2, 3]))


def test_what_has_no_value_is_refused_before_a_run(tmp_path):
    with (tmp_path / "log").open("w") as handle:

        @med.outcome
        def logging(logits):
            handle.write("x")
            return logits[:, 5]

        with pytest.raises(med.errors.DesignError, match="reads TextIOWrapper, which cannot be told from another one"):
            identity(outcome=logging)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two values, of which one is not compared."""

    a: Any
    b: Any = dataclasses.field(default=0, compare=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ([1, 2], (1, 2)),
        ([[1], [2]], [[1, 2]]),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (torch.zeros(2), torch.zeros(3)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(["a", None], dtype=object), np.array(["a", "b"], dtype=object)),
        (Pair(1), Pair(2)),
        (functools.partial(max, 1), functools.partial(max, 2)),
        (nn.Linear(2, 2), nn.Linear(2, 2)),
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (None, "None"),
    ],
    ids=str,
)
def test_other_values_have_other_fingerprints(one, other):
    assert fingerprint(one, "it") != fingerprint(other, "it")
    assert fingerprint(one, "it") == fingerprint(one, "it")


def test_equal_values_have_equal_fingerprints():
    assert fingerprint(Pair(1, 2), "it") == fingerprint(Pair(1, 3), "it")
    assert fingerprint({"a": 1, "b": 2}, "it") == fingerprint({"b": 2, "a": 1}, "it")
    assert fingerprint({"x", "y", "z"}, "it") == fingerprint({"z", "y", "x"}, "it")
    assert fingerprint(torch.arange(6).view(2, 3).T, "it") == fingerprint(torch.arange(6).view(2, 3).T.clone(), "it")
    loop: list[Any] = [1]
    loop.append(loop)
    assert fingerprint(loop, "it") == fingerprint(loop, "it")


def test_weights_count_to_the_last_byte_and_structure_by_class():
    module = nn.Sequential(nn.Linear(128, 64), nn.BatchNorm1d(64))
    before = weights_digest(module)
    for tensor in [*module.parameters(), *module.buffers()]:
        flat = tensor.data.view(-1)
        was = flat[-1].clone()
        flat[-1] += 1
        assert weights_digest(module) != before
        flat[-1] = was
    assert weights_digest(module) == before
    assert structure_digest(nn.Sequential(nn.GELU())) != structure_digest(nn.Sequential(nn.GELU("tanh")))
