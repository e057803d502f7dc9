"""Sites of families whose blocks differ or keep their parts elsewhere: exchanges against plain hooks, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

import mediation as med
from mediation import LogitDiff, Pairs, Site, World, attention, embedding, mlp, neurons, pattern, residual
from tests.engine.studies import exchanges, token_pairs, values
from tests.models.families import built

OUTCOME = LogitDiff(5, 6)
PAIRS = token_pairs((6, 6))
WIDTH = 4  # features of a head

# site, module, side, features
Case = tuple[Site, str, str, Any]


def head(layer: int, index: int, out: str, width: int = WIDTH) -> Case:
    return attention(layer, head=index, at="last"), out, "input", slice(index * width, (index + 1) * width)


def whole(site: Site, path: str) -> Case:
    return site, path, "output", slice(None)


def some(layer: int, out: str) -> Case:
    return neurons(layer, [1, 2, 5], at="last"), out, "input", [1, 2, 5]


CASES: dict[str, list[Case]] = {
    "Bloom": [
        whole(attention(1, at="last"), "transformer.h.1.self_attention.dense"),
        whole(mlp(0, at="last"), "transformer.h.0.mlp.dense_4h_to_h"),
        head(1, 2, "transformer.h.1.self_attention.dense"),
        some(1, "transformer.h.1.mlp.dense_4h_to_h"),
    ],
    "Mpt": [
        whole(mlp(0, at="last"), "transformer.blocks.0.ffn.down_proj"),
        some(1, "transformer.blocks.1.ffn.down_proj"),
        head(0, 3, "transformer.blocks.0.attn.out_proj"),
    ],
    "GPTNeo": [
        head(1, 1, "transformer.h.1.attn.attention.out_proj"),
        whole(attention(0, at="last"), "transformer.h.0.attn"),
    ],
    "CTRL": [
        whole(attention(1, at="last"), "transformer.h.1.multi_head_attention"),
        head(1, 1, "transformer.h.1.multi_head_attention.dense"),
        some(0, "transformer.h.0.ffn.2"),
    ],
    "ModernBertDecoder": [head(0, 2, "model.layers.0.attn.Wo"), some(1, "model.layers.1.mlp.Wo")],
    "DiffLlama": [head(1, 1, "model.layers.1.self_attn.o_proj", 2 * WIDTH)],
    "Lfm2Moe": [
        whole(attention(1, at="last"), "model.layers.1.self_attn"),
        head(1, 1, "model.layers.1.self_attn.out_proj"),
        some(0, "model.layers.0.feed_forward.w2"),
        whole(mlp(2, at="last"), "model.layers.2.feed_forward"),
    ],
    "NemotronH": [
        whole(attention(1, at="last"), "model.layers.1.mixer"),
        head(1, 3, "model.layers.1.mixer.o_proj"),
        some(2, "model.layers.2.mixer.down_proj"),
        whole(mlp(3, at="last"), "model.layers.3.mixer"),
    ],
    "Qwen3Next": [
        whole(attention(3, at="last"), "model.layers.3.self_attn"),
        head(3, 1, "model.layers.3.self_attn.o_proj"),
    ],
    "FalconH1": [whole(attention(1, at="last"), "model.layers.1.self_attn")],
    "Jamba": [head(3, 1, "model.layers.3.self_attn.o_proj"), some(2, "model.layers.2.feed_forward.down_proj")],
    "Llama4": [some(0, "model.layers.0.feed_forward.down_proj")],
    "Granite": [whole(mlp(1, at="last"), "model.layers.1.mlp"), head(0, 1, "model.layers.0.self_attn.o_proj")],
}


def by_hooks(net: nn.Module, case: tuple[str, str, Any], base: Any, source: Any, *, at: int = -1) -> float:
    """Return the outcome of the base input with the source's activation put in, by two passes with plain hooks."""
    kept: list[Tensor] = []
    path, side, features = case
    module = net.get_submodule(path)

    def take(value: Tensor) -> None:
        kept.append(value.clone())

    def put(value: Tensor) -> Tensor:
        new = value.clone()
        rows, theirs = new.reshape(-1, new.shape[-1]), kept[0].reshape(-1, new.shape[-1])
        rows[at, features] = theirs[at, features]
        return new

    _run(net, module, side, take, source)
    logits = _run(net, module, side, put, base)
    return float(logits[0, -1, 5] - logits[0, -1, 6])


