"""Where a model keeps its stacks of blocks, and what the names inside a block say of its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from ._architecture import Architecture
from ._config import said

_ATTENTION = (
    *("self_attn", "attn.attention", "attn", "self_attention", "attention", "self", "SelfAttention"),
    *("layer.0.SelfAttention", "multi_head_attention", "mixer", "temporal_block"),
)
_ATTENTION_OUT = (
    *("o_proj", "out_proj", "c_proj", "dense", "out_lin", "output.dense", "wo", "Wo", "o", "proj", "wout"),
    "dense_attn",
)
_MLP = ("mlp", "ffn", "feed_forward", "block_sparse_moe", "DenseReluDense", "fc2", "output.dense")
_MLP_OUT = ("down_proj", "c_proj", "dense_4h_to_h", "fc2", "lin2", "fc_out", "w2", "wo", "dense")
_EMBEDDING = ("embed_tokens", "wte", "embed_in", "word_embeddings", "embeddings", "w")
_NO_STACK = re.compile(r"visual|vision|image|vit\b|vqmodel|audio|speech|talker|code_predictor", re.IGNORECASE)
_NO_BLOCK = re.compile(
    r"(attention|mlp|ffn|feedforward|norm|linear|experts?|embeddings?|conv\dd|adapter)$", re.IGNORECASE
)
_NOT_SOFTMAX = re.compile(
    r"SSM|(?i:linear|lightning|delta|rwkv|conv|retention|lstm|(recurrent|mamba|moe|mlp)(?!\w*attention))"
)
_STACKS = ("encoder", "decoder")


def find_architecture(module: nn.Module) -> Architecture | None:
    """Return the architecture of a transformer, or None when no list of blocks is found; of two stacks, the encoder."""
    return next(iter(find_stacks(module).values()), None)


def find_stacks(module: nn.Module) -> dict[str, Architecture]:
    """Return the stacks of a model: "encoder" and "decoder", or one without a name; none where no blocks are found."""
    lists = _lists(module)
    config = text_config(module)
    if getattr(getattr(module, "config", None), "is_encoder_decoder", False):
        found: dict[str, str] = {}
        for name, side in ((name, _side(name)) for name in sorted(lists, key=lambda one: -lists[one])):
            if side is not None:
                found.setdefault(side, name)
        if len(found) == len(_STACKS):
            return {side: _named(module, found[side], config, side) for side in _STACKS}
    texts = {name: size for name, size in lists.items() if not _NO_STACK.search(name)} or lists
    texts = {name: size for name, size in texts.items() if "language_model" in name or "text_model" in name} or texts
    if not texts:
        return {}
    return {"": _named(module, max(texts, key=lambda name: texts[name]), config, "")}


def parts_by_name(block: nn.Module) -> dict[str, str | None]:
    """Return what the names inside one block say: its attention, its MLP and their last maps."""
    names = {name: type(inner).__name__ for name, inner in block.named_modules() if name}
    attention, attention_out = _find_attention(names)
    mlp, mlp_out = _find_mlp(names)
    return {"attention": attention, "attention_out": attention_out, "mlp": mlp, "mlp_out": mlp_out}


def text_config(module: nn.Module) -> Any:
    """Return the configuration of a model's text part, or None."""
    config = getattr(module, "config", None)
    getter = getattr(config, "get_text_config", None)
    return getter() if callable(getter) else config


def _side(name: str) -> str | None:
    return next((side for piece in name.split(".") for side in _STACKS if piece.split("_")[-1] == side), None)


def _lists(module: nn.Module) -> dict[str, int]:
    """Return the lists of blocks that lie in no other one, with their lengths."""
    found: dict[str, int] = {}
    for name, child in module.named_modules():
        if not isinstance(child, nn.ModuleList) or len(child) == 0 or any(name.startswith(f"{one}.") for one in found):
            continue
        if all(_is_block(block) for block in child) and (_alike(child) or _all_layers(child)):
            found[name] = len(child)
    return found


def _is_block(block: nn.Module) -> bool:
    return any(True for _ in block.children()) and not _NO_BLOCK.search(type(block).__name__)


def _alike(blocks: nn.ModuleList) -> bool:
    return all(type(block) is type(blocks[0]) for block in blocks)


def _all_layers(blocks: nn.ModuleList) -> bool:
    return all(re.search("layer|block", type(block).__name__, re.IGNORECASE) for block in blocks)


def _named(module: nn.Module, layers: str, config: Any, side: str) -> Architecture:
    parts: dict[str, str | None] = {}
    for block in module.get_submodule(layers).children():
        for name, path in parts_by_name(block).items():
            if parts.get(name) is None:
                parts[name] = path
    found = (said(config, name) for name in ("num_attention_heads", "n_head", "n_heads", "num_heads"))
    heads = next((one for one in found if isinstance(one, int) and one), None)
    return Architecture(
        layers=layers,
        embedding=_find_embedding(module, side),
        n_heads=heads,
        causal=_is_causal(module, config, layers),
        **parts,
    )


def _is_causal(module: nn.Module, config: object, layers: str) -> bool:
    name, configs = type(module).__name__, (config, getattr(module, "config", None))
    if any(getattr(one, "is_encoder_decoder", False) for one in configs):
        return False
    if "encoder" in layers.split(".") and not getattr(config, "is_decoder", False):
        return False  # BERT and its kin are decoders only where their configuration says so
    if getattr(config, "model_type", None) == "xlnet":
        return False
    return "CausalLM" in name or "LMHeadModel" in name or "ConditionalGeneration" in name


def _find_attention(names: Mapping[str, str]) -> tuple[str | None, str | None]:
    for attention in _ATTENTION:
        if attention not in names or _NOT_SOFTMAX.search(names[attention]):
            continue
        for out in _ATTENTION_OUT:
            path = f"{attention}.{out}"
            if path in names:
                # BERT-like: `attention` adds the residual and the norm; its own output is the dense layer's.
                return (path if out == "output.dense" else attention), path
        return attention, None
    return None, None


def _find_mlp(names: Mapping[str, str]) -> tuple[str | None, str | None]:
    for mlp in _MLP:
        if mlp not in names:
            continue
        for out in _MLP_OUT:
            if f"{mlp}.{out}" in names:
                return mlp, f"{mlp}.{out}"
        return (mlp, mlp) if mlp in ("fc2", "output.dense") else (mlp, None)
    return None, None


def _find_embedding(module: nn.Module, side: str) -> str | None:
    candidates = [
        name
        for name, child in module.named_modules(remove_duplicate=False)
        if isinstance(child, nn.Embedding)
        and name.rsplit(".", 1)[-1] in _EMBEDDING
        and _side(name) in (None, side or _side(name))
    ]
    if not candidates:
        return None if side else _input_embedding(module)
    nearest: str = min(candidates, key=lambda name: (bool(side) and _side(name) != side, len(name)))
    return nearest


def _input_embedding(module: nn.Module) -> str | None:
    """Return the path of the token embedding that a `transformers` model itself names."""
    getter = getattr(module, "get_input_embeddings", None)
    try:
        own = getter() if callable(getter) else None
    except (NotImplementedError, AttributeError):
        return None
    return next((name for name, child in module.named_modules() if name and child is own), None)
