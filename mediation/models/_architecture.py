"""Where a transformer keeps its layers, attention, heads and MLPs, as a user gives it or as it was found."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import final

from torch import nn

from .._checks import instance, listed, one_of, positive_int, shown, suggestion
from ..errors import SiteError


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
                f"{self.layers!r}. Name it: med.load(model, architecture=med.models.Architecture("
                f"layers={self.layers!r}, {name}='...')), or use med.Site('path.of.the.module')."
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
        blocks = range(n_layers(module, architecture))
        if part is not None and not any(architecture.path(block, part) in names for block in blocks):
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
