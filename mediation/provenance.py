"""What a result keeps of its origin: versions of the libraries, and the tokens at each position."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from .units import Encoding

_LIBRARIES = ("mediation", "torch", "nnsight", "transformers", "numpy", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def position_labels(encoding: Encoding) -> dict[str, str]:
    """Return a readable label for each position: the span's name and its first unit's tokens, or the token.

    Tokens are shown at an index only where all units have the same one.
    """
    inputs = encoding.runs.get("source", encoding.runs["base"])
    first = inputs[0]
    if first.length is None or not first.tokens:
        return {}
    labels = {}
    for name, positions in first.spans.items():
        text = "".join(first.tokens[p] for p in positions).strip()
        labels[name] = f"{name}\n({_cut(text)})" if text else name
    lengths = [one.length or 0 for one in inputs]
    for index in range(min(lengths)):
        labels[str(-index - 1)] = _token({one.tokens[-index - 1] for one in inputs}, str(-index - 1))
        if len(set(lengths)) == 1:
            labels[str(index)] = _token({one.tokens[index] for one in inputs}, str(index))
    return labels


def _token(tokens: set[str], position: str) -> str:
    return _cut(next(iter(tokens)).replace("\n", "\\n")) if len(tokens) == 1 else position


def _cut(text: str, most: int = 14) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