def _run(net: nn.Module, module: nn.Module, side: str, see: Callable[[Tensor], Tensor | None], given: Any) -> Tensor:
    def after(_: nn.Module, __: Any, out: Any) -> Any:
        found = see(out[0] if isinstance(out, tuple) else out)
        return None if found is None else (found, *out[1:]) if isinstance(out, tuple) else found

    def before(_: nn.Module, args: Any) -> Any:
        found = see(args[0])
        return None if found is None else (found, *args[1:])

    handle = module.register_forward_hook(after) if side == "output" else module.register_forward_pre_hook(before)
    with torch.no_grad():
        logits: Tensor = net(**{name: value[None] for name, value in given.items()}, use_cache=False).logits
    handle.remove()
    return logits


@pytest.mark.parametrize("family", CASES)
def test_exchanges_by_hand(family):
    net = built(family)
    model = med.load(net)
    sites = [site for site, *_ in CASES[family]]
    found = values(model, PAIRS, [World("base", med.Interchange().at(site)) for site in sites], OUTCOME)[:, :, 0]
    plain = values(model, PAIRS, [World("base")], OUTCOME)[0, :, 0]
    for (site, path, side, features), mine in zip(CASES[family], found, strict=True):
        expected = [
            by_hooks(net, (path, side, features), {"input_ids": base}, {"input_ids": source})
            for base, source in zip(PAIRS.base, PAIRS.source, strict=True)
        ]
        np.testing.assert_allclose(mine, expected, atol=2e-5, err_msg=str(site))
        assert np.abs(mine - plain).max() > 1e-4, site


@pytest.mark.parametrize(
    ("family", "sites", "expected"),
    [
        ("Lfm2", attention(head="each"), [(1, 0), (1, 1), (1, 2), (1, 3)]),
        ("Qwen3Next", attention(), [(3, None)]),
        ("NemotronH", mlp(), [(2, None), (3, None)]),
        ("Jamba", neurons(), [(0, None), (2, None)]),
        ("DiffLlama", attention(0, head="each"), [(0, 0), (0, 1)]),
        ("Bamba", pattern(head="each"), [(1, 0), (1, 1), (1, 2), (1, 3)]),
    ],
)
def test_a_sweep_takes_the_blocks_that_have_the_part(family, sites, expected):
    model = med.load(built(family))
    found = sites.expand(model, med.units.encode(PAIRS, model))
    assert [(site.layer, site.head) for site in found] == expected


@pytest.mark.parametrize(
    ("family", "site", "text"),
    [
        (
            "Lfm2",
            attention(0),
            r"block 0 \('conv'\) of Lfm2ForCausalLM has no attention; .*\. Blocks that have one: 1\.",
        ),
        ("Lfm2", attention(2, head=1), r"block 2 \('conv'\) .* no attention"),
        ("NemotronH", attention(0), r"no attention; it adds mixer \(NemotronHMamba2Mixer\)"),
        ("NemotronH", mlp(1), r"no MLP; it adds mixer \(NemotronHAttention\)\. Blocks that have one: 2, 3"),
        (
            "NemotronH",
            neurons(3),
            r"block 3 .* no neurons of its own: 'mixer' \(NemotronHMoE\) routes tokens to experts",
        ),
        ("DeepseekV3", neurons(1, [0]), "block 1 .*experts.* Blocks that have one: 0"),
        ("Qwen3Next", neurons(), "No block has one. Name a module: med.Site"),
        ("MiniMax", attention(0), r"no attention; it adds self_attn \(MiniMaxLightningAttention\)"),
        ("Rwkv", attention(1), r"no attention; it adds attention \(RwkvSelfAttention\)"),
        ("Mamba", mlp(0), r"no MLP; it adds mixer \(MambaMixer\)"),
        ("Zamba", attention(1), r"no attention; it adds mamba_decoder.mamba"),
        ("GraniteMoeHybrid", mlp(1), "several modules that are its MLP, 'block_sparse_moe' and 'shared_mlp'"),
        ("JetMoe", attention(0, head=1), "no linear map whose input is the heads of 'self_attention'"),
        ("DiffLlama", pattern(0, head=1), "no single tensor of attention probabilities"),
        ("Bloom", residual(0, stack="decoder"), r"one stack of blocks, 'transformer.h'\. Leave `stack` out"),
    ],
)
def test_sites_that_are_not_there_are_refused_by_name(family, site, text):
    with pytest.raises(med.errors.SiteError, match=text):
        values(med.load(built(family)), PAIRS, exchanges([site]), OUTCOME)


