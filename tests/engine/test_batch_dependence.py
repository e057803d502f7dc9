"""Rows that depend on their batch: each number is that of its row alone, or nothing is reported."""

import warnings

import pytest
import torch
import transformers

import mediation as med
from mediation.engine import Execution, ReferenceBackend, World, make_study, progress_for, run_study
from mediation.engine.verify._layout import find_layout

pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.errors.DegenerateWarning",
    "ignore::mediation.errors.WeakTotalEffectWarning",
    "ignore:.*:DeprecationWarning",
    "ignore:.*:UserWarning:transformers",
)
TOKENIZER = med.testing.tiny_tokenizer()
PARIS, ROME = (TOKENIZER(word, add_special_tokens=False)["input_ids"][0] for word in (" Paris", " Rome"))
OUTCOME = med.LogitDiff(" Paris", " Rome")
WORDS = ["Italy", "Spain", "France", "Germany", "Rome", "Paris"]
BASE = [f"The capital of {word} is" for word in WORDS]
SOURCE = [f"The capital of {word} is" for word in WORDS[1:] + WORDS[:1]]
SHORT = ("The of Italy is", "The of France is")
SMALL = {"vocab_size": 512, "hidden_size": 16, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32}
LONGROPE = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [9.0] * 4, "rope_theta": 10000.0}


