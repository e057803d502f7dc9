"""Checkpoints that do not hold all that their model needs: `transformers` would draw the rest at random."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from ..._checks import listed
from ...errors import BackendError, UnusedWeightsWarning, warn

_MOST = 4
_STATISTICS = ("running_mean", "running_var")  # learned, though they are buffers


def from_pretrained(kind: Any, directory: str | os.PathLike[str], source: str, options: Mapping[str, Any]) -> nn.Module:
    """Return what ``kind.from_pretrained`` makes of a checkpoint, which must hold every weight.

    Parameters
    ----------
    kind
        A class of `transformers`, such as ``AutoModelForCausalLM``.
    directory
        Where the checkpoint is, or its hub id.
    source
        What the user calls it.
    options
        Further arguments of ``from_pretrained``.

    Raises
    ------
    BackendError
        If weights are missing, or have other shapes than the configuration says.

    Warns
    -----
    UnusedWeightsWarning
        If the checkpoint holds weights that the model has no place for.
    """
    # Shapes are compared below: left to itself, transformers raises an error that names none.
    told = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    found = kind.from_pretrained(directory, **{**options, **told})
    if not isinstance(found, tuple):  # a class of the checkpoint's own that says nothing
        made: nn.Module = found
        return made
    module, info = found
    _check_shapes(info.get("mismatched_keys") or (), source)
    _check_missing(module, info.get("missing_keys") or (), source)
    _warn_of_unused(info.get("unexpected_keys") or (), source, type(module).__name__)
    checked: nn.Module = module
    return checked


def _check_shapes(mismatched: Iterable[Sequence[Any]], source: str) -> None:
    told = [
        f"{name} is {tuple(held)} and must be {tuple(needed)}" for name, held, needed in sorted(mismatched, key=str)
    ]
    if told:
        raise BackendError(
            f"load({source!r}): {_counted(told, 'weight')} of the checkpoint {'has' if len(told) == 1 else 'have'} "
            f"another shape than its configuration says ({_first(told)}), and would be random numbers. Give the "
            "configuration that belongs to these weights."
        )


def _check_missing(module: nn.Module, missing: Iterable[str], source: str) -> None:
    """Raise BackendError for missing parameters that share no tensor with one that is there.

    Buffers without learned numbers are made by the module.
    """
    absent, parameters = set(missing), dict(module.named_parameters(remove_duplicate=False))
    buffers = {name for name, _ in module.named_buffers(remove_duplicate=False) if not name.endswith(_STATISTICS)}
    held = {id(parameter) for name, parameter in parameters.items() if name not in absent}
    names = sorted(name for name in absent - buffers if id(parameters.get(name)) not in held)
    if names:
        raise BackendError(
            f"load({source!r}): the checkpoint lacks {_counted(names, 'weight')} of {type(module).__name__} "
            f"({_first(names)}), which would be random numbers. Look for a file that is missing or a configuration of "
            "another model (more layers, a head that was never trained). A model with fresh weights on purpose: make "
            "it with transformers, and give the module: med.load(module, tokenizer)."
        )


def _warn_of_unused(unexpected: Iterable[str], source: str, kind: str) -> None:
    names = sorted(unexpected)
    if names:
        warn(
            f"load({source!r}): {kind} has no place for {_counted(names, 'weight')} of the checkpoint "
            f"({_first(names)}), which {'is' if len(names) == 1 else 'are'} not used. If the model should have "
            "them, its configuration is that of another one.",
            UnusedWeightsWarning,
        )


def _counted(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"


def _first(names: Sequence[str]) -> str:
    return listed(names, most=_MOST).replace("'", "")
