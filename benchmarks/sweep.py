"""How long a layer x position sweep takes, as ratios within one run: against other libraries and a bare matrix product.

    python benchmarks/sweep.py [--tokens 14 61 256] [--units 1 8 32] [--repeats 3 2 1] [--layers-step 5 10 10]
        [--threads 2] [--clock cpu] [--arms NAME ...] [--out DIR] [--cuda] [--shape 7b]

The residual stream of every layer is exchanged at three positions (a quarter in, half-way, last), and the logit
difference at the last token is read. A *cell* is one site, one unit and one direction: the base input with the source's
activation. All arms do the same cells, in float32 on the same weights, and their outcomes are compared: more than
--tolerance apart is an error.

- `mediation` is `med.mediate` as a user calls it, in full: the plain runs, the sweep over all layers, the checks that
  every run makes, less its statistics, which are timed alone and shown apart. "No self-check" leaves out the cells that
  are computed again. The checks are as many for few units as for many, so it is timed for several numbers of units; the
  loops' time a cell does not depend on that, unless they take several units in one pass.
- nnsight, TransformerLens and pyvene are written as their documentation does, one forward pass a site, over unpadded
  inputs: what a pass costs does not depend on the layer, so they are timed on every --layers-step-th layer, and the
  source's plain run is counted once a unit. "Batch" gives them several units in one pass. pyvene runs the source with
  every site itself. An invoke a site is timed at the last position, all layers in one trace.
- the bare matrix product does as many FLOPs as the patched rows need at the least (`Case.flops` says which), in one
  large square product. It is measured in every round. So are plain passes of the model alone, over 64 inputs at once:
  their time for as many FLOPs is the least that an engine can take that runs the model's own modules.

The arms of a round run one after the other, in an order that moves on with the rounds. A ratio is the median over
rounds of an arm's time by another's in the same round, and its spread the smallest and largest; milliseconds are those
of the fastest round. Each arm does one site before the first round, which is not counted. --out gets the tables,
sweep-TOKENS.csv, and all figures, sweep.json.

`--cuda --shape 7b` builds a Llama of that shape with random weights on the GPU, in bfloat16, and leaves out the peers
that may hold a second copy of the weights (name them with --arms to have them).
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics as middle
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from sweeps import (
    CLOCKS,
    SHAPES,
    Arm,
    Case,
    Timed,
    Watch,
    bare_rate,
    case,
    machine,
    model_rate,
    nnsight_arms,
    one_line,
    ours,
    peer_arms,
    real_model,
    shaped_model,
    statistics,
)

import mediation as med
from mediation.engine.verify._precision import SLOW, slowdown

_UNITS = {14: (1, 8, 32), 61: (1, 8, 32), 256: (1, 8)}
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-8, torch.bfloat16: 0.25, torch.float16: 0.05}


@dataclass
class Figures:
    """Seconds a cell of every arm and round, and the runs of the last round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    floor: dict[str, list[float]] = field(default_factory=dict)
    model: list[float] = field(default_factory=list)
    last: dict[str, Timed] = field(default_factory=dict)


def arms_of(what: Case, units: Sequence[int], args: argparse.Namespace) -> list[Arm]:
    """Return the arms that were asked for; say which peers are not there."""
    most = max(units)
    arms = ours(what, units, bfloat16=what.module.dtype == torch.float32 and args.bfloat16)
    arms += nnsight_arms(what, most)
    if not args.cuda or args.arms:
        peers, missing = peer_arms(what, most)
        arms += peers
        for line in missing:
            print(line)
    wanted = ("mediation, ", *args.arms) if args.arms else ("",)
    return [arm for arm in arms if arm.name.startswith(tuple(wanted))]


def once_each(what: Case, arms: Sequence[Arm], args: argparse.Namespace) -> list[Arm]:
    """Do one site by every arm, which is not counted, and return the arms that can be measured."""
    able, fewest = [], min(arm.units for arm in arms)
    for arm in arms:
        first = arm.units == fewest or not arm.name.startswith("mediation") or not arm.exact
        try:
            if first:  # the others run the same code on more units
                arm.run(what.sites(what.layers)[-1:], Watch(CLOCKS[args.clock], args.cuda))
        except med.errors.BackendError as error:
            if arm.exact:
                raise
            print(f"{arm.name} is left out: {error}")
            continue
        able.append(arm)
    return able


def measure(what: Case, arms: Sequence[Arm], *, repeats: int, step: int, args: argparse.Namespace) -> Figures:
    """Return what every arm took in every round."""
    found, sites, full = Figures(), what.sites(step), what.sites()
    flops = what.flops(full) / len(full)
    kinds = {what.module.dtype, torch.bfloat16} if any(not arm.exact for arm in arms) else {what.module.dtype}
    for turn in range(1, repeats + 1):
        began, first = time.perf_counter(), turn % len(arms)
        for dtype in sorted(kinds, key=str):
            rate = bare_rate(str(what.module.device.type), dtype, Watch(CLOCKS[args.clock], args.cuda))
            found.floor.setdefault(str(dtype), []).append(flops / rate)
        found.model.append(flops / model_rate(what, Watch(CLOCKS[args.clock], args.cuda)))
        for arm in [*arms[first:], *arms[:first]]:
            timed = arm.run(sites, Watch(CLOCKS[args.clock], args.cuda))
            found.seconds.setdefault(arm.name, []).append(arm.seconds(timed, len(full)))
            found.last[arm.name] = timed
        told = f"{what.tokens} tokens, round {turn} of {repeats}: {time.perf_counter() - began:.0f} s"
        print(told, file=sys.stderr, flush=True)
    return found


