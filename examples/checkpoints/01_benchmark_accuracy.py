"""How often is the answer right? Accuracy of a checkpoint on a benchmark file, with intervals.

Before any causal question: is there something to mediate? Answers are found by rules, without a judge; what the rules
do not find counts as wrong and is reported apart. HR-Bench's four orders of one question are one group. Plain models
such as Qwen2.5-VL and LLaVA are run with `--spec none`. Without arguments: two small models, on the needle task.

Usage: python examples/checkpoints/01_benchmark_accuracy.py [--n 100] [--out DIR]
       python examples/checkpoints/01_benchmark_accuracy.py --checkpoint PATH --spec lvr --data vstar.parquet
       python examples/checkpoints/01_benchmark_accuracy.py --checkpoint PATH --data hr_bench_4k.tsv --dtype bfloat16
"""

from __future__ import annotations

import pandas as pd

import mediation as med
from mediation import datasets
from mediation.demo import each_worked


def main() -> None:
    tables = {}
    for case in each_worked("base", "capimagine", n=100):
        found = med.rollout(case.model, case.own, max_new_tokens=case.max_new_tokens, progress=False)
        tables[case.name] = datasets.scores(case.frame, found.answers)
        last = case
    table = pd.concat(tables, names=["model"]).reset_index(level=0)
    print(table.round(3).to_string(index=False))
    last.save(table, "checkpoints-1-accuracy.csv")
    assert table["accuracy"].between(0, 1).all()


if __name__ == "__main__":
    main()
