"""GGUF files, which `transformers` would parse three times: for the configuration, the weights and the tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from unittest.mock import patch

_LOCK = Lock()


@contextmanager
def parsed_once() -> Iterator[None]:
    """Parse each GGUF file once inside this block; parsing 50,000 words takes seconds.

    `transformers` takes the reader from the package ``gguf`` each time, and only reads from it. Where that package is
    missing, nothing is done, and its own error says so.
    """
    try:
        import gguf
    except ImportError:
        yield
        return
    with _LOCK, patch.object(gguf, "GGUFReader", cache(gguf.GGUFReader)):
        yield
