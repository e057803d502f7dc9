"""When something is wrong or scarce: memory, precision, backends that lie, models that cannot be patched."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification

import mediation as med
from mediation import (
    Constant,
    GaussianNoise,
    Interchange,
    LogitDiff,
    Pairs,
    Scale,
    Site,
    World,
    Zero,
    attention,
    embedding,
    mlp,
    neurons,
    pattern,
    residual,
)
from mediation.engine import AbstractBackend, HookBackend, Visit
from mediation.engine.study._tolerance import tolerance
from mediation.testing import LinearInteraction, check_backend, first_output, tiny_model
from tests.engine.studies import exchanges, finish, gap, token_pairs, values

PAIRS = token_pairs((5, 7, 7, 9))
OUTCOME = LogitDiff(5, 6)
SITES = (residual(0, at="last"), mlp(1), attention(1, head=1, at=1))


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama"))


# ---------------------------------------------------------------------------------------------- memory


@final
@dataclass(frozen=True, slots=True)
class Small(AbstractBackend):
    """Runs out of memory above some rows, at the model's input and wherever the batch grows."""

    rows: int
    passes: list[int] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return "small"

    def forward(
        self, model: Any, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        self._fit(next(iter(inputs.values())))
        watched = [Visit(visit.path, visit.io, lambda x, see=visit.see: self._fit(see(x))) for visit in visits]
        return HookBackend().forward(model, inputs, watched, finish)

    def _fit(self, tensor: Tensor | None) -> Tensor | None:
        if tensor is not None and len(tensor) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 EiB.")
        self.passes.append(0 if tensor is None else len(tensor))
        return tensor


def test_a_batch_that_does_not_fit_is_halved(model):
    worlds = exchanges(SITES)
    expected = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    backend = Small(2)
    assert gap(values(model, PAIRS, worlds, OUTCOME, backend=backend, fan_out=False), expected) < 1e-5
    assert max(backend.passes) == 2
    roomy = Small(1000)
    assert gap(values(model, PAIRS, worlds, OUTCOME, backend=roomy, fan_out=False), expected) < 1e-5
    assert max(roomy.passes) > 8


def test_a_growing_batch_that_does_not_fit_is_halved(model):
    pairs = token_pairs((6, 6, 6, 6))
    worlds = exchanges([residual(0, at="last")])
    expected = values(model, pairs, worlds, OUTCOME, backend="reference")
    backend = Small(2)
    assert gap(values(model, pairs, worlds, OUTCOME, backend=backend), expected) < 1e-5
    assert max(backend.passes) == 2


def test_a_growing_batch_of_one_unit_is_halved_too(model):
    pairs = token_pairs((6, 6))
    worlds = exchanges([residual(layer, at="last") for layer in (0, 1)])
    expected = values(model, pairs, worlds, OUTCOME, backend="reference")
    assert gap(values(model, pairs, worlds, OUTCOME, backend=Small(2)), expected) < 1e-5


def test_a_single_row_that_does_not_fit(model):
    with pytest.raises(med.errors.BackendError, match="One row alone does not fit in memory"):
        values(model, PAIRS, exchanges(SITES), OUTCOME, backend=Small(0))


def test_other_errors_are_not_taken_for_a_lack_of_memory(model):
    @med.outcome
    def broken(logits):
        if len(logits) > 1:
            raise RuntimeError("no")
        return logits[:, 0]

    with pytest.raises(RuntimeError, match=r"^no$"):
        values(model, PAIRS, exchanges(SITES), broken, backend="hooks")


def test_batch_sizes_are_kept(model):
    backend = Small(1000)
    values(model, PAIRS, exchanges(SITES), OUTCOME, backend=backend, batch_size=3, fan_out=False)
    assert max(backend.passes) == 3


# ---------------------------------------------------------------------------------------------- backends that lie


@final
@dataclass(frozen=True, slots=True)
class Liar(AbstractBackend):
    """Plain hooks, but for what passes through `twist` on the way back into the model, or out of it."""

    back: Callable[[Tensor], Tensor | None] = lambda changed: changed
    out: Callable[[Tensor], Tensor] = lambda seen: seen

    @property
    def name(self) -> str:
        return "liar"

    def forward(
        self, model: Any, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        def twisted(visit: Visit) -> Visit:
            def see(tensor: Tensor) -> Tensor | None:
                changed = visit.see(self.out(tensor))
                return None if changed is None else self.back(changed)

            return Visit(visit.path, visit.io, see)

        return HookBackend().forward(model, inputs, list(map(twisted, visits)), finish)


def from_row_five(changed: Tensor) -> Tensor:
    """Right for small batches, such as those of the check of self-patched units."""
    return torch.cat([changed[:5], changed[5:].roll(1, 0)])


LIARS = {
    "rows shifted": Liar(back=lambda changed: changed.roll(1, 0)),
    "positions shifted": Liar(back=lambda changed: changed.roll(1, 1)),
    "features reversed": Liar(back=lambda changed: changed.flip(-1)),
    "rows shifted where they are read": Liar(out=lambda seen: seen.roll(1, 0)),
    "nothing is put back": Liar(back=lambda changed: None),
    "rows shifted in large batches": Liar(back=from_row_five),
}


@pytest.mark.parametrize("name", LIARS)
def test_wrong_numbers_are_not_reported(model, name):
    pairs = token_pairs((6, 6, 6, 6))
    ask = {"rng": 0, "n_resamples": 99, "fan_out": False, "checks": 20}
    with pytest.raises(med.errors.BackendError) as caught:
        med.mediate(model, pairs, residual(0, at="last") | mlp(1), OUTCOME, backend=LIARS[name], **ask)
    text = str(caught.value)
    if name == "nothing is put back":  # plain rows are wrong already: the unembedding too is a visit
        assert "one plain forward pass of it alone gives" in text
    elif name == "rows shifted in large batches":
        assert "one plain forward pass gives" in text
        assert "residual[0]@last" in text or "mlp[1]" in text
        assert "unit" in text
    else:
        assert "with its own activation changed the outcome" in text
        assert "'liar'" in text


@pytest.mark.parametrize("name", LIARS)
def test_check_backend_finds_them_out(name):
    with pytest.raises(med.errors.BackendError):
        check_backend(LIARS[name])


def test_check_backend_wants_a_backend():
    with pytest.raises(med.errors.DesignError, match="AbstractBackend"):
        check_backend(HookBackend)


def test_a_right_backend_of_ones_own(model):
    found = values(model, PAIRS, exchanges(SITES), OUTCOME, backend=Liar())
    assert gap(found, values(model, PAIRS, exchanges(SITES), OUTCOME, backend="reference")) < 1e-5


def test_what_was_checked_is_kept(model):
    found = finish(model, PAIRS, exchanges(SITES), OUTCOME, checks=5).report
    assert found["sample"]["cells"] == 5
    assert found["consistency"]["cells"] > 0
    assert found["consistency"]["max_abs_difference"] < 1e-5


# ---------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("backend", ["nnsight", "reference"])
def test_an_outcome_that_is_not_finite_names_its_world_and_unit(backend):
    base = torch.tensor([[1.0], [2.0], [3.0]])
    source = torch.tensor([[1.0], [1e30], [3.0]])
    pairs, ask = Pairs(base=base, source=source), {"rng": 0, "n_resamples": 99, "backend": backend}
    with pytest.raises(med.errors.OutcomeError, match=r"outcome of unit 1 in world .* is inf"):
        med.mediate(LinearInteraction(c=1e30), pairs, Site("mediator"), first_output, **ask)
    arm = Scale(1e30) >> Scale(1e30)
    with pytest.raises(
        med.errors.OutcomeError, match=r"outcome of unit 0 in world base with .*Scale.* at mediator is inf"
    ):
        med.ablate(LinearInteraction(), Pairs(base=base), arm.at(Site("mediator")), first_output, **ask)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_half_precisions(family, dtype):
    sites = (*SITES, embedding(at=1), neurons(0, (0, 3)), pattern(1, head=0, at="last"))
    worlds = [*exchanges(sites), World("base", GaussianNoise(0.5, relative=True).at(residual(0, at=1)))]
    worlds += [World("source", Constant(0.25).at(mlp(0, at="last")))]
    full = values(med.load(tiny_model(family)), PAIRS, worlds, OUTCOME)
    module = tiny_model(family).to(dtype)
    for options in ({}, {"fan_out": False}, {"batch_size": 1}):
        half = values(med.load(module), PAIRS, worlds, OUTCOME, **options)
        assert gap(half, full) < (0.1 if dtype == torch.bfloat16 else 0.02) * np.abs(full).max()
        effects = (half[2:] - half[:1]).ravel(), (full[2:] - full[:1]).ravel()
        assert np.corrcoef(*effects)[0, 1] > 0.99


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_small_differences_are_effects_in_half_precision_too(dtype):
    base, source = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0625], [2.125]])
    module = LinearInteraction(a=1, d=0, b=1, c=0).to(dtype)
    found = values(med.load(module), Pairs(base=base, source=source), exchanges([Site("mediator")]), first_output)
    np.testing.assert_array_equal(found[2, :, 0], source[:, 0])
    np.testing.assert_array_equal(found[3, :, 0], base[:, 0])


