"""The module whose Python code runs: out of what wraps it, and no module that runs without Python."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import BackendError

_INSIDE = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside what ``torch.compile`` or data parallelism has put around it, in evaluation mode.

    Raises
    ------
    BackendError
        If nothing could be seen or changed inside the module, or all its positions would be shifted.
    """
    while type(module).__name__ in _INSIDE and isinstance(
        getattr(module, _INSIDE[type(module).__name__], None), nn.Module
    ):
        module = getattr(module, _INSIDE[type(module).__name__])
    for path, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            where = f"the module {path!r} of {type(module).__name__}" if path else f"this {type(part).__name__}"
            raise BackendError(
                f"load: {where} is TorchScript, which runs outside of Python, so nothing inside it can be seen or "
                "changed. Load the module that it was scripted or traced from."
            )
    _check_virtual_tokens(module)
    try:
        module.eval()
    except NotImplementedError as error:
        raise BackendError(
            f"load: {type(module).__name__} is an exported graph, whose mode is fixed ({error}). Load the module that "
            "it was exported from."
        ) from None
    return module


def _check_virtual_tokens(module: nn.Module) -> None:
    config = getattr(module, "active_peft_config", None)
    kind = str(getattr(config, "peft_type", "")).rsplit(".", 1)[-1]
    count = getattr(config, "num_virtual_tokens", None)
    if getattr(config, "is_prompt_learning", False) and "PREFIX" not in kind and count:
        raise BackendError(
            f"load: the adapter of this {type(module).__name__} ({kind}) puts {count} virtual tokens before every "
            "input, so that positions inside the model are not those of its tokens. Study the model inside, "
            "model.get_base_model(), with those tokens as a part of the text; or one with LoRA or prefix tuning."
        )
