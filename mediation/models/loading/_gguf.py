"""GGUF files, which `transformers` would parse three times: for the configuration, the weights and the tokenizer.

It would also make the table of tensor names anew for every module of the model.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock
from typing import Any, final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from ._hostile import check_counts

_LOCK = Lock()
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_LEAST_FIELD, _LEAST_TENSOR = 13, 24  # bytes
_COUNTED = {"block_count": "num_hidden_layers", "expert_count": "num_experts"}


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


def check_gguf(path: Path) -> None:
    """Check that the header of a GGUF file fits into the file; the package ``gguf`` believes whatever counts it finds.

    Raises
    ------
    ValueError
        If it is no such file, is cut short, or asks for more layers than can be meant.
    """
    if not path.is_file():  # on the hub, say
        return
    with path.open("rb") as handle, mmap(handle.fileno(), 0, access=ACCESS_READ) as raw:
        if raw[:4] != b"GGUF":
            raise ValueError("it does not begin with 'GGUF'")
        header = _Header(raw, ">" if raw[4:6] == b"\0\0" else "<")
        _ = header.number("I")
        tensors, fields = header.number("Q"), header.number("Q")
        if fields * _LEAST_FIELD + tensors * _LEAST_TENSOR > len(raw):
            raise ValueError(f"its header counts {tensors} tensors and {fields} fields, more than the file can hold")
        for _ in range(fields):
            name = header.text().rpartition(b".")[2].decode("utf-8", "replace")
            value = header.value(header.number("I"))
            if name in _COUNTED and value is not None:
                check_counts({_COUNTED[name]: value})
        for _ in range(tensors):
            _ = header.text()
            header.skip(8 * header.number("I") + 4 + 8)


@final
class _Header:
    """Reads the header of a mapped file, never beyond its end."""

    def __init__(self, raw: mmap, order: str) -> None:
        self._raw, self._order, self._at = raw, order, 4

    def skip(self, size: int) -> int:
        """Pass over some bytes, and return where they begin."""
        start, self._at = self._at, self._at + size
        if self._at > len(self._raw):
            raise ValueError("the file is cut short: its header goes on beyond its end")
        return start

    def number(self, kind: str) -> int:
        """Return a number, its kind as in `struct`."""
        start = self.skip(struct.calcsize("=" + kind))
        found: int = struct.unpack_from(self._order + kind, self._raw, start)[0]
        return found

    def text(self) -> bytes:
        """Return a text, which stands behind its length."""
        size = self.number("Q")
        start = self.skip(size)
        return self._raw[start : start + size]

    def value(self, kind: int) -> int | None:
        """Pass over a value; return it if it is a number."""
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _STRING:
            _ = self.skip(self.number("Q"))
        elif kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if inner in _NUMBERS:
                _ = self.skip(count * struct.calcsize("=" + _NUMBERS[inner]))
            elif inner == _STRING:
                for _ in range(count):
                    _ = self.skip(self.number("Q"))
            else:
                raise ValueError(f"a field of its header is a list of values of kind {inner}")
        else:
            raise ValueError(f"a field of its header is of the unknown kind {kind}")
        return None