def test_a_small_difference_beside_a_large_feature_is_an_effect():
    """Some features of the residual stream are a thousand times larger than the rest, and carry little."""
    base = torch.tensor([[3000.0, 1.0], [3000.0, 2.0]])
    source = torch.tensor([[3000.0, 1.005], [3000.0, 2.005]])

    @med.outcome
    def second(output):
        return output[:, 1]

    module = nn.Sequential(nn.Identity(), nn.Identity())
    found = values(med.load(module), Pairs(base=base, source=source), exchanges([Site("0")]), second)
    np.testing.assert_array_equal(found[2, :, 0], source[:, 1])


@pytest.mark.parametrize(("attention", "apart"), [("sdpa", 1e-12), ("eager", 1e-6)])  # eager: a softmax in float32
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_double_precision(family, attention, apart):
    module = tiny_model(family).double()
    module.set_attn_implementation(attention)
    model = med.load(module)
    assert tolerance(model) == (1e-6 if attention == "eager" else 1e-8)
    worlds = exchanges((*SITES, residual(1, at="last")))
    expected = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    for options in ({}, {"fan_out": False}, {"fan_out": False, "padding_side": "right"}):
        assert gap(values(model, PAIRS, worlds, OUTCOME, checks=10, **options), expected) < apart


# ---------------------------------------------------------------------------------------------- models


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared, self.never, self.head = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x):
        return self.head(self.shared(self.shared(x)))


