"""Interventions and rewrites as the calls that make them."""

from __future__ import annotations

import dataclasses

from .._values import Value


def spelled(instance: object) -> str:
    """Return the call that makes `instance`: required arguments by place, others by name where they are not default.

    Examples
    --------
    >>> from mediation.interventions import GaussianNoise
    >>> GaussianNoise(0.5, relative=True)
    GaussianNoise(0.5, relative=True)
    """
    words = []
    for item in dataclasses.fields(instance) if dataclasses.is_dataclass(instance) else ():
        value = getattr(instance, item.name)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            if item.init:
                words.append(spelled_value(value))
        elif item.init and value != item.default:
            words.append(f"{item.name}={spelled_value(value)}")
    return f"{type(instance).__name__}({', '.join(words)})"


def spelled_value(value: object) -> str:
    """Return `value` as an argument is written: short tensors as plain numbers or lists."""
    text = repr(value)
    if isinstance(value, Value) and text.startswith("Value("):
        return text.removeprefix("Value(").removesuffix(")")
    return text
