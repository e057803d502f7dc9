"""Run a small stored study in children that are killed at random moments; print what came of it as JSON.

Started by `test_resume` in a process of its own: one that has loaded everything, and forks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mediation as med
from mediation.engine import Execution, Study, _runner, make_study, progress_for, run_study
from mediation.engine._choose import backend_for
from mediation.engine._identity import machine_of
from tests.engine.studies import exchanges, token_pairs

LENGTHS = (5, 6, 7, 7, 8, 9, 9, 10) * 3


def study(seed: int = 0) -> Study:
    """Sites that fan out, a pair of sites that does not, and noise."""
    model = med.load(med.testing.tiny_model("llama", layers=4))
    sites = [med.residual(layer, at=at) for layer in range(4) for at in (-1, -2, -3, -4)]
    worlds = exchanges(sites)
    pair = med.Interchange().at(med.mlp(1, at=-2)) | med.Zero().at(med.residual(2, at=-1))
    noise = med.GaussianNoise(0.5).at(med.residual(1, at=-2))
    worlds += [med.World("base", pair), med.World("source", noise)]
    return make_study(model, token_pairs(LENGTHS), worlds, med.LogitDiff(5, 6), seed=seed, n_draws=2)


def counted(path: Path, run: Callable[..., Any], rows_of: Callable[..., Any]) -> Callable[..., Any]:
    """Write a line for every pass of changed worlds, before it is made: it is there even if the pass is killed."""

    def made(*arguments: Any, **options: Any) -> Any:
        rows = rows_of(arguments[2])
        if rows and rows[0].world >= 0 and arguments[0] is RUN[0]:
            with path.open("a") as handle:
                handle.write(f"{hash(tuple((row.world, row.unit, row.draw) for row in rows))}\n")
        return run(*arguments, **options)

    return made


RUN: list[Study] = []


def child(work: Callable[[], None]) -> int:
    """Do something in a child, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def line_count(log: Path) -> int:
    """Return how many whole lines a log has."""
    return log.read_bytes().count(b"\n") if log.exists() else 0


def kill_at(log: Path, lines: int, pid: int, after: float, seconds: float = 60.0) -> bool:
    """Kill a child some time after a log has some number of lines; return whether it still ran.

    To wait for lines spreads kills over the run on a busy machine too.
    """
    end = time.monotonic() + seconds
    while line_count(log) < lines and time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill, continue, and compare with a run that nobody killed."""
    torch.set_num_threads(1)
    RUN.append(study())
    how = Execution(backend=backend_for("hooks"), batch_size=12, checks=0)

    def values(execution: Execution, path: Path) -> None:
        finished = run_study(RUN[0], execution, progress_for(False))
        np.save(path, finished.values)
        path.with_suffix(".json").write_text(json.dumps(finished.report))

    values(how, folder / "whole.npy")
    machine_of(RUN[0])  # reads the sources of the package once, whatever becomes of them
    stored = Execution(backend=how.backend, batch_size=12, checks=0, out=folder / "run")
    passes = folder / "passes.txt"
    _runner.run_group = counted(passes, _runner.run_group, lambda group: group.rows)
    _runner.run_rows = counted(passes, _runner.run_rows, lambda rows: rows)
    moments, lines, in_time = random.Random(seed), [], 0
    for _ in range(kills):
        pid = child(lambda: values(stored, folder / "killed.npy"))
        least = (lines[-1] if lines else 0) + moments.randrange(0, 7)
        in_time += kill_at(folder / "run" / "pieces.jsonl", least, pid, moments.uniform(0.0, 0.02))
        lines.append(line_count(folder / "run" / "pieces.jsonl"))
    status = os.waitpid(child(lambda: values(stored, folder / "killed.npy")), 0)[1]
    one, other = np.load(folder / "whole.npy"), np.load(folder / "killed.npy")
    made = Counter(passes.read_text().split())
    return {
        "status": status,
        "same_bits": one.tobytes() == other.tobytes(),
        "finite": bool(np.isfinite(one).all()),
        "lines": lines,
        "killed": in_time,
        "twice": sum(made.values()) - len(made),
        "pieces": len(made),
        "report": json.loads((folder / "killed.json").read_text()),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
