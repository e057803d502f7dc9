"""Measure the small models on fresh pictures, and write their model cards.

Usage: python examples/training/evaluate.py [NAME ...] [--n 200]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd
from variants import VARIANTS
from weights import LOG, MODELS

import mediation as med
from mediation import datasets
from mediation.demo import find_trained

SEED = 777_000  # apart from the seeds of training and of the examples
KINDS = ("colour", "ground", "row", "column", "planning")


def frame_of(kind: str, n: int) -> pd.DataFrame:
    """Return fresh units of one kind of question."""
    if kind == "planning":
        return datasets.planning(n, rng=SEED)
    return datasets.needle(n, kind=kind, rng=SEED + KINDS.index(kind))


def measured(name: str, models: Path, n: int) -> pd.DataFrame:
    """Return accuracy by kind of question, with Wilson's interval, and how long the thoughts are."""
    model, rows = find_trained(name, models), []
    for kind in KINDS:
        frame = frame_of(kind, n)
        inputs = med.prompts(model, list(frame["question"]), [datasets.opened(one) for one in frame["images"]])
        found = med.rollout(model, inputs, max_new_tokens=64, progress=False)
        scored = datasets.scores(frame, found.answers).set_index("category").loc["all"]
        lengths = [sum(stop - start for start, stop in segments) for segments in found.segments]
        chance = 1 / len(frame["options"].iloc[0]) if frame["options"].notna().all() else None
        numbers = {"n": n, **scored[["accuracy", "conf_low", "conf_high", "unparsed"]].to_dict()}
        thoughts = {"thoughts": sum(map(bool, found.segments)), "steps": sum(lengths) / n}
        rows.append({"kind": kind, **numbers, "chance": chance, **thoughts})
    return pd.DataFrame(rows)


def card(name: str, table: pd.DataFrame, training: dict[str, object]) -> str:
    """Return the model card."""
    shown = table.round(3).astype(object).where(table.notna(), "")
    lines = [f"| {' | '.join(shown.columns)} |", "|" + "---|" * len(shown.columns)]
    lines += [f"| {' | '.join(map(str, row))} |" for row in shown.itertuples(index=False)]
    variant = VARIANTS[name]
    stages = "; ".join(
        f"{' + '.join(f'{share:g} {what}' for what, share in stage.mix.items())}, {stage.steps} steps of {stage.batch}"
        for stage in variant.stages
    )
    threads = "1 thread" if training["threads"] == 1 else f"{training['threads']} threads"
    autocast = ", bfloat16 autocast" if training.get("autocast") else ""
    return f"""# {name}

A Qwen2.5-VL model (`Qwen2_5_VLForConditionalGeneration`) of {training["parameters"]:,} parameters: {variant.about}.
It was trained from nothing on pictures made by code, for the worked examples of `mediation`: a model whose mechanism is
known, not a model of the world. Nothing of a released checkpoint is in it.

- Base: {variant.base or "none, trained from random weights"}
- Stages: {stages}
- Seed {training["seed"]}, {training["seconds"]} s on {threads} of a CPU{autocast}
- Loss curves: `{LOG}`
- Weights: safetensors in float16, to be loaded in float32; licence as the repository's

Accuracy on fresh pictures (greedy decoding, 95% Wilson intervals; a planning answer is right if it leads to the goal),
measured by `examples/training/evaluate.py`:

{chr(10).join(lines)}

`unparsed` is the share in which no answer was found (wrong, too), `thoughts` how many units had a thought, `steps` the
mean number of positions inside them.

```python
from mediation.demo import find_trained

model = find_trained("{name}")
```
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--n", type=int, default=200)
    options = parser.parse_args()
    for name in options.names or [name for name in VARIANTS if (options.models / name).is_dir()]:
        table = measured(name, options.models, options.n)
        folder = options.models / name
        training = json.loads((folder / LOG).read_text())
        table.to_csv(folder / "accuracy.csv", index=False)
        (folder / "README.md").write_text(card(name, table, training))
        print(f"{name}\n{table.round(3).to_string(index=False)}\n", flush=True)


if __name__ == "__main__":
    main()
