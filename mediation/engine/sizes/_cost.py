"""What a forward pass costs: weights of matrix products, found from the module tree, and FLOPs of a pass.

A pass is described by its shape: how many rows run in each block, on how many tokens, against how many keys. The
formulas are those of the transformer literature: 2 FLOPs per weight of a matrix product and token, and
``4 x queries x keys x width`` per block for the two products of attention (Kaplan et al. 2020, arXiv 2001.08361,
table 1, without embeddings; Hoffmann et al. 2022, arXiv 2203.15556, appendix F). Of a mixture of experts only the
experts that a token uses are counted. Left out are element-wise work, norms, softmax, rotary angles, convolutions
over time and the scan of state-space models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from torch import nn

from ...models import Model, said

PassKind = Literal["plain", "reference", "again", "fan-out", "rows", "checks", "prefill", "decode"]
_ACTIVE = ("top_k", "num_experts_per_tok", "experts_per_token", "moe_top_k", "k")
_CONVOLUTIONS = (nn.modules.conv._ConvNd,)


@final
@dataclass(frozen=True, slots=True)
class BlockCost:
    """Weights that one token meets in one block, and the width of its attention.

    Attributes
    ----------
    weights
        All matrix-product weights of the block.
    after_heads
        Of these, the output projection of attention.
    mlp
        Those of the MLP (or of its active experts).
    after_neurons
        Of these, the output projection of the MLP.
    width
        Query heads x features of a head; 0 where there is no attention.
    kv_width
        Heads of keys and values x features of a head.
    inner
        Features inside the MLP.
    window
        Keys that a query sees at most; None for all.
    """

    weights: int
    after_heads: int
    mlp: int
    after_neurons: int
    width: int
    kv_width: int
    inner: int
    window: int | None


@final
@dataclass(frozen=True, slots=True)
class ModelCost:
    """What a forward pass of one model meets.

    Attributes
    ----------
    blocks
        One entry a block.
    outside
        Matrix-product weights outside blocks that every token meets.
    unembedding
        Weights that a token meets whose logits are computed.
    vocabulary
        Logits of one token.
    hidden
        Features of the residual stream.
    heads
        Query heads.
    """

    blocks: tuple[BlockCost, ...]
    outside: int
    unembedding: int
    vocabulary: int
    hidden: int
    heads: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PassShape:
    """The size of one forward pass.

    Attributes
    ----------
    kind
        What the pass is for.
    alive
        Rows that run in each block.
    queries, keys
        Tokens that are fed, and tokens that these may see (those of the prefix included).
    entered, left
        Rows at the input of the first block, and at the output of the last.
    outcomes
        Rows whose outcome is kept.
    read
        Tokens of a row at which logits are computed.
    columns
        Logits computed there; None for the whole vocabulary.
    lanes
        Inputs that the rows of a growing pass are copies of.
    """

    kind: PassKind
    alive: tuple[int, ...]
    queries: int
    keys: int
    entered: int
    left: int
    outcomes: int
    read: int
    columns: int | None = None
    lanes: int = 1


def flops_of(cost: ModelCost, shape: PassShape) -> int:
    """Return the FLOPs of a pass.

    A block with r rows of q queries against k keys does ``r (2 q W + 4 q k d)``, W its weights and d the width of its
    attention: both products are computed for every pair of query and key, and what a causal mask hides is hidden
    afterwards. (A flash kernel may skip a part of it; that is not counted.)

    Examples
    --------
    >>> block = BlockCost(100, 10, 60, 20, width=4, kv_width=4, inner=8, window=None)
    >>> one = ModelCost((block,), outside=0, unembedding=40, vocabulary=10, hidden=4, heads=1)
    >>> shape = PassShape(kind="rows", alive=(2,), queries=3, keys=5, entered=2, left=2, outcomes=2, read=1)
    >>> flops_of(one, shape) == 2 * (2 * 3 * 100 + 4 * 3 * 5 * 4) + 2 * 2 * 40
    True
    """
    total = 2 * shape.entered * shape.queries * cost.outside
    for block, rows in zip(cost.blocks, shape.alive, strict=True):
        total += rows * (2 * shape.queries * block.weights + 4 * shape.queries * shape.keys * block.width)
    return total + 2 * shape.left * shape.read * _unembedding(cost, shape.columns)


def needed_flops(
    cost: ModelCost, firsts: Sequence[int | None], *, length: int, causal: bool, read: int, columns: int | None
) -> int:
    """Return the least FLOPs of blocks and unembedding for one row.

    Only tokens that differ from a plain run (or all, for a plain run itself), only blocks above the change, and only
    the products of attention that a causal mask leaves: token t sees t + 1 keys, or those of a window. In the last
    block all these tokens are counted, although the outcome needs the queries of the last alone.

    Parameters
    ----------
    firsts
        For each block, the first token whose input differs; None where none does.
    length
        Tokens in all.
    causal
        True if a token sees no later one.
    read, columns
        Tokens whose logits are read, and how many of each; None for the whole vocabulary.

    Examples
    --------
    >>> block = BlockCost(100, 10, 60, 20, width=4, kv_width=4, inner=8, window=None)
    >>> two = ModelCost((block, block), outside=0, unembedding=40, vocabulary=10, hidden=4, heads=1)
    >>> above = needed_flops(two, [None, 1], length=3, causal=True, read=1, columns=2)
    >>> above == 2 * 2 * 100 + 4 * (2 + 3) * 4 + 2 * 8
    True
    """
    total = 0
    for block, first in zip(cost.blocks, firsts, strict=True):
        if first is not None:
            pairs = _pairs(first, length, block.window) if causal else (length - first) * length
            total += 2 * (length - first) * block.weights + 4 * pairs * block.width
    return total + 2 * read * _unembedding(cost, columns)


def _pairs(first: int, length: int, window: int | None) -> int:
    """Return how many pairs of query and key a causal mask leaves to the queries from `first` on."""
    if window is None or length <= window:
        return (length * (length + 1) - first * (first + 1)) // 2
    return sum(min(token + 1, window) for token in range(first, length))


def _unembedding(cost: ModelCost, columns: int | None) -> int:
    return cost.unembedding if columns is None else cost.unembedding * columns // max(1, cost.vocabulary)


def model_cost(model: Model) -> ModelCost | None:
    """Return what a pass of `model` meets; None for one with two stacks, or whose blocks are not known."""
    known = model.architecture
    if known is None or not model.is_language_model or len(model.stacks) > 1:
        return None
    module, config = model.module, text_config(model)
    active = said(config, "num_experts_per_tok")
    blocks = list(module.get_submodule(known.layers).children())
    costs = tuple(_block_cost(model, config, index, block, active) for index, block in enumerate(blocks))
    unembedding = _output_embedding(module)
    inside = sum(weights_of(block, active) for block in blocks)
    last = weights_of(unembedding, active) if unembedding is not None else 0
    embedded = getattr(module.get_submodule(known.embedding), "embedding_dim", 0) if known.embedding else 0
    return ModelCost(
        blocks=costs,
        outside=max(0, weights_of(module, active) - inside - last),
        unembedding=last,
        vocabulary=int(getattr(unembedding, "out_features", 0) or model.vocabulary or 1),
        hidden=int(said(config, "hidden_size") or embedded or 1),
        heads=known.n_heads or 1,
    )


def text_config(model: Model) -> Any:
    """Return the configuration of a model's text part, or None."""
    config = getattr(model.module, "config", None)
    return config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config