def _made(kind, config):
    """A random model in which everything matters."""
    torch.manual_seed(0)
    net = kind(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
            else:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def _rwkv():
    more = {"attention_hidden_size": 16, "intermediate_size": 32, "context_length": 64}
    return _made(transformers.RwkvForCausalLM, transformers.RwkvConfig(**SMALL, **more))


def _recurrent_gemma():
    more = {"num_attention_heads": 2, "lru_width": 16, "intermediate_size": 32, "attention_window_size": 8}
    config = transformers.RecurrentGemmaConfig(**SMALL, **more, block_types=["recurrent", "attention"])
    return _made(transformers.RecurrentGemmaForCausalLM, config)


def _longrope():
    more = {"max_position_embeddings": 64, "original_max_position_embeddings": 4, "pad_token_id": 0}
    config = transformers.Phi3Config(**SMALL, **HEADS, **more, rope_parameters=LONGROPE)
    return _made(transformers.Phi3ForCausalLM, config)


def _mamba():
    return _made(transformers.MambaForCausalLM, transformers.MambaConfig(**SMALL, state_size=4))


def _int8():
    return torch.ao.quantization.quantize_dynamic(med.testing.tiny_model("llama"), {torch.nn.Linear}, torch.qint8)


def _plain(net, text, **options):
    with torch.no_grad():
        logits = net(input_ids=torch.tensor([TOKENIZER(text)["input_ids"]]), **options).logits[0, -1]
    return float(logits[PARIS] - logits[ROME])


def _odd_at(place):
    base, source = list(BASE), list(SOURCE)
    base.insert(place, SHORT[0])
    source.insert(place, SHORT[1])
    return base, source


MODELS = {
    "rwkv": (_rwkv, "equal length"),
    "recurrent gemma": (_recurrent_gemma, "equal length"),
    "longrope": (_longrope, "equal length"),
    "mamba": (_mamba, "padded"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", [0, 4])
def test_one_odd_unit_has_the_number_of_its_row_alone(name, place):
    make, layout = MODELS[name]
    net, (base, source) = make(), _odd_at(place)
    want = [_plain(net, text, use_cache=False) for text in base]
    pairs = med.Pairs(base=base, source=source)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", med.errors.BatchDependenceWarning)
        found = med.mediate(
            med.load(net, TOKENIZER), pairs, med.residual(0, at="last"), OUTCOME, checks=0, n_resamples=99, rng=0
        )
    assert found.units["y00"].tolist() == pytest.approx(want, abs=1e-4)
    checks = found.provenance["checks"]
    assert checks["batching"]["layout"] == layout
    assert checks["most_padded"]["max_abs_difference"] < 1e-4
    told = [one for one in caught if issubclass(one.category, med.errors.BatchDependenceWarning)]
    assert bool(told) == (layout != "padded")
    assert all("equal length" in str(one.message) for one in told)


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
@pytest.mark.parametrize("name", ["rwkv", "longrope"])
def test_capture_and_attribution_too(name):
    net, (base, source) = MODELS[name][0](), _odd_at(2)
    model, pairs, site = med.load(net, TOKENIZER), med.Pairs(base=base, source=source), med.residual(0, at="last")
    states = med.probing.capture(model, pairs, site)
    alone = [med.probing.capture(model, [text], site).values for text in base]
    torch.testing.assert_close(torch.tensor(states.values), torch.cat([*map(torch.tensor, alone)]), atol=1e-5, rtol=0)
    scores = med.attribution(model, pairs, site, OUTCOME)["score"].to_numpy()
    one_by_one = [
        med.attribution(model, med.Pairs(base=[b], source=[s]), site, OUTCOME)["score"].to_numpy()
        for b, s in zip(base, source, strict=True)
    ]
    assert scores == pytest.approx(sum(one_by_one) / len(base), abs=1e-4)


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
def test_rollouts_too():
    net = _longrope()
    texts = ["The capital of Italy is", "The of", "The capital of France is"]
    found = med.rollout(med.load(net, TOKENIZER), texts, max_new_tokens=4)
    for unit, text in enumerate(texts):
        alone = med.rollout(med.load(net, TOKENIZER), [text], max_new_tokens=4)
        assert found.ids[unit] == alone.ids[0]


class _Mixing(torch.nn.Module):
    """Each row loses a share of the mean of its batch."""

    def __init__(self, least=0):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.least = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2), least

    def forward(self, x):
        h = torch.tanh(self.a(x))
        return self.b(h - 0.5 * h.mean(0) if len(x) > self.least else h)


@med.outcome
def _first(output):
    return output[:, 0]


X0, X1 = (torch.randn(8, 3, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))


@pytest.mark.parametrize("ask", ["mediate", "capture", "attribution"])
def test_rows_of_one_length_that_mix_run_alone(ask):
    net, pairs = _Mixing(), med.Pairs(base=X0, source=X1)
    with torch.no_grad():
        want = torch.cat([net(x[None]) for x in X0])
    with pytest.warns(med.errors.BatchDependenceWarning, match="pass of its own"):  # noqa: PT031
        if ask == "mediate":
            found = med.mediate(net, pairs, med.Site("a"), _first, n_resamples=99, rng=0)
            assert found.units["y00"].tolist() == pytest.approx(want[:, 0].tolist(), abs=1e-6)
        elif ask == "capture":
            states = med.probing.capture(net, X0, med.Site("b"))
            torch.testing.assert_close(torch.tensor(states.values)[:, 0], want)
        else:
            med.attribution(net, pairs, med.Site("a"), _first)


def test_rows_that_mix_in_large_batches_only_are_refused_by_their_cause():
    """As experts do that take so many tokens and no more: two rows show nothing."""
    pairs = med.Pairs(base=X0, source=X1)
    with pytest.raises(
        med.errors.BackendError, match=r"rows of this model depend on the rows beside them.*batch_size=1"
    ):
        med.mediate(_Mixing(least=4), pairs, med.Site("a"), _first, n_resamples=99, rng=0)
    with pytest.raises(med.errors.BackendError, match="batch_size=1"):
        med.probing.capture(_Mixing(least=4), X0, med.Site("b"))
    fine = med.mediate(_Mixing(least=4), pairs, med.Site("a"), _first, n_resamples=99, rng=0, batch_size=1)
    assert fine.provenance["checks"]["batching"]["layout"] == "padded"


class _Drawing(torch.nn.Module):
    """A dropout that does not know of evaluation."""

    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(3, 8), torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.b(torch.nn.functional.dropout(self.a(x), 0.5))


@pytest.mark.parametrize("options", [{}, {"batch_size": 1}, {"backend": "reference"}], ids=str)
def test_a_random_model_is_refused_and_said_to_be_random(options):
    pairs = med.Pairs(base=X0, source=X1)
    with pytest.raises(med.errors.BackendError, match="draws at random"):
        med.mediate(_Drawing(), pairs, med.Site("a"), _first, n_resamples=99, rng=0, **options)
    if "backend" not in options:
        with pytest.raises(med.errors.BackendError, match="draws at random"):
            med.probing.capture(_Drawing(), X0, med.Site("b"), **options)
        with pytest.raises(med.errors.BackendError, match="draws at random"):
            med.attribution(_Drawing(), pairs, med.Site("a"), _first, **options)


@pytest.mark.filterwarnings("ignore:.*quantiz.*")
def test_dynamic_int8_scales_by_the_largest_number_of_a_pass():
    """Beside others, or beside other tokens, a number is rounded otherwise: only whole passes are right."""
    net = _int8()
    want = [_plain(net, text, use_cache=False) for text in BASE]
    model, pairs, site = med.load(net, TOKENIZER), med.Pairs(base=BASE, source=SOURCE), med.residual(0, at="last")
    with pytest.raises(med.errors.BackendError, match=r"quantised.*backend='reference'"):
        med.mediate(model, pairs, site, OUTCOME, n_resamples=99, rng=0)
    study = make_study(model, pairs, [World("base"), World("base", med.Interchange().at(site))], OUTCOME, seed=0)
    found = run_study(study, Execution(backend=ReferenceBackend()), progress_for(False))
    assert found.values[0, :, 0].tolist() == pytest.approx(want, abs=1e-4)


def test_the_layout_of_items_that_depend_on_longer_ones():
    """A row is its length, plus how much longer the longest is: equal lengths are safe. Or all beside it counts."""
    items = [5, 3, 3, 2]

    def batches_of(layout):
        return {"padded": [items], "equal length": [[5], [3, 3], [2]], "alone": [[one] for one in items]}[layout]

    longer = find_layout(batches_of, lambda rows: [torch.tensor([rows[-1] + max(rows) - rows[-1]]).double()], int)
    assert (longer.layout, longer.difference) == ("equal length", 3.0)
    beside = find_layout(batches_of, lambda rows: [torch.tensor([float(len(rows))]).double()], int)
    assert beside.layout == "alone"
    single = find_layout(batches_of, lambda rows: [torch.tensor([float(rows[-1])]).double()], int)
    assert (single.layout, single.difference) == ("padded", 0.0)
