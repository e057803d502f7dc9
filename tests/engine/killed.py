"""Run a small stored study in children that are killed at random moments; print what came of it as JSON.

A moment is told by what is stored, never by the clock: a child kills itself at the pass or the write that follows a
certain line of the log. So every kill hits, however fast the machine is. Started by `test_resume` in a process of its
own: one that has loaded everything, and forks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mediation as med
from mediation.engine import Execution, Study, make_study, progress_for, run_study
from mediation.engine.backends._choose import backend_for
from mediation.engine.checkpoint._identity import machine_of
from mediation.engine.checkpoint._store import PIECES, Store
from mediation.engine.session import _session
from mediation.outcomes import AbstractOutcome, Several
from tests.engine.studies import exchanges, token_pairs

LENGTHS = (5, 6, 7, 7, 8, 9, 9, 10) * 3


SEVERAL = Several((med.LogitDiff(5, 6), med.Probability(5), med.KL()))


def study(seed: int = 0, outcome: AbstractOutcome = med.LogitDiff(5, 6)) -> Study:  # noqa: B008
    """Sites that fan out, a pair of sites that does not, and noise."""
    model = med.load(med.testing.tiny_model("llama", layers=4))
    sites = [med.residual(layer, at=at) for layer in range(4) for at in (-1, -2, -3, -4)]
    worlds = exchanges(sites)
    pair = med.Interchange().at(med.mlp(1, at=-2)) | med.Zero().at(med.residual(2, at=-1))
    noise = med.GaussianNoise(0.5).at(med.residual(1, at=-2))
    worlds += [med.World("base", pair), med.World("source", noise)]
    return make_study(model, token_pairs(LENGTHS), worlds, outcome, seed=seed, n_draws=2)


def counted(path: Path, run: Callable[..., Any], rows_of: Callable[..., Any]) -> Callable[..., Any]:
    """Write a line for every pass of changed worlds, before it is made: it is there even if the pass is killed."""

    def made(*arguments: Any, **options: Any) -> Any:
        rows = rows_of(arguments[2])
        if rows and rows[0].world >= 0 and arguments[0] is RUN[0]:
            with path.open("a") as handle:
                handle.write(f"{hash(tuple((row.world, row.unit, row.draw) for row in rows))}\n")
            for look in BEFORE_A_PASS:
                look()
        return run(*arguments, **options)

    return made


RUN: list[Study] = []
BEFORE_A_PASS: list[Callable[[], Any]] = []
MOMENTS = ("pass", "unwritten", "torn", "stored")


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


def kill_after(log: Path, lines: int, moment: str) -> None:
    """Let this process kill itself once a log has some lines.

    At the next pass of changed worlds ("pass"), at the next write, before it ("unwritten"), in the middle of its line
    ("torn"), or after it ("stored").
    """
    put, write = Store.put, os.write

    def kill(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def torn(handle: int, line: Any) -> int:
        write(handle, line[: len(line) // 2])
        kill()
        return 0

    def stored(self: Store, key: str, piece: Any) -> None:
        if line_count(log) >= lines:
            if moment == "torn":
                os.write = torn
            elif moment != "stored":
                kill()
            put(self, key, piece)
            kill()
        put(self, key, piece)

    if moment == "pass":
        BEFORE_A_PASS.append(lambda: line_count(log) >= lines and kill())
    Store.put = stored  # type: ignore[method-assign]


def main(folder: Path, kills: int, seed: int, several: bool) -> dict[str, Any]:
    """Kill, continue, and compare with a run that nobody killed."""
    torch.set_num_threads(1)
    RUN.append(study(outcome=SEVERAL) if several else study())
    how = Execution(backend=backend_for("hooks"), batch_size=12, checks=0)

    def values(execution: Execution, path: Path) -> None:
        finished = run_study(RUN[0], execution, progress_for(False))
        np.save(path, finished.every)
        path.with_suffix(".json").write_text(json.dumps(finished.report))

    values(how, folder / "whole.npy")
    machine_of(RUN[0])  # reads the sources of the package once, whatever becomes of them
    stored = Execution(backend=how.backend, batch_size=12, checks=0, out=folder / "run")
    passes = folder / "passes.txt"
    _session.run_group = counted(passes, _session.run_group, lambda group: group.cells.rows())
    _session.run_rows = counted(passes, _session.run_rows, lambda rows: rows)
    values(Execution(backend=how.backend, batch_size=12, checks=0, out=folder / "uncut"), folder / "uncut.npy")
    draw, log, lines, hits = random.Random(seed), folder / "run" / PIECES, [], 0
    total = line_count(folder / "uncut" / PIECES)
    passes.unlink()
    for least in sorted(draw.sample(range(total), kills)):
        moment = draw.choice(MOMENTS)

        def killed(least: int = least, moment: str = moment) -> None:
            kill_after(log, least, moment)
            values(stored, folder / "killed.npy")

        hits += os.waitstatus_to_exitcode(os.waitpid(child(killed), 0)[1]) == -signal.SIGKILL
        lines.append(line_count(log))
    status = os.waitpid(child(lambda: values(stored, folder / "killed.npy")), 0)[1]
    one, other = np.load(folder / "whole.npy"), np.load(folder / "killed.npy")
    made = Counter(passes.read_text().split())
    return {
        "status": status,
        "same_bits": one.tobytes() == other.tobytes(),
        "finite": bool(np.isfinite(one).all()),
        "lines": lines,
        "killed": hits,
        "total": total,
        "twice": sum(made.values()) - len(made),
        "pieces": len(made),
        "report": json.loads((folder / "killed.json").read_text()),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "several")))