def _block_cost(model: Model, config: Any, index: int, block: nn.Module, active: int | None) -> BlockCost:
    known = model.known_architecture()
    part = {name: _part(block, getattr(known, name)) for name in ("attention", "attention_out", "mlp", "mlp_out")}
    out, heads = part["attention_out"], known.n_heads
    width = _fan_in(out) if heads and out is not None else 0
    groups = said(config, "num_key_value_heads") or heads or 1
    mlp = weights_of(part["mlp"], active) if part["mlp"] is not None else 0
    hidden = int(said(config, "hidden_size") or width or 1)
    inner = _fan_in(part["mlp_out"]) if part["mlp_out"] is not None else mlp // (2 * hidden)
    return BlockCost(
        weights=weights_of(block, active),
        after_heads=weights_of(out, active) if out is not None else 0,
        mlp=mlp,
        after_neurons=weights_of(part["mlp_out"], active) if part["mlp_out"] is not None else 0,
        width=width,
        kv_width=width * groups // heads if heads else 0,
        inner=inner or mlp // (2 * hidden),
        window=_window(config, index),
    )


def _part(block: nn.Module, path: str | None) -> nn.Module | None:
    if path is None:
        return None
    try:
        return block.get_submodule(path)
    except AttributeError:  # blocks need not be alike: one may have experts where another has an MLP
        return None


def _window(config: Any, layer: int) -> int | None:
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and layer < len(kinds) and kinds[layer] != "sliding_attention":
        return None
    found = said(config, "sliding_window")
    return found if isinstance(found, int) and found > 0 else None


def _output_embedding(module: nn.Module) -> nn.Module | None:
    getter = getattr(module, "get_output_embeddings", None)
    try:
        found = getter() if callable(getter) else None
    except (NotImplementedError, AttributeError):
        return None
    return found if isinstance(found, nn.Module) else None


def weights_of(module: nn.Module, active: int | None = None) -> int:
    """Return the matrix-product weights that one token meets in `module`.

    Linear layers (quantised ones too, by their features), the Conv1D of GPT-2, routers, and of experts the active ones:
    a parameter with an axis of experts, or a list of modules called ``experts``. Embeddings and convolutions have none.

    Parameters
    ----------
    active
        Experts that a token uses, where the modules themselves do not say it.

    Examples
    --------
    >>> weights_of(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1), nn.Embedding(9, 2)))
    16
    """
    said = next((getattr(module, name) for name in _ACTIVE if isinstance(getattr(module, name, None), int)), active)
    total = _own_weights(module, said)
    for name, child in module.named_children():
        if name == "experts" and isinstance(child, nn.ModuleList) and len(child):
            total += sum(weights_of(expert, said) for expert in child) * (said or len(child)) // len(child)
        else:
            total += weights_of(child, said)
    return total


def _own_weights(module: nn.Module, active: int | None) -> int:
    if isinstance(module, (nn.Embedding, *_CONVOLUTIONS)):
        return 0
    features = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if isinstance(features[0], int) and isinstance(features[1], int):
        return features[0] * features[1]
    total = 0
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.ndim == 2 and name == "weight":
            total += parameter.numel()
        elif parameter.ndim == 3:
            total += parameter.numel() * min(active or len(parameter), len(parameter)) // len(parameter)
    return total


def _fan_in(module: nn.Module) -> int:
    """Return how many features a matrix product reads; 0 where it is not one."""
    said = getattr(module, "in_features", None)
    if isinstance(said, int):
        return said
    weight = getattr(module, "weight", None)
    return int(weight.shape[0]) if weight is not None and weight.ndim == 2 else 0  # Conv1D: (in, out)
