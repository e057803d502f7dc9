"""Modules that are no language model of `transformers`: tensors in, tensors out, sites by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import mediation as med
from mediation import (
    Constant,
    GaussianNoise,
    Interchange,
    LogitDiff,
    Masked,
    Mean,
    Pairs,
    Scale,
    Site,
    Subspace,
    World,
    Zero,
    embedding,
    residual,
)
from mediation.engine.passes._inputs import make_batch
from mediation.testing import first_output, tiny_model
from mediation.units import encode
from tests.engine.studies import exchanges, gap, token_pairs, values

# Linear modules have no interaction in any unit, on purpose.
pytestmark = [
    pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning"),
    pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning"),  # random models, random inputs
]

PAIRS = token_pairs((5, 7, 7, 9))
OUTCOME = LogitDiff(0, 1)
MANNERS = ({}, {"batch_size": 1}, {"backend": "hooks", "batch_size": 3})


def tensors(*shape: int, n: int = 4) -> Pairs:
    generator = torch.Generator().manual_seed(1)
    base, source = torch.randn(2, n, *shape, generator=generator)
    return Pairs(base=base, source=source)


def agree(module: nn.Module, pairs: Pairs, worlds: list[World], outcome=OUTCOME) -> np.ndarray:
    """Check that all ways of running give the numbers of the naive one, and that something happens."""
    model = med.load(module)
    expected = values(model, pairs, worlds, outcome, backend="reference")
    for manner in MANNERS:
        assert gap(values(model, pairs, worlds, outcome, **manner), expected) < 1e-5, manner
    plain = np.array([expected[int(world.run == "source")] for world in worlds])
    assert (np.abs(expected - plain)[2:].max((1, 2)) > 1e-4).all()
    return expected


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(0)


def test_a_plain_module_with_positions():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.pool, self.last = nn.Linear(3, 4), nn.Flatten(), nn.Linear(20, 2)

        def forward(self, x):
            return self.last(self.pool(torch.tanh(self.first(x))))

    model = med.load(Mixer().double())
    generator = torch.Generator().manual_seed(1)
    base, source = torch.randn(2, 4, 5, 3, generator=generator, dtype=torch.float64)
    worlds = exchanges([Site("first", at=at) for at in (0, -1, "last", (1, 3), slice(2, None), "all")])
    worlds += [
        World("base", Constant([1.0, 2.0]).at(Site("first", at=1, units=(0, 3)))),
        World("base", Zero().at(Site("pool"))),
    ]
    pairs = Pairs(base=base, source=source)
    expected = values(model, pairs, worlds, LogitDiff(0, 1), backend="reference")
    assert gap(values(model, pairs, worlds, LogitDiff(0, 1)), expected) < 1e-10
    where = worlds.index(World("source", Interchange().at(Site("first", at=(1, 3)))))
    by_hand = source.clone()
    by_hand[:, [1, 3]] = base[:, [1, 3]]
    logits = model.module(by_hand).detach()
    np.testing.assert_allclose(expected[where, :, 0], logits[:, 0] - logits[:, 1], atol=1e-12)
    with pytest.raises(med.errors.SiteError, match="no such axis"):
        values(model, pairs, [World("base", Zero().at(Site("pool", at=1)))], LogitDiff(0, 1))


def test_sites_before_a_module_that_works_in_place():
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    worlds = [*exchanges([Site("0"), Site("1"), Site("1", io="input")]), World("base", Scale(-1.0).at(Site("0")))]
    found = agree(module, tensors(3), worlds)
    assert gap(found[2], found[4]) < 1e-6  # the output of one is the input of the next
    assert gap(found[2], found[3]) < 1e-6  # and patching it is patching what is made of it


def test_images():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, 3))
    arms = (Mean(), Mean(over="tokens"), GaussianNoise(0.5, relative=True), Constant(1.0))
    agree(
        module,
        tensors(1, 6, 6),
        [*exchanges([Site("0"), Site("1")]), *(World("base", arm.at(Site("0"))) for arm in arms)],
    )


class Reader(nn.Module):
    """Reads the last state of a recurrent net; its output is a dict, its arguments have names."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(2, 4), nn.Linear(4, 2)

    def forward(self, x, *, other):
        states, _ = self.net(x)
        return {"scores": self.head(states[:, -1] * self.scale(other)), "states": states}


def test_named_arguments_and_several_outputs():
    generator = torch.Generator().manual_seed(1)
    base, source = (
        {"x": torch.randn(4, 5, 3, generator=generator), "other": torch.randn(4, 2, generator=generator)} for _ in "01"
    )
    sites = [Site("net", at="last"), Site("net"), Site("scale"), Site("net", io="input", at=(0, 3))]
    module = Reader()
    found = agree(module, Pairs(base=base, source=source), exchanges(sites))
    with torch.no_grad():
        both = module(source["x"], other=base["other"])["scores"]  # the base run with the source's net
    np.testing.assert_allclose(found[3, :, 0], both[:, 0] - both[:, 1], atol=1e-5)