@pytest.mark.parametrize("family", ["GPTJ", "CodeGen", "GPTNeo", "Bloom", "Mpt", "Falcon", "OpenAIGPT", "NemotronH"])
def test_patterns_are_the_probabilities_that_the_model_gives_out(family):
    """What is put in are the source's probabilities: what a head writes is theirs times the base's values."""
    net = built(family)
    model = med.load(net)
    layer = next(i for i, block in enumerate(model.blocks()) if block.pattern is not None)
    block, path = model.blocks()[layer], model.known_architecture().path(layer)
    found = values(model, PAIRS, [World("base", med.Interchange().at(pattern(layer, head=2, at="last")))], OUTCOME)
    expected = [
        _with_pattern(net, path, block, 2, base, source) for base, source in zip(PAIRS.base, PAIRS.source, strict=True)
    ]
    np.testing.assert_allclose(found[0, :, 0], expected, atol=2e-5)
    assert not any("softmax" in name for name in vars(torch.nn.functional.softmax))


def _with_pattern(net: nn.Module, path: str, block: Any, index: int, base: Tensor, source: Tensor) -> float:
    """Return the outcome with one row of probabilities put in through a wrapped softmax."""
    plain, kept = torch.nn.functional.softmax, []
    attn = net.get_submodule(f"{path}.{block.pattern}")
    inside = []
    handles = [
        attn.register_forward_pre_hook(lambda *_: inside.append(1)),
        attn.register_forward_hook(lambda *_: inside.clear()),
    ]

    def softmax(*args: Any, **kwargs: Any) -> Tensor:
        result = plain(*args, **kwargs)
        if inside:
            if len(kept) == 1:
                result = result.clone()
                result[0, index, -1] = kept[0]
            kept.append(result[0, index, -1].clone())
        return result

    try:
        torch.nn.functional.softmax = softmax
        with torch.no_grad():
            net(input_ids=source[None])
            logits = net(input_ids=base[None]).logits
    finally:
        torch.nn.functional.softmax = plain
        for handle in handles:
            handle.remove()
    return float(logits[0, -1, 5] - logits[0, -1, 6])


# ---------------------------------------------------------------------------------------------- two stacks


def t5() -> nn.Module:
    config = transformers.T5Config(
        vocab_size=64, d_model=16, d_ff=32, d_kv=8, num_layers=2, num_decoder_layers=3, num_heads=2, pad_token_id=0
    )
    config._attn_implementation = "eager"
    return _large(transformers.T5ForConditionalGeneration, config)


def bart() -> nn.Module:
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in _BART.items()}
    config = transformers.BartConfig(vocab_size=64, d_model=16, max_position_embeddings=32, **sizes)
    config._attn_implementation = "eager"
    return _large(transformers.BartForConditionalGeneration, config)


_BART = {"layers": 2, "attention_heads": 4, "ffn_dim": 32}