def check(what: Case, arms: Sequence[Arm], found: Figures, tolerance: float) -> dict[str, float]:
    """Return the largest difference of each arm's outcomes from those of `mediation`; an error if it is too large."""
    expected = found.last[_ours(arms, max(arm.units for arm in arms)).name].values
    apart = {}
    for arm in arms:
        cells = found.last[arm.name].values
        worst = max(cells, key=lambda cell: abs(cells[cell] - expected[cell]))
        apart[arm.name] = abs(cells[worst] - expected[worst])
        if arm.exact and not apart[arm.name] <= tolerance:
            unit, layer, position = worst
            raise SystemExit(
                f"{arm.name}: at {what.tokens} tokens, unit {unit}, layer {layer}, position {position}, the outcome is "
                f"{cells[worst]!r}, and that of mediation {expected[worst]!r}: {apart[arm.name]:.2g} apart, more than "
                f"{tolerance:.2g}. Times of different numbers are not compared."
            )
    return apart


def rows(what: Case, arms: Sequence[Arm], found: Figures, apart: dict[str, float]) -> list[dict[str, Any]]:
    """Return one row an arm, one for the model's plain passes, and one for each bare product."""
    few, many = (_ours(arms, n).name for n in (min(a.units for a in arms), max(a.units for a in arms)))
    table = []
    listed = [(arm.name, arm.units, found.seconds[arm.name], arm.exact) for arm in arms]
    listed.append(("the model alone, plain passes", None, found.model, True))
    listed += [(f"bare product, {name.removeprefix('torch.')}", None, took, True) for name, took in found.floor.items()]
    for name, units, took, exact in listed:
        dtype = str(what.module.dtype) if exact else str(torch.bfloat16)
        row: dict[str, Any] = {"arm": name, "units": units, "milliseconds": 1e3 * min(took), "rounds": len(took)}
        for key, other in (("few", found.seconds[few]), ("many", found.seconds[many]), ("bare", found.floor[dtype])):
            ratios = [one / two for one, two in zip(took, other, strict=True)]
            row[key] = {"ratio": middle.median(ratios), "least": min(ratios), "most": max(ratios)}
        if name in found.last:
            timed = found.last[name]
            row |= {"cells": timed.ran, "max_abs_difference": apart[name]}
            row |= {key: timed.other[key] for key in ("statistics", "passes") if key in timed.other}
        table.append(row)
    return table


def half_in_widths(arms: Sequence[Arm], found: Figures) -> dict[str, float] | None:
    """Return how far half precision moves effects, in widths of their 95% t-intervals in full precision."""
    half = next((arm for arm in arms if not arm.exact), None)
    if half is None:
        return None
    full = found.last[_ours(arms, half.units).name].other["effects"]
    other = found.last[half.name].other["effects"]
    width = full["conf_high"] - full["conf_low"]
    shift = ((other["estimate"] - full["estimate"]).abs() / width)[width > 0]
    return {"median": float(shift.median()), "most": float(shift.max())}


def _ours(arms: Sequence[Arm], units: int) -> Arm:
    return next(arm for arm in arms if arm.name.startswith("mediation") and arm.units == units)


def headed(units: Sequence[int]) -> list[str]:
    few, many = (f"{n} unit" + "s" * (n > 1) for n in (min(units), max(units)))
    return ["", "ms a cell", f"x mediation, {few}", f"x mediation, {many}", "x bare product", "cells", "apart"]


def shown(row: dict[str, Any]) -> list[str]:
    """Return a row of the table as text: ratios, with their spread over rounds in brackets."""
    ratios = []
    for key in ("few", "many", "bare"):
        one = row[key]
        digits = 1 if one["ratio"] >= 2 else 2
        spread = f" ({one['least']:.{digits}f} to {one['most']:.{digits}f})" if row["rounds"] > 1 else ""
        ratios.append(f"{one['ratio']:.{digits}f}{spread}")
    cells = str(row["cells"]) if "cells" in row else ""
    apart = f"{row['max_abs_difference']:.0e}" if "max_abs_difference" in row else ""
    return [row["arm"], f"{row['milliseconds']:.2f}", *ratios, cells, apart]


