"""GGUF files, which `transformers` would parse three times: for the configuration, the weights and the tokenizer.

It would also make the table of tensor names anew for every module of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

_LOCK = Lock()


@contextmanager
def parsed_once() -> Iterator[None]:
    """Parse each GGUF file once inside this block, and make one table of names; 50,000 words or 30 layers take seconds.

    `transformers` takes the reader and the table from the package ``gguf`` each time, and only reads from them. Where
    that package is missing, nothing is done, and its own error says so.
    """
    try:
        import gguf
    except ImportError:
        yield
        return

    class Reader(gguf.GGUFReader):
        """Reads from a plain array that shares the mapped file: each slice of a `numpy.memmap` runs Python."""

        @property  # type: ignore[override]
        def data(self) -> NDArray[np.uint8]:
            return self._data

        @data.setter
        def data(self, mapped: NDArray[np.uint8]) -> None:
            self._data = np.asarray(mapped)

    once: dict[str, Any] = {"GGUFReader": cache(Reader), "get_tensor_name_map": cache(gguf.get_tensor_name_map)}
    with _LOCK, patch.multiple(gguf, **once):
        yield
