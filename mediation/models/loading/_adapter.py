"""A folder that holds an adapter of PEFT instead of a model: the adapter on the model that it was trained for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ...errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model import Model

_FILE = "adapter_config.json"


def is_adapter(path: Path) -> bool:
    """Return True for a folder with an adapter's configuration."""
    return os.path.isfile(path / _FILE)  # noqa: PTH113 (False for a name that no path can have)


def load_adapter(path: Path, load_base: Callable[[str], Model]) -> tuple[nn.Module, Any, Any]:
    """Return the model of an adapter's configuration with the adapter on it, its tokenizer and its processor.

    Parameters
    ----------
    load_base
        From the id or path of the model that was adapted to the loaded model.

    Raises
    ------
    BackendError
        If peft is not installed, or the adapter cannot be read.
    """
    try:
        import peft
    except ImportError:
        raise BackendError(
            f"load({str(path)!r}): this folder holds an adapter of PEFT ({_FILE}), and peft is not installed. Install "
            "it: pip install peft; or merge the adapter into its model, and load that."
        ) from None
    try:
        base = json.loads((path / _FILE).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(f"load({str(path)!r}): {_FILE} names no model that was adapted ({error}).") from None
    if not isinstance(base, str) or not base:
        raise BackendError(
            f"load({str(path)!r}): {_FILE} names no model that was adapted (base_model_name_or_path is {base!r}). Put "
            "the adapter on it yourself: med.load(peft.PeftModel.from_pretrained(model, folder), tokenizer)."
        )
    model = load_base(base)
    try:
        adapted = peft.PeftModel.from_pretrained(model.module, str(path))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BackendError(f"load({str(path)!r}): the adapter does not go on {base!r} ({first}).") from error
    return adapted, model.tokenizer, model.processor
