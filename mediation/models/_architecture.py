"""Where a transformer keeps its layers, attention, heads and MLPs, found from the module tree.

The search is by structure first (the longest list of equal blocks) and by the names that the
families of `transformers` use inside a block. What it cannot find is given by the user as an
`Architecture`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import final

from torch import nn

from .._checks import instance, listed, one_of, positive_int, shown, suggestion
from .._errors import SiteError

_ATTENTION = ("self_attn", "attn", "self_attention", "attention", "self", "mixer")
_ATTENTION_OUT = ("o_proj", "out_proj", "c_proj", "dense", "out_lin", "output.dense", "wo", "proj")
_MLP = ("mlp", "ffn", "feed_forward", "block_sparse_moe", "fc2", "output.dense")
_MLP_OUT = ("down_proj", "c_proj", "dense_4h_to_h", "fc2", "lin2", "fc_out", "w2", "dense")
_EMBEDDING = ("embed_tokens", "wte", "embed_in", "word_embeddings", "embeddings")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Module paths of a layered model; the paths after `layers` are relative to one layer.

    Parameters
    ----------
    layers
        Path of the list of blocks, such as ``"model.layers"``.
    attention
        Attention module inside a block; its output (or the first item of it) is the attention output.
    attention_out
        Module whose *input* holds the heads side by side, such as ``"self_attn.o_proj"``.
    mlp
        MLP module inside a block.
    mlp_out
        Module whose *input* holds the neurons, such as ``"mlp.down_proj"``.
    embedding
        Path, from the root, of the token embedding.
    n_heads
        Number of query heads.
    causal
        True if position p cannot see later positions.

    Examples
    --------
    >>> Architecture(layers="blocks", attention="mix", mlp="ffn").layers
    'blocks'
    """

    layers: str
    attention: str | None = None
    attention_out: str | None = None
    mlp: str | None = None
    mlp_out: str | None = None
    embedding: str | None = None
    n_heads: int | None = None
    causal: bool = False

    def __post_init__(self) -> None:
        for name in ("layers", "attention", "attention_out", "mlp", "mlp_out", "embedding"):
            path = getattr(self, name)
            if not isinstance(path, str) and (path is not None or name == "layers"):
                raise SiteError(f"Architecture({name}={shown(path)}): the path of a module is needed, as text.")

    def path(self, layer: int, part: str = "") -> str:
        """Return the full path of `part` in block `layer`."""
        positive_int(layer, what="Architecture.path: layer", least=0, error=SiteError)
        instance(part, str, what="Architecture.path: part", needed="the path of a module in a block", error=SiteError)
        return ".".join(piece for piece in (self.layers, str(layer), part) if piece)

    def part(self, name: str) -> str:
        """Return the relative path of a part, or raise SiteError if it is not known."""
        one_of(name, [one.name for one in fields(self)], what="Architecture.part: name", error=SiteError)
        found: str | None = getattr(self, name)
        if found is None:
            raise SiteError(
                f"The site needs the {name.replace('_', ' ')} module of a block, and none was found under "
                f"{self.layers!r}. Name it: med.load(model, architecture=med.Architecture(layers={self.layers!r}, "
                f"{name}='...')), or use med.Site('path.of.the.module')."
            )
        return found


def n_layers(module: nn.Module, architecture: Architecture) -> int:
    """Return the number of blocks."""
    blocks = module.get_submodule(architecture.layers)
    return len(list(blocks.children()))


