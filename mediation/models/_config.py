"""What a configuration of `transformers` says of all layers together."""

from __future__ import annotations

from typing import Any


def said(config: Any, name: str) -> Any:
    """Return what `config` says of all layers; None where it says nothing, or something else of each layer.

    A configuration that differs by layer raises a RuntimeError where it is asked for one value.

    Examples
    --------
    >>> from transformers import LlamaConfig
    >>> said(LlamaConfig(num_key_value_heads=4), "num_key_value_heads"), said(None, "hidden_size")
    (4, None)
    """
    try:
        return getattr(config, name, None)
    except RuntimeError:
        return None
