"""One loaded model: the module, its tokenizer and what is known of its architecture."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import torch
from torch import nn

from .._printable import printable
from ..errors import SiteError
from ..specs import Spec
from ._architecture import Architecture, n_layers
from ._arguments import arguments_of
from ._blocks import Block, blocks_of
from ._config import said
from ._find import find_architecture, find_stacks
from ._tensors import parts_of, settings_of, tensors_of
from ._tree import Tree

_SAMPLE = 4096
_ENCODERS = ("bert", "big_bird", "data2vec-text", "electra", "ernie", "roformer", "xmod")  # causal with is_decoder=True
_PICTURES = ("image_patches", "flattened_patches")


@final
@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A model ready to be intervened on; made by `mediation.load`.

    Attributes
    ----------
    module
        The torch module, in evaluation mode.
    tokenizer
        A `transformers` tokenizer, or None for models without text.
    architecture
        Where the layers are, or None for plain modules.
    name
        Hub id, path or class name; used in provenance.
    processor
        A `transformers` processor, for models that read images.
    spec
        How the model thinks before it answers: a `LatentSpec`, a `TextSpec`, or None.
    tree
        The module tree in which the architecture was found; None if the architecture was given.
    """

    module: nn.Module
    tokenizer: Any = None
    architecture: Architecture | None = None
    name: str = ""
    processor: Any = None
    spec: Spec | None = None
    tree: Tree | None = None

    def current(self) -> Model:
        """Return the model as its module is now, however it has changed since: adapters, other layers, another type."""
        if self.tree is None or self.tree.is_of(self.module):
            for name in ("device", "dtype", "vocabulary", "digest"):  # found once in a run
                self.__dict__.pop(name, None)
            return self
        return replace(self, architecture=find_architecture(self.module), tree=Tree(self.module))

    @cached_property
    def device(self) -> torch.device:
        """Device on which inputs are placed: that of the first parameter, or what `accelerate` runs the model on."""
        runs_on = getattr(getattr(self.module, "_hf_hook", None), "execution_device", None)
        if runs_on is not None:
            return torch.device(runs_on)
        # Parameters of a device-mapped model may be on "meta" while their values are on disk.
        here = (parameter.device for parameter in self.module.parameters() if parameter.device.type != "meta")
        return next(here, torch.device("cpu"))

    @cached_property
    def dtype(self) -> torch.dtype:
        """Type of the first floating-point parameter."""
        for parameter in self.module.parameters():
            if parameter.is_floating_point():
                return parameter.dtype
        return torch.get_default_dtype()

    @property
    def is_language_model(self) -> bool:
        """True if inputs are texts or token ids."""
        return self.tokenizer is not None or "input_ids" in self.forward_names

    @property
    def reads_images(self) -> bool:
        """True if the module takes pictures beside tokens."""
        return any("pixel_values" in name or name in _PICTURES for name in self.forward_names)

    @property
    def is_causal(self) -> bool:
        """True if a position that is text cannot see later ones."""
        return self.architecture is not None and self.architecture.causal and not self._sees_both_ways

    @property
    def _sees_both_ways(self) -> bool:
        """True if the configuration of a text model lets every token see all others, whatever its class is called."""
        config = getattr(self.module, "config", None)
        if config is None or self.reads_images:
            return False
        both = getattr(config, "use_bidirectional_attention", None) in (True, "all")
        encoder = any(name in (getattr(config, "model_type", None) or "") for name in _ENCODERS)
        return both or (encoder and getattr(config, "is_decoder", None) is False)

    @cached_property
    def vocabulary(self) -> int | None:
        """Number of tokens that the model knows; None where there is none, or it is not said."""
        embedding = getattr(self.module, "get_input_embeddings", None)
        try:
            found = getattr(embedding(), "num_embeddings", None) if callable(embedding) else None
        except (NotImplementedError, AttributeError):
            found = None
        return found if isinstance(found, int) else self._size("vocab_size")

    @cached_property
    def context(self) -> int | None:
        """Number of tokens that the model reads at most; None where it is not said."""
        return self._size("max_position_embeddings")

    def _size(self, name: str) -> int | None:
        config = getattr(self.module, "config", None)
        text = getattr(config, "get_text_config", None)
        found = said(text() if callable(text) else config, name)
        return found if isinstance(found, int) and found > 0 else None

    @cached_property
    def forward_names(self) -> frozenset[str]:
        """Names of the parameters of the module's forward; with those that a PEFT adapter hands on to its model."""
        names = frozenset(inspect.signature(type(self.module).forward).parameters)
        config = getattr(self.module, "active_peft_config", None)
        if config is None or getattr(config, "is_prompt_learning", False):
            return names
        return names | frozenset(inspect.signature(type(self.module.get_base_model()).forward).parameters)  # type: ignore[operator]

    def takes(self, name: str) -> bool:
        """Return True if the module's forward takes an argument, itself or by handing it on to a part of it."""
        more = self._arguments[1]
        return name in self.arguments or (more is not None and name in more)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments that the module's forward spells out, in order."""
        return self._arguments[0]

    @cached_property
    def _arguments(self) -> tuple[tuple[str, ...], Container[str] | None]:
        """Names that the forward spells out, and those that may come by ``**kwargs``; None where it takes no others."""
        return arguments_of(self.module)

    @property
    def n_layers(self) -> int:
        """Number of blocks; SiteError for a module whose layers are not known."""
        return n_layers(self.module, self.known_architecture())

    def known_architecture(self) -> Architecture:
        """Return the architecture, or raise SiteError saying how to give it."""
        if self.architecture is None:
            raise SiteError(
                f"residual, mlp, attention, pattern, neurons and embedding need to know where the layers of "
                f"{type(self.module).__name__} are, and no list of equal blocks was found. Point at it: "
                "med.load(model, architecture=med.models.Architecture(layers='path.of.the.list', ...)), "
                "or name a module: med.Site('path.of.the.module')."
            )
        return self.architecture

    @cached_property
    def stacks(self) -> Mapping[str, Architecture]:
        """Stacks of blocks: "encoder" and "decoder" where a model has both, else one without a name, or none."""
        if self.architecture is None:
            return {}
        found = find_stacks(self.module)
        return found if self.architecture in found.values() else {"": self.architecture}

    def blocks(self, stack: str = "") -> tuple[Block, ...]:
        """Return the parts of each block of a stack, from one forward pass of a few tokens that is made once.

        It is made again after modules inside blocks were replaced.
        """
        layers = self.module.get_submodule(self.stacks[stack].layers)
        known: dict[str, tuple[Block, ...]] = self.__dict__.setdefault("_blocks", {})
        if stack in known and all(map(Block.is_of, known[stack], layers.children())):
            return known[stack]
        given = self.architecture not in find_stacks(self.module).values()
        known.update(blocks_of(self.module, self.stacks, given=given))
        return known[stack]

    @property
    def digest(self) -> str:
        """Digest of names, shapes, types and a strided sample of every parameter and buffer, and of settings (sha256).

        Of parameters that `accelerate` has offloaded, names, shapes and types only. Settings are the mode (training or
        evaluation), scales and switches of every module, and which adapters are active or merged.
        """
        state = hashlib.sha256(f"{type(self.module).__name__}|{settings_of(self.module)}|".encode())
        for name, tensor in tensors_of(self.module):
            state.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
            for part in parts_of(tensor) if tensor.device.type != "meta" else ():
                flat = part.reshape(-1)
                sample = flat[:: max(1, flat.numel() // _SAMPLE)][: _SAMPLE + 1]
                state.update(sample.to("cpu").contiguous().view(torch.uint8).numpy().tobytes())
        return state.hexdigest()[:16]

    def describe(self) -> dict[str, Any]:
        """Return what provenance keeps of the model."""
        known = self.architecture
        return {
            "id": self.name,
            "digest": self.digest,
            "architecture": type(self.module).__name__,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": str(self.device),
            "n_layers": n_layers(self.module, known) if known is not None else None,
            "attention": getattr(getattr(self.module, "config", None), "_attn_implementation", None),
        }

    def __repr__(self) -> str:
        layers = f", {self.n_layers} layers" if self.architecture is not None else ""
        name = printable(self.name or type(self.module).__name__, one_line=True)
        return f"<Model {name}{layers}, {str(self.dtype)[6:]} on {self.device}>"