def test_the_layers_of_torch_itself():
    """Which compute a block in one go, without calling the modules inside it, unless they are kept from it."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(40, 2))
    fast = torch.backends.mha.get_fastpath_enabled()
    agree(
        module,
        tensors(5, 8),
        exchanges([residual(0, at="last"), Site("0.layers.1.linear1", at=0), Site("0.layers.0.norm1")]),
    )
    assert torch.backends.mha.get_fastpath_enabled() == fast


@pytest.mark.parametrize(
    ("donor", "own", "other"),
    [
        (Subspace([[1.0, 0.0]], Interchange()), [0.0, 10.0], [1.0, 0.0]),
        (Subspace([[1.0, 1.0]], Interchange()), [-4.5, 4.5], [5.5, 5.5]),
        (Masked(Interchange(), [False, True]), [1.0, 0.0], [0.0, 10.0]),
    ],
)
def test_a_part_of_the_mediator(donor, own, other):
    """With y = m . (1, 10): which part of (1, 10) reads the running input's mediator, and which the other's."""
    module = nn.Sequential(nn.Identity(), nn.Linear(2, 1, bias=False)).double()
    module[1].weight.data[:] = torch.tensor([[1.0, 10.0]])
    pairs = tensors(2)
    found = med.mediate(module, pairs, Site("0"), first_output, donor=donor, rng=0, n_resamples=99).units
    base, source = pairs.base.double(), pairs.source.double()
    own, other = torch.tensor(own).double(), torch.tensor(other).double()
    np.testing.assert_allclose(found["y01"], base @ own + source @ other, atol=1e-10)
    np.testing.assert_allclose(found["y10"], source @ own + base @ other, atol=1e-10)


# ---------------------------------------------------------------------------------------------- token ids


class Recurrent(nn.Module):
    """A language model of a user's own, which takes token ids and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(300, 8)
        self.blocks = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.head = nn.Linear(8, 300)

    def forward(self, input_ids):
        hidden = self.embed(input_ids)
        for block in self.blocks:
            hidden = hidden + torch.tanh(block(hidden)).cumsum(1)
        return self.head(hidden)


def test_a_decoder_that_takes_no_mask():
    known = med.models.Architecture(layers="blocks", embedding="embed", causal=True)
    model = med.load(Recurrent(), architecture=known)
    worlds = [
        *exchanges([residual(0, at="last"), residual(1, at="last"), embedding(at=1)]),
        World("base", Zero().at(Site("head", at=0))),
    ]
    expected = values(model, PAIRS, worlds, LogitDiff(5, 6), backend="reference")
    for side in ("left", "right"):
        assert gap(values(model, PAIRS, worlds, LogitDiff(5, 6), padding_side=side), expected) < 1e-5
    not_causal = med.load(Recurrent(), architecture=med.models.Architecture(layers="blocks", embedding="embed"))
    with pytest.raises(med.errors.DataError, match="takes no attention_mask"):
        values(not_causal, PAIRS, worlds, LogitDiff(5, 6))
    assert gap(values(not_causal, PAIRS, worlds, LogitDiff(5, 6), batch_size=1), expected) < 1e-5


def test_token_ids_themselves_as_a_site():
    model = med.load(tiny_model("llama"))
    worlds = exchanges([Site("model.embed_tokens", io="input", at=at) for at in ("last", (0, 2), "all")])
    expected = values(model, PAIRS, worlds, LogitDiff(5, 6), backend="reference")
    for manner in ({}, {"batch_size": 3}, {"padding_side": "right"}):
        assert gap(values(model, PAIRS, worlds, LogitDiff(5, 6), **manner), expected) < 1e-5
    assert gap(expected[4], expected[1]) < 1e-5  # the base run with all of the source's tokens is the source run


def test_padding_is_on_the_side_asked_for():
    model = med.load(tiny_model("llama"))
    inputs = encode(PAIRS, model).runs["base"]
    left, right = (make_batch(model, inputs, side=side) for side in ("left", "right"))
    assert left.starts == (4, 2, 2, 0)
    assert right.starts == (0, 0, 0, 0)
    for batch in (left, right):
        for row, (start, one) in enumerate(zip(batch.starts, inputs, strict=True)):
            where = slice(start, start + one.length)
            assert batch.inputs["input_ids"][row, where].tolist() == one.ids.tolist()
            assert batch.inputs["position_ids"][row, where].tolist() == list(range(one.length))
            assert (
                batch.inputs["attention_mask"][row].sum()
                == batch.inputs["attention_mask"][row, where].sum()
                == one.length
            )
    encoder = make_batch(med.load(tiny_model("bert")), inputs)
    assert encoder.starts == right.starts
    assert "position_ids" not in encoder.inputs