def check_architecture(module: nn.Module, architecture: Architecture) -> Architecture:
    """Return `architecture` after checking that every path in it exists in block 0."""
    names = {name for name, _ in module.named_modules()}
    kind = type(module).__name__
    if architecture.layers not in names or architecture.path(0) not in names:
        lists = sorted(name for name, child in module.named_modules() if isinstance(child, nn.ModuleList))
        there = architecture.layers in names
        found = f"{kind} has no list of blocks there" if there else f"no such module in {kind}"
        raise SiteError(
            f"Architecture(layers={architecture.layers!r}): {found}. Its lists of blocks: {listed(lists) or 'none'}."
        )
    for field in ("attention", "attention_out", "mlp", "mlp_out"):
        part = getattr(architecture, field)
        if part is not None and architecture.path(0, part) not in names:
            inside = [name for name, _ in module.get_submodule(architecture.path(0)).named_modules() if name]
            raise SiteError(
                f"Architecture({field}={part!r}): no module {architecture.path(0, part)!r} in {kind}. "
                f"{suggestion(part, inside)} Paths are relative to one block."
            )
    if architecture.embedding is not None and architecture.embedding not in names:
        embeddings = [name for name, child in module.named_modules() if isinstance(child, nn.Embedding)]
        raise SiteError(
            f"Architecture(embedding={architecture.embedding!r}): no such module in {kind}. "
            f"{suggestion(architecture.embedding, embeddings)}"
        )
    if architecture.n_heads is not None:
        positive_int(architecture.n_heads, what="Architecture n_heads", error=SiteError)
    return architecture


def find_architecture(module: nn.Module) -> Architecture | None:
    """Return the architecture of a transformer, or None when no list of equal blocks is found."""
    layers = _longest_list(module)
    if layers is None:
        return None
    block = module.get_submodule(layers).get_submodule("0")
    attention, attention_out = _find_attention(block)
    mlp, mlp_out = _find_mlp(block)
    config = getattr(module, "config", None)
    text = (
        config.get_text_config()
        if config is not None and callable(getattr(config, "get_text_config", None))
        else config
    )
    heads = (
        getattr(text, "num_attention_heads", None) or getattr(text, "n_head", None) or getattr(text, "n_heads", None)
    )
    return Architecture(
        layers=layers,
        attention=attention,
        attention_out=attention_out,
        mlp=mlp,
        mlp_out=mlp_out,
        embedding=_find_embedding(module),
        n_heads=heads if isinstance(heads, int) else None,
        causal=_is_causal(module, text),
    )


def _is_causal(module: nn.Module, config: object) -> bool:
    name = type(module).__name__
    if getattr(config, "is_encoder_decoder", False):
        return False
    return "CausalLM" in name or "LMHeadModel" in name or "ConditionalGeneration" in name


def _longest_list(module: nn.Module) -> str | None:
    best, size = None, 0
    for name, child in module.named_modules():
        if not isinstance(child, nn.ModuleList) or len(child) == 0 or "visual" in name or "vision" in name:
            continue
        first = type(child[0])
        if len(child) > size and all(type(block) is first for block in child) and _has_children(child[0]):
            best, size = name, len(child)
    return best


def _has_children(block: nn.Module) -> bool:
    return any(True for _ in block.children())


def _names(block: nn.Module) -> set[str]:
    return {name for name, _ in block.named_modules() if name}


def _find_attention(block: nn.Module) -> tuple[str | None, str | None]:
    names = _names(block)
    for attention in _ATTENTION:
        if attention not in names:
            continue
        for out in _ATTENTION_OUT:
            path = f"{attention}.{out}"
            if path in names:
                # BERT-like: `attention` adds the residual and the norm; its own output is the dense layer's.
                return (path if out == "output.dense" else attention), path
        return attention, None
    return None, None


def _find_mlp(block: nn.Module) -> tuple[str | None, str | None]:
    names = _names(block)
    for mlp in _MLP:
        if mlp not in names:
            continue
        for out in _MLP_OUT:
            if f"{mlp}.{out}" in names:
                return mlp, f"{mlp}.{out}"
        return (mlp, mlp) if mlp in ("fc2", "output.dense") else (mlp, None)
    return None, None


def _find_embedding(module: nn.Module) -> str | None:
    candidates = [
        name
        for name, child in module.named_modules()
        if isinstance(child, nn.Embedding) and name.rsplit(".", 1)[-1] in _EMBEDDING
    ]
    return min(candidates, key=len) if candidates else None
