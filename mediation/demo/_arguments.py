"""The command line of the worked examples: which model, which units."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .. import datasets
from .._checks import one_of
from .._paths import check_local
from ..datasets import synthetic
from ..errors import DataError, DesignError
from ..models import Model, load
from ..specs import CAPIMAGINE, LVR, MIRAGE, MONET, LatentSpec, TextSpec

_TEST = 10_000  # added to the seed, so that units are drawn apart from those of training

SPECS: dict[str, LatentSpec | TextSpec | None] = {
    "monet": MONET,
    "lvr": LVR,
    "mirage": MIRAGE,
    "capimagine": CAPIMAGINE,
    "none": None,
}


def arguments(names: Sequence[str], n: int, argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments, checked to go together before anything is read.

    Raises
    ------
    DesignError
        If they do not.
    """
    asked = _parser(names, n).parse_args(argv)
    _check(asked)
    return asked


def checkpoint_asked_for(asked: argparse.Namespace) -> Model:
    """Return the real checkpoint, with the spec that was named."""
    import torch

    options: dict[str, Any] = {"device": asked.device} if asked.device else {}
    if asked.dtype:
        options["dtype"] = getattr(torch, asked.dtype)
    return load(asked.checkpoint, spec=SPECS[asked.spec], **options)


def units_asked_for(asked: argparse.Namespace, task: str) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return units of a benchmark file or a synthetic task, and derived questions about the same images if any.

    Raises
    ------
    DataError
        If the file cannot be read, or there is not one derived question a unit.
    """
    one_of(task, ("needle", "planning"), what="task")
    if asked.data is None:
        make = datasets.planning if task == "planning" else datasets.needle
        frame = make(asked.n, rng=asked.seed + _TEST)
        return frame, _about_ground(frame) if task == "needle" else None
    frame = datasets.read(asked.data, asked.layout, limit=asked.n)
    if asked.derived is None:
        return frame, None
    derived = datasets.read(asked.derived, asked.layout, limit=asked.n)
    if len(derived) != len(frame):
        raise DataError(f"--derived has {len(derived)} questions for {len(frame)} units; one a unit is needed.")
    return frame, derived


def _check(asked: argparse.Namespace) -> None:
    """Check that the arguments go together, before anything is read."""
    real = {"--data": asked.data, "--layout": asked.layout, "--derived": asked.derived}
    real |= {"--spec": None if asked.spec == "none" else asked.spec}
    real |= {"--answer-prefix": asked.answer_prefix, "--cue": asked.cue, "--dtype": asked.dtype}
    if asked.checkpoint is None:
        given = [name for name, value in real.items() if value is not None]
        if given:
            raise DesignError(
                f"{given[0]} goes with --checkpoint: the small models know how they think and what they are asked."
            )
    elif asked.data is None:
        raise DesignError("--checkpoint goes with --data FILE: the synthetic tasks are for the small models.")
    elif asked.model is not None or asked.models is not None:
        raise DesignError("--model and --models name a small model, --checkpoint a real one; give one of them.")


def _parser(names: Sequence[str], n: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help=f"a small model of the repository (default: {', '.join(names)})")
    parser.add_argument("--models", help="folder of the small models (default: examples/models)")
    parser.add_argument("--checkpoint", help="a real checkpoint instead: hub id or path")
    parser.add_argument("--spec", default="none", choices=list(SPECS), help="how the checkpoint thinks")
    parser.add_argument("--data", help="a benchmark file instead of the synthetic task")
    parser.add_argument("--layout", help="its layout, if the columns do not tell")
    parser.add_argument("--derived", help="other questions about the same images, a file in the rows of --data")
    parser.add_argument("--answer-prefix", help="what the answer begins with, such as the token that opens a thought")
    parser.add_argument("--cue", help="text after the thought before the answer's first token is read: 'Answer: '")
    parser.add_argument(
        "--max-new-tokens", type=int, help="positions that an answer may take (default: the protocol's)"
    )
    parser.add_argument("--n", type=int, default=n, help=f"units (default: {n})")
    parser.add_argument("--seed", type=int, default=0, help="of units, draws and resamples (default: 0)")
    parser.add_argument("--out", type=_folder, default=Path(), help="folder for figures and tables (default: here)")
    parser.add_argument("--device", help="such as cuda")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], help="of the checkpoint's weights")
    return parser


def _folder(path: str) -> Path:
    try:
        check_local(path, "--out")
    except DesignError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(path)


def _about_ground(frame: pd.DataFrame) -> pd.DataFrame:
    """Return another question about the object of each unit of the needle task: the ground under it."""
    asked = [synthetic.QUESTIONS["ground"].format(shape=shape) for shape in frame["shape"]]
    options = [synthetic.OPTIONS["ground"]] * len(asked)
    return pd.DataFrame({"question": asked, "options": options, "answer": list(frame["ground"])})
