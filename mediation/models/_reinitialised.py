"""The same architecture with fresh random weights: what a model would show before it learned anything."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._checks import called, seed_number
from ..errors import BackendError, DesignError
from ._model import Model

_STREAM = 0x5EED


def reinitialised(model: Model, seed: int) -> Model:
    """Return a model of the same architecture with fresh random weights; the given one stays as it is.

    Parameters
    ----------
    model
        What `load` returns.
    seed
        Of the weights. They are drawn on the CPU, so they are the same on every device; torch's global generator is
        left as it was.

    Returns
    -------
    Model
        In evaluation mode, with types, devices, attention implementation, tokenizer and architecture of `model`. It
        takes as much memory as the model itself.

    Raises
    ------
    DesignError
        If `model` is no `Model`, `seed` no whole number of at least 0, or the module has no parameters.
    BackendError
        If weights are quantised or spread by `accelerate`, so that there is nowhere to put new ones.

    Notes
    -----
    Models of `transformers` are made anew from their configuration, which draws weights as for training. In any other
    module, a copy of it, every submodule with ``reset_parameters`` is reset. Parameters without it are drawn normal,
    with the mean and the standard deviation that they have.

    Examples
    --------
    >>> import mediation as med
    >>> model = med.load(torch.nn.Linear(3, 2))
    >>> again = reinitialised(model, 0)
    >>> model.digest != again.digest, again.digest == reinitialised(model, 0).digest
    (True, True)
    """
    if not isinstance(model, Model):
        raise DesignError(f"reinitialised: model is {called(model)}; what med.load returns is needed.")
    seed_number(seed, what="reinitialised: seed")
    module = model.module
    _check_weights(module)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(_state(seed))
        fresh = _from_config(module) if _has_config(module) else _reset(module)
    _match(fresh, module)
    name = f"{model.name or type(module).__name__}, re-initialised with seed {seed}"
    return Model(module=fresh.eval(), tokenizer=model.tokenizer, architecture=model.architecture, name=name)


def _state(seed: int) -> int:
    """Return a state made of `seed` that no one seeds a model with: the same one would draw the same weights again."""
    found = np.random.SeedSequence((seed, _STREAM)).generate_state(1, np.uint64)[0]
    return int(found >> np.uint64(1))


def _check_weights(module: nn.Module) -> None:
    kind, parameters = type(module).__name__, dict(module.named_parameters())
    if not parameters:
        raise DesignError(
            f"reinitialised: {kind} has no parameters, so it cannot be drawn anew. Leave this control out."
        )
    for name, parameter in parameters.items():
        if not parameter.is_floating_point() or parameter.device.type == "meta":
            held = "quantised" if parameter.device.type != "meta" else "held elsewhere by accelerate"
            kept = f"{str(parameter.dtype).removeprefix('torch.')} on {parameter.device}"
            raise BackendError(
                f"reinitialised: the weights of {kind} are {held} ({name}: {kept}), and cannot be drawn anew. Load the "
                "model unquantised on one device, or leave this control out."
            )
    devices = set(getattr(module, "hf_device_map", {}).values())
    if len(devices) > 1:
        raise BackendError(
            f"reinitialised: {kind} is spread over {len(devices)} devices by accelerate. "
            "Load it on one device, or leave this control out."
        )


def _has_config(module: nn.Module) -> bool:
    return callable(getattr(type(module), "_from_config", None)) and getattr(module, "config", None) is not None


def _from_config(module: nn.Module) -> nn.Module:
    """Return a model of `transformers` made from the configuration of `module`, as before training."""
    given: Any = module
    config = copy.deepcopy(given.config)
    if hasattr(config, "quantization_config"):  # of the file that the weights came from
        del config.quantization_config
    made: nn.Module = type(given)(config)
    return made


def _reset(module: nn.Module) -> nn.Module:
    """Return a copy, on the CPU, in which every parameter is drawn anew."""
    fresh = copy.deepcopy(module).to("cpu")
    reset: set[int] = set()
    for part in fresh.modules():
        renew = getattr(part, "reset_parameters", None)
        if callable(renew):
            renew()
            reset |= {id(parameter) for parameter in part.parameters(recurse=False)}
    for parameter in fresh.parameters():
        if id(parameter) not in reset:
            spread = parameter.std() if parameter.numel() > 1 else parameter.abs().mean()
            parameter.copy_(parameter.mean() + spread * torch.randn_like(parameter))
    return fresh


def _match(fresh: nn.Module, module: nn.Module) -> None:
    """Give the tensors of `fresh` the types and devices of those of `module`."""
    tensors: dict[str, Tensor] = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for name, tensor in [*fresh.named_parameters(), *fresh.named_buffers()]:
        if name in tensors:
            tensor.data = tensor.data.to(dtype=tensors[name].dtype, device=tensors[name].device)
