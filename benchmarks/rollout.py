"""How long rollouts take, as ratios within one run: against the model's own `generate`, and of batches to single rows.

    python benchmarks/rollout.py [--thoughts 32] [--words 32] [--batches 1 4 16] [--repeats 5] [--threads 1]
        [--clock cpu] [--json FILE]

Every arm reads the same prompts, of unequal length, and adds the same number of positions to each: `generate` writes
tokens, the others `--thoughts` latents, the end token, and tokens. Nothing may end a row earlier. Tokenising (and, with
images, the processor) is timed for all. What is changed is changed at every latent:

- "zero" and "own function" need nothing else, so they time the loop;
- "a block" is an intervention inside the model, at every generated position, latent or not;
- "swap" and "noise" need the thoughts of plain runs first. That is a second rollout, and is counted as one: their
  time is that of a decoded position, whichever run it belongs to.

The arms of a round run one after the other, in an order that moves on with the rounds. The ratio is the median over
rounds of an arm's time by that of `generate` in the same round, and its spread the smallest and largest of them;
milliseconds are those of the fastest round, by position of the batch. The first round warms up and is not counted.
Where other work shares the machine, `--threads 1 --clock cpu` counts the processor time of one thread, which that work
touches least. The vision model is a random one of the real class Qwen2_5_VLForConditionalGeneration, far smaller than
those in use: what a step costs beside its matrix products weighs more there.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mediation as med

START, END = "<jupyter_start>", "<jupyter_text>"
_SENTENCE = "The boat left the harbour before dawn, and by noon the crew had lost sight of the coast"
_CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
_MORE = " and then of the other boats too, one after another"


@dataclass(frozen=True)
class Case:
    """A model, its prompts (they end in the start token), and what makes a batch for `generate` out of them.

    `bare` shares the weights of the model's module and is never given to nnsight, which leaves its mark on a module.
    """

    name: str
    model: med.Model
    bare: Any
    prompts: Sequence[Any]
    batch: Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Arm:
    """A way to decode: how many rollouts of every row it is, and the fewest rows that it can do with."""

    name: str
    run: Callable[[Sequence[Any]], list[int]]
    waves: int = 1
    least: int = 1


def text_case(name: str | None, rows: int) -> Case:
    from mediation.demo._weights import find_model

    model = find_model(name)
    tokenizer = model.tokenizer
    prompts = [_SENTENCE + (_MORE * 3)[: 12 * (row % 8)] + "." + START for row in range(rows)]

    def batch(some: Sequence[str]) -> Any:
        return tokenizer.pad({"input_ids": [tokenizer(one)["input_ids"] for one in some]}, return_tensors="pt")

    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return Case(type(model.module).__name__, model, bare(model.module), prompts, batch)


def vision_case(rows: int, layers: int, width: int) -> Case:
    from mediation.testing import tiny_processor, tiny_vision_model

    processor = tiny_processor("qwen2_5_vl", extra_tokens=(START, END))
    module = tiny_vision_model(
        "qwen2_5_vl", layers=layers, attention="sdpa", hidden_size=width, intermediate_size=4 * width
    )
    model = med.load(module, processor=processor)
    rng = np.random.default_rng(0)
    sizes = ((56, 84), (28, 28), (84, 56), (56, 56))
    images = [rng.integers(0, 256, (*sizes[row % 4], 3), dtype=np.uint8) for row in range(rows)]
    questions = ["Where is the cat, and" + " where is the dog?" * (1 + row % 3) for row in range(rows)]
    prompts = med.prompts(model, questions, images, answer=START)

    def batch(some: Sequence[med.Prompt]) -> Any:
        return processor(
            text=[one.text for one in some],
            images=[list(one.images) for one in some],
            return_tensors="pt",
            padding=True,
            padding_side="left",
        )

    return Case(type(module).__name__, model, bare(module), prompts, batch)


def bare(module: Any) -> Any:
    """Return a copy of a model, with the same weights, that has no tokens that end a row; nor has the model then."""
    for holder in (module.generation_config, module.config, module.config.get_text_config()):
        holder.eos_token_id = None
    return copy.deepcopy(module, {id(held): held for held in (*module.parameters(), *module.buffers())})


def arms_of(case: Case, *, thoughts: int, words: int) -> list[Arm]:
    """Return the arms; each is given prompts and returns how many positions every row has added."""
    total, model = thoughts + words, case.model
    spec = med.LatentSpec(START, END, steps=thoughts, segments=1)
    unmarked = med.load(case.bare, tokenizer=model.tokenizer, processor=model.processor)

    def generate(some: Sequence[Any]) -> list[int]:
        inputs = case.batch(some)
        with torch.no_grad():
            found = case.bare.generate(**inputs, do_sample=False, max_new_tokens=total, pad_token_id=0)
        return [found.shape[1] - inputs["input_ids"].shape[1]] * len(found)

    def rollout(what: med.interventions.Assignment | None, backend: str) -> Callable[[Sequence[Any]], list[int]]:
        def run(some: Sequence[Any]) -> list[int]:
            found = med.rollout(
                unmarked if backend == "hooks" else model,
                some,
                spec if what is not None else None,
                max_new_tokens=total,
                assignment=what,
                rng=0,
                batch_size=len(some),
                backend=backend,
            )
            return [len(ids) for ids in found.ids]

        return run

    @med.intervention
    def halved(thought: torch.Tensor) -> torch.Tensor:
        return thought / 2

    zero, inside = med.Zero().at(med.latents()), med.Scale(0.9).at(med.residual(model.n_layers // 2, at="last"))
    noise = med.GaussianNoise(0.1, relative=True).at(med.latents())
    found = [Arm("generate", generate)]
    for backend in ("nnsight", "hooks"):
        found.append(Arm(f"no thought, {backend}", rollout(None, backend)))
        found.append(Arm(f"zero, {backend}", rollout(zero, backend)))
    return [
        *found,
        Arm("own function, nnsight", rollout(halved().at(med.latents()), "nnsight")),
        Arm("a block, nnsight", rollout(inside, "nnsight")),
        Arm("swap, nnsight", rollout(med.Swap().at(med.latents()), "nnsight"), waves=2, least=2),
        Arm("noise, nnsight", rollout(noise, "nnsight"), waves=2, least=2),
    ]


def measure(
    case: Case, arms: Sequence[Arm], batches: Sequence[int], *, total: int, repeats: int, clock: Callable[[], float]
) -> dict[int, dict[str, list[float]]]:
    """Return the seconds of a position of every arm, by batch and round."""
    found: dict[int, dict[str, list[float]]] = {rows: {} for rows in batches}
    for turn in range(repeats + 1):
        for rows in batches:
            able = [arm for arm in arms if rows >= arm.least]
            first = turn % len(able)
            for arm in [*able[first:], *able[:first]]:
                start = clock()
                added = arm.run(case.prompts[:rows])
                took = clock() - start
                if added != [total] * rows:
                    raise RuntimeError(f"{arm.name}: {added} positions were added, not {total} to each of {rows} rows.")
                if turn:
                    found[rows].setdefault(arm.name, []).append(took / total / arm.waves)
    return found


def table(case: Case, found: dict[int, dict[str, list[float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Print the times of a case and return its figures, by batch and arm."""
    fewest, figures = min(found), dict[str, dict[str, dict[str, float]]]()
    print(
        f"\n{case.name}: {case.model.n_layers} blocks, width {case.model.module.config.get_text_config().hidden_size}"
    )
    print(
        f"{'rows':>4}  {'':24}{'ms a position':>14}{'x generate':>12}{'(of rounds)':>17}{f'rate x batch {fewest}':>17}"
    )
    for rows, arms in found.items():
        for name, took in arms.items():
            ratios = [one / other for one, other in zip(took, arms["generate"], strict=True)]
            one = {
                "seconds": min(took),
                "ratio": statistics.median(ratios),
                "least": min(ratios),
                "most": max(ratios),
                "of_fastest": min(took) / min(arms["generate"]),
            }
            if name in found[fewest]:
                singles = found[fewest][name]
                rates = [rows * alone / fewest / both for alone, both in zip(singles, took, strict=True)]
                one["rate"] = statistics.median(rates)
            figures.setdefault(str(rows), {})[name] = one
            rate = f"{one['rate']:17.1f}" if "rate" in one else f"{'':17}"
            spread = f"({one['least']:.2f} to {one['most']:.2f})"
            print(f"{rows:4d}  {name:24}{1e3 * one['seconds']:14.1f}{one['ratio']:12.2f}{spread:>17}{rate}")
    return figures


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--model", help="hub id or path of a text model; by default that of the demo")
    ask.add_argument("--cases", nargs="+", choices=("text", "vision"), default=["text", "vision"])
    ask.add_argument("--thoughts", type=int, default=32)
    ask.add_argument("--words", type=int, default=32)
    ask.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    ask.add_argument("--repeats", type=int, default=5)
    ask.add_argument("--arms", nargs="+", help="beginnings of the names of arms beside generate; by default all")
    ask.add_argument("--layers", type=int, default=8, help="blocks of the vision model")
    ask.add_argument("--width", type=int, default=256, help="width of the vision model")
    ask.add_argument("--threads", type=int, help="of torch; by default its own choice")
    ask.add_argument("--clock", choices=tuple(_CLOCKS), default="wall")
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    most, total = max(args.batches), args.thoughts + args.words
    wanted = ("generate", *args.arms) if args.arms else ("",)
    threads = f"{torch.get_num_threads()} threads, {os.cpu_count()} cores, {args.clock} time"
    print(f"{args.thoughts} latents and {args.words} tokens a row, {threads}")
    figures = {}
    for kind in args.cases:
        case = text_case(args.model, most) if kind == "text" else vision_case(most, args.layers, args.width)
        arms = [one for one in arms_of(case, thoughts=args.thoughts, words=args.words) if one.name.startswith(wanted)]
        found = measure(case, arms, args.batches, total=total, repeats=args.repeats, clock=_CLOCKS[args.clock])
        figures[case.name] = table(case, found)
    if args.json:
        args.json.write_text(json.dumps({"figures": figures, **vars(args)}, default=str, indent=1))


if __name__ == "__main__":
    main()
