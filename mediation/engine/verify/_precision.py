"""Half precision: a copy of the model whose passes are run, and one in float32 to compare with."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import BackendError, PrecisionWarning, warn
from ...models import Model
from ...outcomes import Prepared
from ..backends import main_tensor, with_main_tensor
from ..sizes import free_bytes, weight_bytes
from ..study import Study

HALF = (torch.float16, torch.bfloat16)
_SIDE = 256  # of the matrices that are timed
SLOW = 2.0  # times as long as in float32: what is said aloud
_ROOM = 1.2  # memory that a float32 copy must find, relative to its weights: activations of a few rows go beside them


def in_precision(study: Study, precision: str | None) -> Study:
    """Return the study whose passes are run: on a copy of the model in `precision`, or as it is.

    Interventions compute in float32 and outcomes are reduced in float32, whatever the type of the passes.

    Warns
    -----
    PrecisionWarning
        If products in this precision are slower here than in float32: a CPU without instructions for it.

    Raises
    ------
    BackendError
        If there is nothing to make a copy of: weights are quantised, or held elsewhere by accelerate.
    """
    if precision is None or study.model.dtype == getattr(torch, precision):
        return study
    dtype = getattr(torch, precision)
    slower = slowdown(dtype) if study.model.device.type == "cpu" else 1.0
    if slower > SLOW:
        warn(
            f"precision={precision!r}: a product takes {slower:.0f} times as long as in float32 on this CPU, "
            f"which has no instructions for {precision}. Leave precision out; plan_sweep shows the time of both.",
            PrecisionWarning,
        )
    model = copy_as(study.model, dtype)
    return replace(study, model=model, prepared=_widened(study.prepared))


@cache
def slowdown(dtype: torch.dtype) -> float:
    """Return how long a product of matrices takes in `dtype` on the CPU, relative to float32: the best of three."""
    return _best_time(dtype) / _best_time(torch.float32)


def _best_time(dtype: torch.dtype) -> float:
    matrix, times = torch.ones(_SIDE, _SIDE, dtype=dtype), []
    for _ in range(3):
        began = time.perf_counter()
        _ = matrix @ matrix
        times.append(time.perf_counter() - began)
    return min(times)


def copy_as(model: Model, dtype: torch.dtype, device: torch.device | None = None) -> Model:
    """Return a copy of a model with weights of type `dtype`; the given one stays as it is, to the bit.

    Parameters
    ----------
    model
        The model.
    dtype
        Type of the copy's floating-point parameters. Buffers that are part of the checkpoint follow. Those that are
        not, such as the frequencies of rotary positions, stay in float32 in models of `transformers`, where loading
        in that type leaves them so.
    device
        Where the copy is; by default where the model is.

    Notes
    -----
    A copy is made for each run and freed after it. Making it reads every weight once, as a pass over a single token
    does. Nothing is kept that could differ from a model that was trained on, or edited, between two calls.

    Raises
    ------
    BackendError
        If weights are quantised, or held elsewhere by accelerate.

    Examples
    --------
    >>> from mediation.models import load
    >>> model = load(torch.nn.Linear(3, 2))
    >>> copy_as(model, torch.bfloat16).dtype, model.dtype
    (torch.bfloat16, torch.float32)
    """
    module = model.module
    check_weights(module)
    made: dict[int, Any] = {}
    for parameter in module.parameters():
        kept = dtype if parameter.is_floating_point() else parameter.dtype
        data = parameter.detach().to(dtype=kept, device=device, copy=True)
        made[id(parameter)] = nn.Parameter(data, requires_grad=False)
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            follows = name not in part._non_persistent_buffers_set or not hasattr(module, "config")
            kept = dtype if buffer.is_floating_point() and follows else buffer.dtype
            made.setdefault(id(buffer), buffer.detach().to(dtype=kept, device=device, copy=True))
    # What is in the memo is taken for the copy, so nothing is ever held twice in the model's own type.
    module = copy.deepcopy(module, made).eval()
    return replace(model, module=module)


def float32_study(study: Study) -> tuple[Study | None, str]:
    """Return the study in float32 (or float64) and "", or None and why there is none.

    A model in half precision is copied, to its own device, or to the CPU where that has no room for it.
    """
    model = study.model
    if model.dtype not in HALF:
        return study, ""
    needed = int(_ROOM * 4 / model.dtype.itemsize * weight_bytes(model.module))
    for device in dict.fromkeys([model.device, torch.device("cpu")]):
        if free_bytes(device) >= needed:
            try:
                made = copy_as(model, torch.float32, device)
            except BackendError as error:
                return None, str(error)
            return replace(study, model=made, prepared=_widened(study.prepared)), ""
    return None, f"a float32 copy of the model takes {needed / 2**30:.3g} GiB, which are not free"


def _widened(prepared: Prepared) -> Prepared:
    """Return outcomes of which a user's own function gets float32, as it would from the model itself."""
    prepared = replace(prepared, parts=tuple(map(_widened, prepared.parts)))
    return replace(prepared, reduce=_wide_reduce(prepared.reduce)) if prepared.raw else prepared


def _wide_reduce(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def wide_reduce(output: Any, units: Tensor, reference: Tensor | None) -> Tensor:
        tensor = main_tensor(output)
        if tensor is not None and tensor.dtype in HALF:
            output = with_main_tensor(output, tensor.float())
        return reduce(output, units, reference)

    return wide_reduce


def check_weights(module: nn.Module) -> None:
    """Raise BackendError if the weights cannot be cast: packed numbers, or none at hand."""
    kind = type(module).__name__
    # A GGUF file is unpacked when it is read: transformers marks the model, and its weights are plain.
    method = str(getattr(module, "quantization_method", None) or "").lower().rsplit(".", 1)[-1]
    quantised = (getattr(module, "is_quantized", False) or method != "") and method != "gguf"
    for name, parameter in module.named_parameters():
        packed = not parameter.is_floating_point() or parameter.dtype.itemsize < 2
        if parameter.device.type == "meta" or packed or quantised:
            held = "held elsewhere by accelerate" if parameter.device.type == "meta" else "quantised"
            raise BackendError(
                f"The weights of {kind} are {held} ({name}: {str(parameter.dtype).removeprefix('torch.')} on "
                f"{parameter.device}), and cannot be copied in another type. Leave precision and recheck out, or load "
                "the model unquantised on one device."
            )
