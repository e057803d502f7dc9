"""Ask a question about thoughts in children that are killed at random moments; print what came of it as JSON.

As `tests.engine.killed`, whose children, moments and kills these are.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import mediation as med
from mediation.engine.checkpoint._code import package_code
from mediation.engine.checkpoint._store import PIECES
from mediation.rollouts.study import _executor
from tests.engine.killed import BEFORE_A_PASS, MOMENTS, child, kill_after, line_count
from tests.rollouts import replay, writer

Ask = Callable[..., med.Effects]
MORE: dict[str, Any] = {"rng": 0, "n_resamples": 99, "backend": "hooks", "batch_size": 2, "progress": False}
SAMPLED = {"sampling": med.Sampling(0.9), "n_draws": 2}


@med.outcomes.judge
def first(told: med.outcomes.Told) -> float:
    """The first word of the answer, as a number."""
    return float(told.answer.split()[0].removeprefix("w")) if told.answer.split() else -1.0


def questions() -> dict[str, Ask]:
    """Return questions about latent and written thoughts, each taking the options of a run."""
    latent, written = replay.exact(), writer.writer()
    units = med.Pairs(base=replay.BASE, source=replay.SOURCE)
    texts = med.Pairs(base=writer.BASE, source=writer.SOURCE)
    few = {**MORE, "spec": replay.SPEC, "max_new_tokens": 7}
    many = {**MORE, "max_new_tokens": writer.LIMIT}
    both = {"logits": replay.OUTCOME, "kl": med.KL()}
    arms = {"zero": med.Zero(), "mean": med.Mean(), "noise": med.GaussianNoise(0.3), "swap": med.Swap()}
    judged = [med.outcomes.ThoughtLength(), first]
    return {
        "steps": lambda **o: med.mediate(latent, units, med.latents(step="each"), replay.OUTCOME, **few, **o),
        "sampled": lambda **o: med.mediate(latent, units, med.latents(), both, **few, **SAMPLED, **o),
        "arms": lambda **o: med.ablate(latent, units, arms, replay.OUTCOME, sites=med.latents(), n_draws=2, **few, **o),
        "mixed": lambda **o: med.mediate(latent, units, med.latents(), [replay.OUTCOME, first], **few, **o),
        "judged": lambda **o: med.mediate(written, texts, med.imagination(), judged, **many, **SAMPLED, **o),
    }


def counted(path: Path) -> None:
    """Write a line for every batch of changed worlds before it is decoded."""
    decoded = _executor.RolloutExecutor._decoded

    def made(self: Any, one: Any, **options: Any) -> Any:
        if one.kind == "rows" and not one.check:
            rows = [(id_of(self), *row) for row in one.cells.rows()]
            with path.open("a") as handle:
                handle.write(f"{hash(tuple(rows))}\n")
            for look in BEFORE_A_PASS:
                look()
        return decoded(self, one, **options)

    _executor.RolloutExecutor._decoded = made  # type: ignore[method-assign]


def id_of(executor: Any) -> str:
    """Return which of several studies of a question an executor is of."""
    return str(executor._rollouts.study.prepared.label)


def main(folder: Path, name: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill, continue, and compare with a run that nobody killed."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    ask = questions()[name]
    package_code()  # reads the sources of the package once, whatever becomes of them

    def keep(found: med.Effects, path: Path) -> None:
        found.units.to_pickle(path.with_suffix(".units"))
        known = {part: found.provenance[part] for part in ("rollout", "pairs")}
        path.write_text(json.dumps([known, found.provenance["plan"]], default=str))

    keep(ask(), folder / "whole")
    passes = folder / "passes.txt"
    counted(passes)
    keep(ask(out=folder / "uncut"), folder / "stored")
    logs = sorted(path.relative_to(folder / "uncut") for path in (folder / "uncut").rglob(PIECES))
    draw, hits, lines = random.Random(seed), 0, []
    total = sum(line_count(folder / "uncut" / log) for log in logs)
    passes.unlink()
    every = [(log, least) for log in logs for least in range(line_count(folder / "uncut" / log))]
    for log, least in sorted(draw.sample(every, kills)):
        moment = draw.choice(MOMENTS)

        def killed(log: Path = log, least: int = least, moment: str = moment) -> None:
            kill_after(folder / "run" / log, least, moment)
            keep(ask(out=folder / "run"), folder / "killed")

        hits += os.waitstatus_to_exitcode(os.waitpid(child(killed), 0)[1]) == -signal.SIGKILL
        lines.append(sum(line_count(folder / "run" / one) for one in logs))
    status = os.waitpid(child(lambda: keep(ask(out=folder / "run"), folder / "killed")), 0)[1]
    made = Counter(passes.read_text().split())
    (whole, _), (_, stored), (again, plan) = (
        json.loads((folder / one).read_text()) for one in ("whole", "stored", "killed")
    )
    one, *others = ((folder / f"{name}.units").read_bytes() for name in ("whole", "stored", "killed"))
    return {
        "status": status,
        "same_bits": all(one == other for other in others),
        "same_account": whole == again,
        "lines": lines,
        "total": total,
        "killed": hits,
        "twice": sum(made.values()) - len(made),
        "batches": len(made),
        "stored": stored["store"],
        "store": plan["store"],
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