def _large(kind: Any, config: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net: nn.Module = kind(config).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(2.0)
    return net


IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
SAID = torch.tensor([[0, 3, 4, 5, 6, 7], [0, 8, 9, 10, 11, 12]])
TWO = Pairs(
    base={"input_ids": IDS, "decoder_input_ids": SAID}, source={"input_ids": IDS + 20, "decoder_input_ids": SAID + 20}
)
STACKS: list[tuple[Callable[[], nn.Module], Site, str, str, Any, int]] = [
    (t5, residual(1, stack="encoder", at="last"), "encoder.block.1", "output", slice(None), 3),
    (t5, residual(1, stack="decoder", at="last"), "decoder.block.1", "output", slice(None), 5),
    (t5, attention(2, stack="decoder", at=-2), "decoder.block.2.layer.0.SelfAttention", "output", slice(None), 4),
    (
        t5,
        attention(1, head=1, stack="decoder", at=5),
        "decoder.block.1.layer.0.SelfAttention.o",
        "input",
        slice(8, 16),
        5,
    ),
    (t5, mlp(2, stack="decoder", at="last"), "decoder.block.2.layer.2.DenseReluDense", "output", slice(None), 5),
    (t5, neurons(0, [1, 2], stack="encoder", at=1), "encoder.block.0.layer.1.DenseReluDense.wo", "input", [1, 2], 1),
    (
        t5,
        Site("decoder.block.1.layer.1.EncDecAttention", at=4),
        "decoder.block.1.layer.1.EncDecAttention",
        "output",
        slice(None),
        4,
    ),
    (bart, attention(1, stack="decoder", at=-2), "model.decoder.layers.1.self_attn", "output", slice(None), 4),
    (
        bart,
        attention(0, head=2, stack="encoder", at=1),
        "model.encoder.layers.0.self_attn.out_proj",
        "input",
        slice(8, 12),
        1,
    ),
    (bart, mlp(0, stack="decoder", at=5), "model.decoder.layers.0.fc2", "output", slice(None), 5),
]


@pytest.mark.parametrize("make", [t5, bart])
def test_each_stack_by_hand(make):
    net = make()
    model = med.load(net)
    mine = [row[1:] for row in STACKS if row[0] is make]
    found = values(model, TWO, [World("base", med.Interchange().at(site)) for site, *_ in mine], OUTCOME)
    for (site, path, side, features, at), numbers in zip(mine, found[:, :, 0], strict=True):
        expected = [
            by_hooks(
                net,
                (path, side, features),
                *({name: value[unit] for name, value in run.items()} for run in (TWO.base, TWO.source)),
                at=at,
            )
            for unit in range(2)
        ]
        np.testing.assert_allclose(numbers, expected, atol=2e-5, err_msg=str(site))


def test_labels_name_the_stack():
    model = med.load(t5())
    found = residual(stack="decoder").expand(model, med.units.encode(TWO, model))
    assert list(map(str, found)) == ["decoder.residual[0]", "decoder.residual[1]", "decoder.residual[2]"]
    assert repr(residual(1, stack="encoder", at=0)) == "residual(1, at=0, stack='encoder')"
    assert residual(1, stack="encoder") != residual(1, stack="decoder")
    assert not med.sites.overlap(residual(1, stack="encoder"), residual(1, stack="decoder"))


@pytest.mark.parametrize(
    ("site", "text"),
    [
        (residual(1), r"two stacks of blocks, the encoder \('encoder.block'\) and the decoder \('decoder.block'\)\. "
         r"Say which one: med.residual\(1, stack='encoder'\) or med.residual\(1, stack='decoder'\)"),
        (embedding(), r"med.embedding\(stack='encoder'\)"),
        (attention(0, head=1, at="last"), r"med.attention\(0, head=1, at='last', stack='decoder'\)"),
        (residual(5, stack="encoder"), "there are 2"),
        (pattern(0, head=0, stack="decoder", at="last"), "the inputs are tensors by name"),
    ],
)  # fmt: skip
def test_a_site_of_two_stacks_says_which(site, text):
    with pytest.raises(med.errors.SiteError, match=text):
        values(med.load(t5()), TWO, exchanges([site]), OUTCOME)


def test_a_stack_is_one_of_two():
    with pytest.raises(med.errors.SiteError, match="Site stack = 'middle'"):
        residual(0, stack="middle")
    with pytest.raises(med.errors.SiteError, match="the path 'fc' says where"):
        Site("fc", stack="decoder")


# ---------------------------------------------------------------------------------------------- given by the user


def test_a_named_part_that_holds_the_residual_is_refused():
    given = med.models.Architecture(
        layers="transformer.h",
        attention="self_attention",
        attention_out="self_attention.dense",
        mlp="mlp.dense_4h_to_h",
        n_heads=4,
        causal=True,
    )
    model = med.load(built("Bloom"), architecture=given)
    with pytest.raises(med.errors.SiteError, match=r"'self_attention' holds the residual stream already, and "
                       r"'self_attention.dense' adds to it"):  # fmt: skip
        values(model, PAIRS, exchanges([attention(0)]), OUTCOME)
    found = med.load(built("Bloom"))
    worlds = exchanges([attention(0, head=1), mlp(1)])
    np.testing.assert_array_equal(values(model, PAIRS, worlds, OUTCOME), values(found, PAIRS, worlds, OUTCOME))


def test_paths_that_only_some_blocks_have():
    given = med.models.Architecture(layers="model.layers", attention="self_attn", causal=True)
    model = med.load(built("Lfm2"), architecture=given)
    with pytest.raises(med.errors.SiteError, match=r"block 0 \('conv'\) .* Blocks that have one: 1"):
        values(model, PAIRS, exchanges([attention(0)]), OUTCOME)
    assert values(model, PAIRS, exchanges([attention(1)]), OUTCOME).shape == (4, 2, 1)
