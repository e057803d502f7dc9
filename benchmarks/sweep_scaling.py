"""How the time of a sweep grows with tokens, layers, units and sites: curves as a table and a figure.

    python benchmarks/sweep_scaling.py [--repeats 2] [--threads 2] [--clock cpu] [--quick] [--out DIR]
    python benchmarks/sweep_scaling.py --draw DIR

One size is varied at a time, and the time of a cell (one site, one unit, one direction) is measured three ways:
`mediation` in full, less its statistics; nnsight, one trace a site, on a few of the sites; and a bare matrix product
with the fewest FLOPs that the patched rows take. The time is that of the fastest round. Tokens, units and sites are
varied on the model of the demo (SmolLM2-135M), layers on models of its shape with random weights. --out gets
sweep-scaling.csv, sweep-scaling.json and sweep-scaling.png; --draw draws the figure again from the table.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from sweeps import (
    CLOCKS,
    Case,
    Watch,
    bare_rate,
    case,
    loaded,
    machine,
    nnsight_arms,
    one_arm,
    one_line,
    real_model,
    shaped_model,
)

MEDIATION, NNSIGHT, BARE = "mediation", "nnsight, a trace a site", "bare matrix product"
CURVES = {"tokens": "tokens", "layers": "layers of the model", "units": "units", "sites": "sites"}
SIZES: dict[str, tuple[int, ...]] = {
    "tokens": (8, 16, 32, 64, 128, 256),
    "layers": (2, 4, 8, 16, 30),
    "units": (1, 2, 4, 8, 16, 32),
    "sites": (1, 3, 10, 30, 61),
}
FEW_TOKENS, TOKENS = 14, 61


def cases(model: tuple[str, Any, Any], *, quick: bool) -> Iterator[tuple[str, int, Case]]:
    """Yield the curve, the number of units and the sweep of every point."""
    some = {name: sizes[: 2 if quick else None] for name, sizes in SIZES.items()}
    for tokens in some["tokens"]:
        yield "tokens", 1, case(*model, tokens=tokens, units=1)
    for layers in some["layers"]:
        shaped = shaped_model("135m", device="cpu", dtype=torch.float32, layers=layers)
        yield "layers", 1, case(*shaped, tokens=TOKENS, units=1)
    for units in some["units"]:
        yield "units", units, case(*model, tokens=FEW_TOKENS, units=units)
    for count in some["sites"]:
        positions = tuple(math.floor(TOKENS * (i + 0.5) / count) for i in range(count))
        yield "sites", 1, case(*model, tokens=TOKENS, units=1, positions=positions)


def measure(what: Case, units: int, *, repeats: int, clock: Any) -> dict[str, float]:
    """Return the seconds of a cell by arm, those of the fastest round."""
    full = what.sites()
    arms = {MEDIATION: one_arm(what, loaded(what), MEDIATION, units), NNSIGHT: nnsight_arms(what, 1)[0]}
    few = [(layer, what.positions[-1]) for layer in (0, what.layers // 2)]
    found: dict[str, list[float]] = {}
    for turn in range(repeats):
        for name, arm in list(arms.items())[:: 1 if turn % 2 else -1]:
            took = arm.run(full if name == MEDIATION else few, Watch(clock))
            found.setdefault(name, []).append(arm.seconds(took, len(full)))
        rate = bare_rate("cpu", torch.float32, Watch(clock), at_least=0.2)
        found.setdefault(BARE, []).append(what.flops(full) / len(full) / rate)
    return {name: min(took) for name, took in found.items()}


def table(model: tuple[str, Any, Any], args: argparse.Namespace) -> pd.DataFrame:
    """Return one row a curve, point and arm."""
    measured = []
    print(f"{'':8}{'tokens':>8}{'layers':>8}{'units':>8}{'sites':>8}   milliseconds a cell")
    for curve, units, what in cases(model, quick=args.quick):
        sizes = {"tokens": what.tokens, "layers": what.layers, "units": units, "sites": len(what.sites())}
        took = measure(what, units, repeats=args.repeats, clock=CLOCKS[args.clock])
        told = ", ".join(f"{name} {1e3 * one:.2f}" for name, one in took.items())
        print(f"{curve:8}{''.join(f'{one:8d}' for one in sizes.values())}   {told}", flush=True)
        measured += [{"curve": curve, **sizes, "arm": arm, "milliseconds": 1e3 * one} for arm, one in took.items()]
    return pd.DataFrame(measured).round(4)


def draw(found: pd.DataFrame, to: Path) -> None:
    """Draw one panel a curve: milliseconds a cell against its size, both on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    import mediation as med

    styles = {NNSIGHT: ("o", "-"), MEDIATION: ("s", "-"), BARE: ("", "--")}
    with med.plot.theme():
        colours = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        figure, panels = plt.subplots(1, len(CURVES), figsize=(8.4, 2.5), sharey=True, layout="constrained")
        for panel, (curve, label) in zip(panels, CURVES.items(), strict=True):
            one = found[found["curve"] == curve]
            for (arm, (marker, line)), colour in zip(styles.items(), (colours[1], colours[0], "#222222"), strict=True):
                rows = one[one["arm"] == arm]
                panel.plot(rows[curve], rows["milliseconds"], line, marker=marker, color=colour, label=arm, ms=3.5)
            panel.set(xscale="log", yscale="log", xlabel=label)
            ticks = sorted(set(one[curve]))
            panel.set_xticks(ticks, [str(tick) for tick in ticks])
            panel.minorticks_off()
            fixed = one.drop(columns=["curve", curve, "arm", "milliseconds"]).iloc[0]
            told = [f"{value} {name if value != 1 else name[:-1]}" for name, value in fixed.items() if name != "sites"]
            panel.set_title(", ".join(told), fontsize=8)
        panels[0].set_ylabel("milliseconds a cell")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
        figure.savefig(to, dpi=200)
        plt.close(figure)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--model", help="hub id or path of a Llama-like model; by default that of the demo")
    ask.add_argument("--repeats", type=int, default=2)
    ask.add_argument("--quick", action="store_true", help="the two smallest sizes of each curve only")
    ask.add_argument("--threads", type=int, help="of torch; by default its own choice")
    ask.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    ask.add_argument("--out", type=Path, help="folder for the table and the figure")
    ask.add_argument("--draw", type=Path, help="draw the figure from the table in this folder, and measure nothing")
    args = ask.parse_args()
    if args.draw is not None:
        return draw(pd.read_csv(args.draw / "sweep-scaling.csv"), args.draw / "sweep-scaling.png")
    if args.threads:
        torch.set_num_threads(args.threads)
    model = real_model(args.model)
    about = machine(device="cpu", clock=args.clock)
    print(f"{model[0]}, float32\n{one_line(about)}")
    found = table(model, args)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        found.to_csv(args.out / "sweep-scaling.csv", index=False, lineterminator="\n")
        written = {"model": model[0], "machine": about, "repeats": args.repeats}
        (args.out / "sweep-scaling.json").write_text(json.dumps(written, default=str, indent=1) + "\n", "utf-8")
        draw(found, args.out / "sweep-scaling.png")
    return None


if __name__ == "__main__":
    main()
