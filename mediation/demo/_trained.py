"""The small vision-language models that were trained for the worked examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch

from .._checks import one_of
from ..errors import BackendError
from ..models import Model, load
from ..specs import CAPIMAGINE, LVR, MIRAGE, MONET, LatentSpec, TextSpec
from ._scripts import checkout

_LATENT = ("<|latent_start|>", "<|latent_end|>")
_WRITTEN = ("<think_image>", "</think_image>")
_FOLDER = Path("examples") / "models"

TRAINED: Final[Mapping[str, LatentSpec | TextSpec | None]] = MappingProxyType(
    {
        "base": None,
        "capimagine": CAPIMAGINE,
        "lvr": replace(LVR, steps=4),
        "mirage": replace(MIRAGE, steps=4),
        # Monet is trained with the start token fed as a token, and served without: here, as it is trained.
        "monet": replace(MONET, steps=4, feed_start_token=True),
        "necessary-latent": LatentSpec(*_LATENT, steps=4, answer_from="thought"),
        "necessary-written": TextSpec(*_WRITTEN, answer_from="thought"),
        "ignored-latent": LatentSpec(*_LATENT, steps=4, answer_from="prompt"),
        "ignored-written": TextSpec(*_WRITTEN, answer_from="prompt"),
    }
)
"""The models by name, and how each thinks; None for the one that answers at once."""


def find_trained(name: str, folder: Path | str | None = None) -> Model:
    """Return one of the small models of the worked examples.

    Parameters
    ----------
    name
        One of `TRAINED`.
    folder
        The folder of the models; None for ``examples/models`` of the checkout that this package is imported from.

    Raises
    ------
    DesignError
        If there is no such model.
    BackendError
        If its files are not found.
    """
    one_of(name, tuple(TRAINED), what="model")
    home = checkout() or Path(__file__).resolve().parents[2]
    place = home / _FOLDER if folder is None else Path(folder)
    if (place / name / "model.safetensors").is_file():
        with _quietly():
            return load(str(place / name), spec=TRAINED[name], dtype=torch.float32)
    raise BackendError(
        f"The weights of the small model {name!r} are not in {str(place)!r}. They are part of the repository "
        "(examples/models), not of the installed package: install it from a checkout (pip install -e .), say in which "
        "folder they are (--models FOLDER), or train them there (make models)."
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Load without a bar of progress: a small model is there at once."""
    from transformers.utils import logging

    shown: bool = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
