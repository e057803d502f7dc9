"""A run leaves the user's model as it was, sees it as it is now, and runs it in evaluation mode."""

import copy
import json
import pickle

import pytest
import torch

import mediation as med
from mediation.engine import HookBackend, NnsightBackend
from mediation.models import in_use

TOKENIZER = med.testing.tiny_tokenizer()
PAIRS = med.Pairs(
    base=["The capital of Italy is", "The cat of Mary is"], source=["The capital of France is", "The cat of John is"]
)
OUTCOME = med.LogitDiff(" Paris", " Rome")
OPTIONS = {"n_resamples": 99, "rng": 0, "progress": False}
IDS = torch.tensor([[3, 1, 4, 1, 5]])
pytestmark = pytest.mark.filterwarnings("ignore::mediation.MediationWarning")


def _state(net):
    """What a run could leave behind on a module tree: attributes, hooks, modes."""
    return [
        (
            path,
            {name: id(value) for name, value in vars(part).items() if not name.startswith("_")},
            part.training,
            list(part._forward_hooks),
            list(part._forward_pre_hooks),
        )
        for path, part in net.named_modules()
    ]


def _ask(model, site, **options):
    return med.mediate(model, PAIRS, site, OUTCOME, **OPTIONS, **options).units["y01"].tolist()


SITES = [med.residual(0, at="last"), med.pattern(1, at="last"), med.attention(1, head=2, at="last")]


@pytest.mark.parametrize("site", SITES, ids=str)
@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
def test_nothing_is_left_on_the_model(site, backend):
    net = med.testing.tiny_model("llama")
    net.model.layers[0].mlp.forward = net.model.layers[0].mlp.forward  # as a user or accelerate may have it
    before, softmax = _state(net), torch.nn.functional.softmax
    _ask(med.load(net, TOKENIZER), site, backend=backend)
    assert _state(net) == before
    assert torch.nn.functional.softmax is softmax
    with torch.no_grad():
        want = net(input_ids=IDS).logits
        again = pickle.loads(pickle.dumps(med.testing.tiny_model("llama")))
        for one in (copy.deepcopy(net), again):
            torch.testing.assert_close(one(input_ids=IDS).logits, want)


@pytest.mark.parametrize("backend", [HookBackend(), NnsightBackend()], ids=["hooks", "nnsight"])
@pytest.mark.parametrize("io", ["output", "pattern"])
def test_nor_after_an_error(backend, io):
    net = med.testing.tiny_model("llama")
    net.model.layers[1].train()
    before, softmax = _state(net), torch.nn.functional.softmax
    model = med.models.Model(net)
    path = "model.layers.1.self_attn" if io == "pattern" else "model.layers.1"

    def fails(tensor):
        raise KeyError

    with pytest.raises(KeyError):
        backend.forward(model, {"input_ids": IDS}, [med.engine.Visit(path, io, fails)], lambda output: output)
    assert _state(net) == before
    assert torch.nn.functional.softmax is softmax


def test_an_nnsight_model_of_the_users_own_goes_on():
    import nnsight

    net = med.testing.tiny_model("llama")
    own = nnsight.NNsight(net)
    before = _state(net)
    _ask(med.load(own, TOKENIZER), med.pattern(0, at="last"))
    assert _state(net) == before
    with torch.no_grad(), own.trace(input_ids=IDS):
        found = nnsight.save(own.model.layers[0].output)
    with torch.no_grad():
        want = net(input_ids=IDS, output_hidden_states=True).hidden_states[1]
    torch.testing.assert_close(found, want)


class _Wrapped(torch.nn.Module):
    def __init__(self, base):
        super().__init__()
        torch.manual_seed(3)
        self.base, self.in_features, self.out_features = base, base.in_features, base.out_features
        self.more = torch.nn.Linear(base.in_features, base.out_features)

    def forward(self, x):
        return self.base(x) + self.more(x)


def _swap_layer(net):
    net.model.layers[1] = med.testing.tiny_model("llama", layers=3).model.layers[2]
    net.model.layers[1].self_attn.layer_idx = 1


def _wrap_maps(net):
    attention = net.model.layers[1].self_attn
    attention.q_proj, attention.o_proj = _Wrapped(attention.q_proj), _Wrapped(attention.o_proj)


