"""Wrong files, wrong maps and wrong texts of benchmarks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mediation import datasets
from tests.datasets import files
from tests.errors.bench import Bench, Call


def rows(**changes: Any) -> pd.DataFrame:
    made = files.vstar(files.png(1))
    return pd.DataFrame([made[0], {**made[1], **changes}])


def frame(**changes: Any) -> pd.DataFrame:
    return datasets.read(rows()).assign(**changes)


def broken(b: Bench, name: str, text: str) -> Any:
    folder = b.folder / "datasets"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return datasets.read(folder / name)


DATASETS: dict[str, Call] = {
    "no file": lambda b: datasets.read(b.folder / "none.tsv"),
    "another kind of file": lambda b: broken(b, "a.xlsx", "1"),
    "empty file": lambda b: broken(b, "a.jsonl", ""),
    "a broken line": lambda b: broken(b, "b.jsonl", '{"a": 1}\n{'),
    "a short row": lambda b: broken(b, "c.tsv", "a\tb\n1\n"),
    "no table": lambda b: datasets.read([1, 2]),
    "layout that is not there": lambda b: datasets.read(rows(), "v-star"),
    "layout of other columns": lambda b: datasets.read(rows(), "scienceqa"),
    "limit": lambda b: datasets.read(rows(), limit=0),
    "no base64": lambda b: datasets.read(rows(image="no base64!")),
    "no image file": lambda b: datasets.read(rows(image="a/b.png"), images=b.folder),
    "no image": lambda b: datasets.read(rows(image=None)),
    "bytes of no image": lambda b: datasets.read(rows(image=b"abc")),
    "answer that is no option": lambda b: datasets.read(rows(label="C")),
    "no options": lambda b: datasets.read(rows(text="What is red?")),
    "no answer": lambda b: datasets.read(rows(label=None)),
    "cyclic: no options": lambda b: datasets.cyclic(frame(options=None)),
    "cyclic: options not in the question": lambda b: datasets.cyclic(frame(question="Which?")),
    "cyclic: no frame": lambda b: datasets.cyclic([1]),
    "scores: too few texts": lambda b: datasets.scores(frame(), ["A"]),
    "scores: texts of other rows": lambda b: datasets.scores(frame(), {"7": "A"}),
    "scores: no right answer": lambda b: datasets.scores(frame(answer=None), ["A", "B"]),
    "scores: level": lambda b: datasets.scores(frame(), ["A", "B"], level=95),
    "extract: no text": lambda b: datasets.extract(3),
    "extract: rule that is not there": lambda b: datasets.extract("A", layout="vstarr"),
    "map without a goal": lambda b: datasets.simulate([[1, 0]], "R"),
    "map of other numbers": lambda b: datasets.simulate([[1, 7]], "R"),
    "map of unequal rows": lambda b: datasets.simulate([[1, 0], [2]], "R"),
    "moves": lambda b: datasets.simulate([[1, 2]], 3),
    "opened: no pictures": lambda b: datasets.opened(["a.png"]),
}
