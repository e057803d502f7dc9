"""A module tree as it was: which module stood at each path."""

from __future__ import annotations

import weakref
from typing import final

from torch import nn


@final
class Tree:
    """The modules of a tree by path, held weakly.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    >>> tree = Tree(net)
    >>> tree.is_of(net)
    True
    >>> net[1] = nn.Tanh()
    >>> tree.is_of(net)
    False
    """

    __slots__ = ("_parts",)

    def __init__(self, module: nn.Module | None = None) -> None:
        parts = {} if module is None else dict(module.named_modules())
        self._parts = {path: weakref.ref(part) for path, part in parts.items()}

    def is_of(self, module: nn.Module) -> bool:
        """Return True if the same modules still stand at the same paths of `module`."""
        now = dict(module.named_modules())
        return now.keys() == self._parts.keys() and all(self._parts[path]() is part for path, part in now.items())

    def __reduce__(self) -> tuple[type[Tree], tuple[()]]:
        return Tree, ()  # a copy is of no module, so that everything is looked for again