def test_a_module_that_is_not_called_once():
    pairs = Pairs(base=torch.randn(3, 2), source=torch.randn(3, 2))
    for name, found in (("shared", "called 2 times"), ("never", "not called")):
        with pytest.raises(med.errors.SiteError, match=f"'{name}' is {found}"):
            med.mediate(Twice(), pairs, Site(name), first_output, rng=0)


def test_interventions_that_share_numbers(model):
    pairs = token_pairs((5, 6), spans={"noun": [(1, 3), (2, 4)]})
    for one, other in (
        (attention(0, head=1), Site("model.layers.0.self_attn.o_proj", io="input")),
        (neurons(0, (0, 1), at="noun"), neurons(0, (1, 2), at=2)),
        (residual(0, at="noun"), residual(0, at=-3, units=(1, 2))),
        (residual(0, at=1), Site("model.layers.0")),
    ):
        with pytest.raises(med.errors.SiteError, match="overlapping sites"):
            values(model, pairs, [World("base", Zero().at(one) | Constant(1.0).at(other))], OUTCOME)
    apart = Zero().at(neurons(0, (0, 1), at="noun")) | Constant(1.0).at(neurons(0, (2, 3), at="noun"))
    expected = values(model, pairs, [World("base", apart)], OUTCOME, backend="reference")
    assert gap(values(model, pairs, [World("base", apart)], OUTCOME), expected) < 1e-5