def _parametrise(net):
    class Double(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    torch.nn.utils.parametrize.register_parametrization(net.model.layers[1].self_attn.o_proj, "weight", Double())


def _widen(net):
    net.double()


@pytest.mark.parametrize("change", [_swap_layer, _wrap_maps, _parametrise, _widen])
def test_a_model_that_was_changed_after_a_run_is_seen_as_it_is(change):
    net = med.testing.tiny_model("llama")
    model, site = med.load(net, TOKENIZER), med.attention(1, head=2, at="last")
    _ask(model, site)
    states = med.probing.capture(model, PAIRS, site).values
    change(net)
    fresh = med.load(copy.deepcopy(net), TOKENIZER)
    assert _ask(model, site) == pytest.approx(_ask(fresh, site, backend="reference"), abs=1e-5)
    now = med.probing.capture(model, PAIRS, site).values
    assert now == pytest.approx(med.probing.capture(fresh, PAIRS, site, backend="hooks").values, abs=1e-5)
    assert abs(now - states).max() > 1e-4 or change in (_widen, _parametrise)
    told = [med.rollout(one, PAIRS.base, max_new_tokens=3).ids for one in (model, fresh)]
    assert told[0] == told[1]


def test_modes_of_single_modules_are_put_back():
    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.drop, self.b = torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
            self.calls = []

        def train(self, mode=True):
            self.calls.append(mode)
            return super().train(mode)

        def forward(self, x):
            return self.b(self.drop(self.a(x)))

    net = Counting()
    net.eval()
    net.drop.train()
    before = [part.training for part in net.modules()]
    x = torch.ones(4, 3)
    with torch.no_grad():
        want = net.b(net.a(x))
    found = med.probing.capture(med.models.Model(net), x, med.Site("b")).values
    torch.testing.assert_close(torch.tensor(found).reshape(4, 1), want)
    assert [part.training for part in net.modules()] == before
    with in_use(net):
        assert not any(part.training for part in net.modules())
    assert [part.training for part in net.modules()] == before
    assert False in net.calls  # what a user does on the way into evaluation is done


@pytest.mark.parametrize("ask", ["mediate", "attribution", "rollout", "capture"])
def test_training_mode_after_load(ask):
    questions = {
        "mediate": lambda model: _ask(model, med.residual(0, at="last")),
        "attribution": lambda model: med.attribution(model, PAIRS, med.residual(0), OUTCOME)["score"].tolist(),
        "rollout": lambda model: [list(one) for one in med.rollout(model, PAIRS.base, max_new_tokens=4).ids],
        "capture": lambda model: med.probing.capture(model, PAIRS, med.residual(1, at="last")).values.ravel().tolist(),
    }
    net = med.testing.tiny_model("llama", attention_dropout=0.5)
    model = med.load(net, TOKENIZER)
    want = questions[ask](model)
    net.train()
    for _ in range(2):
        assert questions[ask](model) == want
    assert all(part.training for part in net.modules())


# ------------------------------------------------------------------------------------------ compiled and the like


def test_compiled_in_place_and_run_before():
    net = med.testing.tiny_model("llama")
    want = _ask(med.load(med.testing.tiny_model("llama"), TOKENIZER), med.residual(0, at="last"))
    net.compile(backend="eager")
    try:
        with torch.no_grad():
            first = net(input_ids=IDS).logits
    except torch._dynamo.exc.InternalTorchDynamoError as error:  # as with torch 2.13 on Python 3.13.0
        pytest.skip(f"torch does not compile here: {error}"[:80])
    assert _ask(med.load(net, TOKENIZER), med.residual(0, at="last")) == pytest.approx(want, abs=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(net(input_ids=IDS).logits, first)


@pytest.mark.parametrize("wrap", [lambda net: torch.compile(net, backend="eager"), torch.nn.DataParallel])
def test_what_wraps_a_module_is_taken_off(wrap):
    net = med.testing.tiny_model("llama")
    want = _ask(med.load(med.testing.tiny_model("llama"), TOKENIZER), med.residual(0, at="last"))
    model = med.load(wrap(net), TOKENIZER)
    assert model.module is net
    assert _ask(model, med.residual(0, at="last")) == pytest.approx(want, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(2, 3))])
def test_torchscript_is_refused(make):
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    scripted = make(net)
    with pytest.raises(med.errors.BackendError, match="TorchScript"):
        med.load(scripted)
    with pytest.raises(med.errors.BackendError, match="'0' of Sequential is TorchScript"):
        med.load(torch.nn.Sequential(scripted, torch.nn.Linear(1, 1)))


def test_an_exported_graph_is_refused():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    exported = torch.export.export(net, (torch.zeros(2, 3),)).module()
    with pytest.raises(med.errors.BackendError, match="exported graph"):
        med.load(exported)


def test_the_folder_of_an_adapter_without_peft(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "x"}))
    with pytest.raises(med.errors.BackendError, match="pip install peft"):
        med.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"base_model_name_or_path": null}', "[]"])
def test_the_folder_of_an_adapter_that_names_no_model(tmp_path, monkeypatch, text):
    import types

    monkeypatch.setitem(__import__("sys").modules, "peft", types.ModuleType("peft"))
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(med.errors.BackendError, match="names no model"):
        med.load(tmp_path)


def test_virtual_tokens_are_refused():
    """As PEFT's prompt tuning puts them: the adapter says so itself, and a wrapper that does not is found by shape."""

    class Prompted(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net, self.config = net, net.config
            self.virtual = torch.nn.Parameter(torch.randn(3, net.config.hidden_size))

        def forward(self, input_ids, attention_mask=None):
            words = self.net.get_input_embeddings()(input_ids)
            more = self.virtual.expand(len(words), -1, -1)
            return self.net(inputs_embeds=torch.cat([more, words], 1))

    net = Prompted(med.testing.tiny_model("llama"))
    architecture = med.models.Architecture(layers="net.model.layers", causal=True)
    with pytest.raises(med.MediationError):
        _ask(med.load(net, TOKENIZER, architecture=architecture), med.residual(0, at=1))
    net.active_peft_config = type("C", (), {"peft_type": "PROMPT_TUNING", "is_prompt_learning": True})()
    net.active_peft_config.num_virtual_tokens = 3
    with pytest.raises(med.errors.BackendError, match="3 virtual tokens"):
        med.load(net, TOKENIZER)
