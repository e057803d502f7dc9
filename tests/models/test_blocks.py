"""What each block of a family is found to add to its residual stream, against sums of hooked activations.

Blocks of one model differ: a part is looked for in each, and its absence has a reason.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

import mediation as med
from mediation.testing import tiny_model
from tests.models.families import BY_NAME, FAMILIES, built, ids_of

ADDS = "(attention, MLP) of each block; None where there is none"
# What transformers' own modules are called, and which blocks hold them.
PARTS: dict[str, list[tuple[str | None, str | None]]] = {
    "Bloom": [("self_attention.dense", "mlp.dense_4h_to_h")] * 2,
    "Mpt": [("attn", "ffn.down_proj")] * 2,
    "GPTNeo": [("attn", "mlp")] * 2,
    "GPTJ": [("attn", "mlp")] * 2,
    "CodeGen": [("attn", "mlp")] * 2,
    "Falcon": [("self_attention", "mlp")] * 2,
    "CTRL": [("multi_head_attention", "ffn")] * 2,
    "OpenAIGPT": [("attn", "mlp")] * 2,
    "Persimmon": [("self_attn", "mlp")] * 2,
    "ModernBertDecoder": [("attn", "mlp")] * 2,
    "RobertaPreLayerNorm": [("attention.output.dense", "output.dense")] * 2,
    "Bert": [("attention.output.dense", "output.dense")] * 2,
    "ConvBert": [("attention.output.dense", "output.dense")] * 2,
    "Olmo2": [("self_attn", "mlp")] * 2,
    "Granite": [("self_attn", "mlp")] * 2,
    "DiffLlama": [("self_attn", "mlp")] * 2,
    "Lfm2": [(None, "feed_forward"), ("self_attn", "feed_forward"), (None, "feed_forward")],
    "Lfm2Moe": [(None, "feed_forward"), ("self_attn", "feed_forward"), (None, "feed_forward")],
    "NemotronH": [(None, None), ("mixer", None), (None, "mixer"), (None, "mixer")],
    "Qwen3Next": [(None, "mlp")] * 3 + [("self_attn", "mlp")],
    "Jamba": [(None, "feed_forward"), ("self_attn", "feed_forward")] * 2,
    "Bamba": [(None, "feed_forward"), ("self_attn", "feed_forward")],
    "RecurrentGemma": [(None, "mlp_block"), (None, "mlp_block"), ("temporal_block", "mlp_block")],
    "FalconH1": [("self_attn", "feed_forward")] * 2,
    "GraniteMoeHybrid": [(None, None), ("self_attn", None)],
    "Zamba": [(None, None)] * 4,
    "MiniMax": [(None, "mlp"), ("self_attn", "mlp")],
    "DeepseekV3": [("self_attn", "mlp")] * 2,
    "Qwen2Moe": [("self_attn", "mlp")] * 2,
    "Llama4": [("self_attn", "feed_forward")] * 2,
    "Glm4Moe": [("self_attn", "mlp")] * 2,
    "GptOss": [("self_attn", "mlp")] * 2,
    "JetMoe": [("self_attention", "mlp")] * 2,
    "Mamba": [(None, None)] * 2,
    "Mamba2": [(None, None)] * 2,
    "Rwkv": [(None, "feed_forward")] * 2,
    "xLSTM": [(None, "ffn")] * 2,
}
NEURONS: dict[str, list[str | None]] = {
    "DeepseekV3": ["mlp.down_proj", None],
    "Qwen2Moe": ["mlp.down_proj", None],
    "Llama4": ["feed_forward.down_proj", None],
    "Glm4Moe": ["mlp.down_proj", None],
    "NemotronH": [None, None, "mixer.down_proj", None],
    "Lfm2Moe": ["feed_forward.w2", None, None],
    "Jamba": ["feed_forward.down_proj", None] * 2,
    "GptOss": [None, None],
    "ModernBertDecoder": ["mlp.Wo"] * 2,
    "Rwkv": [None, None],
}
HEADS: dict[str, list[tuple[str | None, int | None]]] = {
    "GPTNeo": [("attn.attention.out_proj", 4)] * 2,
    "ModernBertDecoder": [("attn.Wo", 4)] * 2,
    "CTRL": [("multi_head_attention.dense", 4)] * 2,
    "Falcon": [("self_attention.dense", 4)] * 2,
    "Bloom": [("self_attention.dense", 4)] * 2,
    "NemotronH": [(None, None), ("mixer.o_proj", 4), (None, None), (None, None)],
    "DiffLlama": [("self_attn.o_proj", 2)] * 2,  # two heads of the same values are one
    "DeepseekV3": [("self_attn.o_proj", 4)] * 2,
    "JetMoe": [(None, None)] * 2,  # experts project
    "ConvBert": [(None, None)] * 2,  # half of what lies side by side are convolutions
}


def test_the_tables_are_about_the_families():
    assert set(PARTS) == set(FAMILIES)
    assert set(NEURONS) | set(HEADS) <= set(FAMILIES)


@pytest.mark.parametrize("family", PARTS)
def test_each_block_has_the_parts_that_it_has(family):
    blocks = med.load(built(family)).blocks()
    assert [(block.attention, block.mlp) for block in blocks] == PARTS[family], ADDS
    if family in NEURONS:
        assert [block.mlp_out for block in blocks] == NEURONS[family]
    if family in HEADS:
        assert [(block.attention_out, block.heads) for block in blocks] == HEADS[family]


# Families whose blocks are sums of their input and of two outputs, times a number: no norm after, and nothing else.
SUMS = {
    **dict.fromkeys(("Bloom", "Mpt", "GPTNeo", "GPTJ", "CodeGen", "Falcon", "CTRL", "Persimmon"), 1.0),
    **dict.fromkeys(("ModernBertDecoder", "DiffLlama", "DeepseekV3", "Qwen2Moe", "Llama4", "Glm4Moe", "GptOss"), 1.0),
    **dict.fromkeys(("JetMoe", "RobertaPreLayerNorm"), 1.0),
    "Granite": 0.5,
}


class Outputs:
    """Inputs and outputs of modules in one forward pass."""

    def __init__(self, net: nn.Module) -> None:
        self.given: dict[str, Tensor] = {}
        self.taken: dict[str, Tensor] = {}
        for path, module in net.named_modules():
            module.register_forward_hook(
                lambda _, args, kwargs, out, p=path: self.see(p, args, kwargs, out), with_kwargs=True
            )
        with torch.no_grad():
            net(**ids_of(net))

    def see(self, path: str, args: Any, kwargs: Any, out: Any) -> None:
        first = args[0] if args else next(iter(kwargs.values()), None)
        main = out[0] if isinstance(out, tuple) else out
        if isinstance(main, Tensor) and isinstance(first, Tensor):
            self.given[path], self.taken[path] = main.clone(), first.clone()


@pytest.mark.parametrize("family", SUMS)
def test_input_and_parts_sum_to_the_output(family):
    net = built(family)
    model, seen = med.load(net), Outputs(net)
    for layer, block in enumerate(model.blocks()):
        path = model.known_architecture().path(layer)
        added = [seen.given[f"{path}.{part}"] for part in (block.attention, block.mlp)]
        stream = seen.taken[path]
        total = stream + SUMS[family] * sum(one.reshape(stream.shape) for one in added)
        torch.testing.assert_close(total, seen.given[path], atol=1e-4, rtol=1e-4)
        assert all(float(one.abs().max()) > 1e-3 for one in added)


def test_norms_after_the_sum_or_before_it():
    """BERT: the stream is normed after each sum; OLMo 2: what is added is normed first."""
    net = built("Bert")
    seen, block = Outputs(net), "bert.encoder.layer.1"
    after = net.get_submodule(f"{block}.attention.output.LayerNorm")(
        seen.taken[block] + seen.given[f"{block}.attention.output.dense"]
    )
    out = net.get_submodule(f"{block}.output.LayerNorm")(after + seen.given[f"{block}.output.dense"])
    torch.testing.assert_close(out, seen.given[block])
    net = built("Olmo2")
    seen, block = Outputs(net), "model.layers.1"
    attention, mlp = (
        net.get_submodule(f"{block}.{norm}")(seen.given[f"{block}.{part}"])
        for norm, part in (("post_attention_layernorm", "self_attn"), ("post_feedforward_layernorm", "mlp"))
    )
    torch.testing.assert_close(seen.taken[block] + attention + mlp, seen.given[block])


def test_looking_leaves_the_model_and_the_random_numbers_alone():
    net = built("Granite").train()
    model = med.load(net)
    net.train()
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    model.blocks()
    assert torch.equal(torch.rand(1), before)
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_residual_sites_cost_no_look():
    model = med.load(tiny_model("llama"))
    pairs = med.Pairs(base=torch.arange(3, 15).view(2, 6), source=torch.arange(30, 42).view(2, 6))
    med.plan_sweep(model, pairs, med.residual(at="last"), med.LogitDiff(5, 6))
    assert "_blocks" not in vars(model)
    med.plan_sweep(model, pairs, med.mlp(at="last"), med.LogitDiff(5, 6))
    assert "_blocks" in vars(model)


def test_a_block_that_was_changed_is_looked_at_again():
    net = built("Granite")
    model = med.load(net)
    assert model.blocks()[0].attention == "self_attn"
    net.model.layers[0].self_attn.o_proj = nn.Sequential(net.model.layers[0].self_attn.o_proj, nn.Identity())
    assert model.blocks()[0].attention_out == "self_attn.o_proj.0"


def test_a_model_that_cannot_run_on_a_few_tokens_is_read_by_its_names():
    net = built("Llama4")
    net.forward = None  # type: ignore[assignment]
    blocks = med.load(net).blocks()
    assert [(one.attention, one.attention_out, one.mlp) for one in blocks] == [
        ("self_attn", "self_attn.o_proj", "feed_forward")
    ] * 2
    assert [one.mlp_out for one in blocks] == ["feed_forward.down_proj", None]  # experts


@pytest.mark.parametrize("family", BY_NAME)
def test_no_list_of_parts_is_taken_for_blocks(family):
    """XLM keeps lists of attentions, norms and MLPs, and no blocks."""
    assert med.load(built(family, BY_NAME)).architecture is None


@pytest.mark.parametrize(
    ("kind", "causal"), [("BertLMHeadModel", False), ("RobertaForCausalLM", False), ("GPTNeoXForCausalLM", True)]
)
def test_encoders_are_causal_only_as_decoders(kind, causal):
    """A class with a language-model head says nothing: without is_decoder, BERT sees later tokens."""
    config = getattr(transformers, kind).config_class
    sizes = {"vocab_size": 64, "hidden_size": 16, "num_attention_heads": 4, "num_hidden_layers": 2}
    for decoder in (False, True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = getattr(transformers, kind)(config(**sizes, intermediate_size=32, is_decoder=decoder)).eval()
        ids = torch.arange(4, 12)[None]
        with torch.no_grad():
            one, other = (net(input_ids=x).logits[:, :-1] for x in (ids, torch.cat([ids[:, :-1], ids[:, :1]], 1)))
        assert med.load(net).is_causal == torch.allclose(one, other, atol=1e-6) == (causal or decoder)