def test_positions_of_a_pooled_activation():
    config = tiny_model("bert").config
    config.num_labels = 3
    torch.manual_seed(0)
    model = med.load(BertForSequenceClassification(config))
    outcome = LogitDiff(0, 1)
    worlds = exchanges([Site("bert.pooler"), Site("bert.pooler.dense", units=(0, 1)), residual(0, at=1)])
    expected = values(model, PAIRS, worlds, outcome, backend="reference")
    assert gap(values(model, PAIRS, worlds, outcome), expected) < 1e-6
    with pytest.raises(med.errors.SiteError, match="has no such axis"):
        values(model, PAIRS, exchanges([Site("bert.pooler", at="last")]), outcome)


MAPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "dispatched": lambda accelerate, module, folder: accelerate.dispatch_model(
        module, device_map={"": "cpu"}, force_hooks=True
    ),
    "on the host": lambda accelerate, module, folder: accelerate.cpu_offload(module, execution_device="cpu"),
    "partly on disk": lambda accelerate, module, folder: accelerate.dispatch_model(
        module,
        device_map={
            **{name: "cpu" for name in ("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head")},
            **{f"model.layers.{layer}": "disk" for layer in (0, 1)},
        },
        main_device="cpu",
        offload_dir=folder,
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_device_mapped_models(model, name, tmp_path):
    accelerate = pytest.importorskip("accelerate")
    sites = (*SITES, embedding(at=1), neurons(0, (0, 3)), pattern(1, head=0, at="last"))
    expected = values(model, PAIRS, exchanges(sites), OUTCOME, backend="reference")
    mapped = med.load(MAPS[name](accelerate, tiny_model("llama"), tmp_path))
    assert mapped.device.type == "cpu"
    for options in ({}, {"fan_out": False}, {"backend": "hooks"}, {"backend": "reference"}):
        assert gap(values(mapped, PAIRS, exchanges(sites), OUTCOME, **options), expected) < 1e-5
    assert mapped.describe()["digest"]


def test_a_model_is_freed_with_its_last_user():
    def run() -> weakref.ref:
        module = tiny_model("llama")
        values(med.load(module), PAIRS, exchanges(SITES[:1]), OUTCOME)
        return weakref.ref(module)

    freed = run()
    gc.collect()
    assert freed() is None


def test_copies_of_a_model_that_was_run(model):
    worlds = exchanges(SITES)
    before = values(model, PAIRS, worlds, OUTCOME)
    for copied in (copy.deepcopy(model.module), pickle.loads(pickle.dumps(model.module))):
        with torch.no_grad():
            copied.lm_head.weight.mul_(2)
        assert gap(values(med.load(copied), PAIRS, worlds, OUTCOME), 2 * before) < 1e-5
    assert gap(values(model, PAIRS, worlds, OUTCOME), before) < 1e-6


def test_a_model_is_left_as_it_was(model):
    weights = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = model.module(input_ids=ids).logits
        values(model, PAIRS, [World("base", Interchange().at(pattern(0))), *exchanges(SITES)], OUTCOME)
        after = model.module(input_ids=ids).logits
    assert torch.equal(before, after)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.module.state_dict().items())


def test_the_softmax_comes_back_whatever_happens(model):
    plain = torch.nn.functional.softmax

    @med.intervention
    def breaks(hidden):
        raise RuntimeError("no")

    for backend in ("hooks", "reference", "nnsight"):
        with pytest.raises(Exception, match="no"):
            values(model, PAIRS, [World("base", breaks().at(pattern(0)))], OUTCOME, backend=backend)
        assert torch.nn.functional.softmax is plain


def test_no_warning_of_others_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values(med.load(tiny_model("bert")), PAIRS, exchanges([residual(0, at="last")]), OUTCOME)