def show(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print(
            "  ".join(
                text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
            )
        )


def sweep(
    model: tuple[str, Any, Any], tokens: int, repeats: int, step: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Measure one length, print its table, and return its figures."""
    units = args.units or _UNITS.get(tokens, _UNITS[256])
    what = case(*model, tokens=tokens, units=max(units))
    arms = once_each(what, arms_of(what, units, args), args)
    found = measure(what, arms, repeats=repeats, step=step, args=args)
    tolerance = args.tolerance if args.tolerance is not None else TOLERANCE[what.module.dtype]
    apart = check(what, arms, found, tolerance)
    table = rows(what, arms, found, apart)
    full, rounds = what.sites(), "1 round" if repeats == 1 else f"{repeats} rounds"
    print(f"\n{tokens} tokens: {len(full)} sites ({what.layers} layers at positions {what.positions}), {rounds}")
    lines = [headed(units), *map(shown, table)]
    show(lines)
    many = _ours(arms, max(units))
    half = half_in_widths(arms, found)
    took = statistics(found.last[many.name].other["units"], CLOCKS[args.clock])
    figures = {
        "tokens": tokens,
        "sites": len(full),
        "layers": what.layers,
        "positions": what.positions,
        "rounds": repeats,
        "layers_step": step,
        "flops_a_cell": what.flops(full) / len(full),
        "tolerance": tolerance,
        "rows": table,
        "statistics": {"seconds": took, "resamples": 9999, "units": many.units, "sites": len(full)},
        "bfloat16_shift_in_widths": half,
    }
    print(f"Not counted: intervals and bands, {len(full)} sites, 9999 resamples of {many.units} units: {took:.2f} s.")
    if half is not None:
        told = f"{half['most']:.3f} of its interval's width at most, {half['median']:.3f} in the median"
        print(f"bfloat16 moves an effect by {told} ({many.units} units).")
    if args.out is not None:
        with (args.out / f"sweep-{tokens}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    return figures


def spread(given: list[int], n: int, what: str) -> list[int]:
    if len(given) not in (1, n):
        raise SystemExit(f"--{what} has {len(given)} values; 1 or one a length ({n}) are needed.")
    return given if len(given) == n else given * n


def parsed() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--model", help="hub id or path of a Llama-like model; by default that of the demo")
    ask.add_argument("--shape", choices=tuple(SHAPES), help="random weights of this shape instead of a model")
    ask.add_argument("--cuda", action="store_true", help="on the GPU, in bfloat16; needs --shape")
    ask.add_argument("--tokens", type=int, nargs="+", default=[14, 61, 256])
    ask.add_argument("--units", type=int, nargs="+", help="numbers of units; ratios are to the fewest and the most")
    ask.add_argument("--repeats", type=int, nargs="+", help="rounds, one number or one a length")
    ask.add_argument("--layers-step", type=int, nargs="+", help="peers are timed on every so many layers")
    ask.add_argument("--arms", nargs="+", help="beginnings of the names of arms beside mediation; by default all")
    ask.add_argument("--no-bfloat16", dest="bfloat16", action="store_false")
    ask.add_argument("--tolerance", type=float, help="largest difference of outcomes; by default by dtype")
    ask.add_argument("--threads", type=int, help="of torch; by default its own choice")
    ask.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help="cpu adds up the threads")
    ask.add_argument("--out", type=Path, help="folder for sweep.json and the tables")
    args = ask.parse_args()
    if args.cuda and (args.shape is None or args.clock != "wall"):
        ask.error("--cuda builds a model of random weights, so it needs --shape; and wall time.")
    if args.cuda and not torch.cuda.is_available():
        ask.error("--cuda: torch finds no CUDA device.")
    if args.units and len(set(args.units)) < 2:
        ask.error(f"--units {' '.join(map(str, args.units))}: two different numbers are needed.")
    n = len(args.tokens)
    usual = {14: (3, 5), 61: (2, 10), 256: (1, 10)}
    by_length = [usual.get(tokens, (2, 10)) for tokens in args.tokens]
    args.repeats = spread(args.repeats, n, "repeats") if args.repeats else [one for one, _ in by_length]
    args.layers_step = spread(args.layers_step, n, "layers-step") if args.layers_step else [two for _, two in by_length]
    return args


def main() -> None:
    args = parsed()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    device, dtype = ("cuda", torch.bfloat16) if args.cuda else ("cpu", torch.float32)
    slower = slowdown(torch.bfloat16) if device == "cpu" and args.bfloat16 else 1.0
    if slower > SLOW:
        print(f"bfloat16 is left out: a product takes {slower:.0f} times as long as in float32 on this CPU.")
        args.bfloat16 = False
    model = real_model(args.model) if args.shape is None else shaped_model(args.shape, device=device, dtype=dtype)
    about = machine(device=device, clock=args.clock)
    print(f"{model[0]}, {str(model[1].dtype).removeprefix('torch.')}\n{one_line(about)}")
    lengths = zip(args.tokens, args.repeats, args.layers_step, strict=True)
    figures = [sweep(model, tokens, repeats, step, args) for tokens, repeats, step in lengths]
    if args.out is not None:
        written = {"model": model[0], "dtype": str(model[1].dtype), "machine": about, "figures": figures}
        (args.out / "sweep.json").write_text(json.dumps(written, default=str, indent=1) + "\n", "utf-8")
        (args.out / "sweep-machine.txt").write_text(f"{model[0]}. {one_line(about)}.\n", "utf-8")


if __name__ == "__main__":
    main()
