"""Checks of a checkpoint before anything of it is made or run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..._checks import shown
from ...errors import DesignError

MOST_PARTS = 10_000  # layers or experts; each is a Python object, made before any weight is read
_COUNTS = re.compile(r"(num|n)_?(\w+_)?(layers?|experts?|blocks)|\w*_layers|depth|layers")
_SWITCHES = ("trust_remote_code", "allow_all_kernels", "weights_only")


def check_switches(options: Mapping[str, Any]) -> None:
    """Check that the options by which code of others is run are True or False: the text "False" would be true.

    Raises
    ------
    DesignError
        If one is anything else.
    """
    for name in _SWITCHES:
        if name in options and not isinstance(options[name], bool):
            raise DesignError(
                f"load({name}={shown(options[name])}): True or False is needed. It decides whether code of the "
                "checkpoint may be run, so nothing else is taken for one of them."
            )


def check_config(directory: str, options: Mapping[str, Any]) -> None:
    """Check that a configuration does not ask for more layers or experts than can be meant.

    Raises
    ------
    ValueError
        If it does.
    """
    from transformers import PreTrainedConfig

    config, _ = PreTrainedConfig.get_config_dict(directory, **options)
    check_counts(config)


def check_counts(config: Mapping[str, Any]) -> None:
    """Check the counts of a configuration, and of those inside it.

    Raises
    ------
    ValueError
        If one is absurd.

    Examples
    --------
    >>> check_counts({"num_hidden_layers": 12, "text_config": {"num_hidden_layers": 10**9}})
    Traceback (most recent call last):
        ...
    ValueError: its configuration asks for num_hidden_layers = 1000000000; at most 10000 are taken for meant
    """
    for name, value in config.items():
        if isinstance(value, Mapping):
            check_counts(value)
        elif isinstance(value, (int, float)) and value > MOST_PARTS and _COUNTS.fullmatch(str(name)):
            raise ValueError(
                f"its configuration asks for {name} = {shown(value)}; at most {MOST_PARTS} are taken for meant"
            )
