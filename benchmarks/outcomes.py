"""What several outcomes of one run cost, as a ratio to the costliest of them alone.

    python benchmarks/outcomes.py [--tokens 14] [--units 8] [--rounds 5] [--layers-step 3] [--tiny] [--fan-out no]

A sweep of the residual stream over layers and three positions, both directions, on SmolLM2-135M: with each of five
outcomes alone (logit difference, log-probability, probability, accuracy, divergence from the base), and with all five
of one run. Timed is `run_study`, checks included, and no statistics. The arms of a round run one after the other, in an
order that moves on with the rounds; the ratio is taken within a round, and the median over rounds is shown with the
smallest and the largest. Times are of the processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import Any

import torch
from sweeps.case import real_model

import mediation as med
from mediation.engine import Execution, backend_for, make_study, progress_for, run_study
from mediation.outcomes import AbstractOutcome, Several

ALL = "all five"


def main() -> None:
    """Time and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--tokens", type=int, default=14)
    ask.add_argument("--units", type=int, default=8)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--layers-step", type=int, default=3)
    ask.add_argument("--tiny", action="store_true", help="a tiny random model in place of SmolLM2-135M")
    ask.add_argument("--fan-out", choices=("yes", "no"), default="yes")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    module: Any = med.testing.tiny_model("llama", layers=15) if asked.tiny else real_model(None)[1]
    model = med.load(module)
    generator, size = torch.Generator().manual_seed(0), module.config.vocab_size
    base, source = (torch.randint(10, size, (asked.units, asked.tokens), generator=generator) for _ in range(2))
    pairs = med.Pairs(base=base, source=source)
    answer, foil = size // 3, size // 2
    outcomes: dict[str, AbstractOutcome] = {
        "logit difference": med.LogitDiff(answer, foil),
        "log-probability": med.LogProb(answer),
        "probability": med.Probability(answer),
        "accuracy": med.Accuracy(answer),
        "divergence": med.KL(),
    }
    outcomes[ALL] = Several(tuple(outcomes.values()))
    positions = (asked.tokens // 4, asked.tokens // 2, asked.tokens - 1)
    sites = [med.residual(layer, at=at) for layer in range(0, model.n_layers, asked.layers_step) for at in positions]
    worlds = [med.World("base"), med.World("source")]
    worlds += [med.World(run, med.Interchange().at(site)) for run in ("base", "source") for site in sites]
    how = Execution(backend=backend_for("nnsight"), fan_out=asked.fan_out == "yes")
    studies = {name: make_study(model, pairs, worlds, one, seed=0) for name, one in outcomes.items()}

    def seconds(name: str) -> float:
        begun = time.process_time()
        run_study(studies[name], how, progress_for(False))
        return time.process_time() - begun

    seconds(ALL)  # the first pass of a process is slower
    names = list(outcomes)
    rounds = [
        {name: seconds(name) for name in names[at % len(names) :] + names[: at % len(names)]}
        for at in range(asked.rounds)
    ]
    alone = {name: statistics.median(one[name] for one in rounds) for name in names}
    costliest = max(names[:-1], key=lambda name: alone[name])
    ratios = [one[ALL] / one[costliest] for one in rounds]
    print(f"{len(worlds) * asked.units:,} rows of {asked.tokens} tokens; seconds, median of {asked.rounds} rounds:")
    print(*(f"  {name:<18}{alone[name]:8.2f}" for name in names), sep="\n")
    print(
        f"{ALL} to the costliest alone ({costliest}): {statistics.median(ratios):.3f} "
        f"[{min(ratios):.3f}, {max(ratios):.3f}]"
    )


if __name__ == "__main__":
    main()
