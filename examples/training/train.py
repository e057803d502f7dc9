"""Train the small vision-language models of the worked examples, from nothing.

One base is trained to describe and to answer; each variant goes on from it and learns to think before it answers, in
latents or in words. See README.md beside this file for what each one is.

Usage: python examples/training/train.py NAME [--out DIR] [--seed 0] [--steps 1.0]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from batches import Sampler
from build import make_model, make_processor, make_tokenizer
from net import Net
from objectives import STAGES, taught
from variants import VARIANTS, Stage
from weights import LOG, MODELS, read, write

# Without the instructions a product in bfloat16 takes a hundred times as long as one in float32.
_KNOWN = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.6 does not tell
FAST_BFLOAT16 = any(_KNOWN.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=list(VARIANTS))
    parser.add_argument("--list", action="store_true", help="print the names of the models that go on from the base")
    parser.add_argument("--out", type=Path, default=MODELS, help="folder of the models")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from-stage", type=int, default=0, help="go on from the files of a run that was cut off")
    parser.add_argument("--steps", type=float, default=1.0, help="share of the steps, to try things out")
    options = parser.parse_args()
    if options.list or options.name is None:
        print(*(name for name, one in VARIANTS.items() if one.base), sep="\n")
        return
    variant = VARIANTS[options.name]
    tokenizer = make_tokenizer()
    log, seconds, began = list[dict[str, object]](), 0.0, time.time()
    if options.from_stage:
        model, past = read(options.out / options.name), json.loads((options.out / options.name / LOG).read_text())
        log, seconds = past["log"], past["seconds"]
    elif variant.base is None:
        model = make_model(tokenizer, options.seed)
    else:
        model = read(options.out / variant.base)
    net = Net(model, tokenizer)
    for number, stage in enumerate(variant.stages):
        if number < options.from_stage:
            continue
        seed = np.random.SeedSequence([options.seed, list(VARIANTS).index(options.name), number])
        sampler = Sampler(tokenizer, np.random.default_rng(seed))
        teacher = Net(_copy(model, tokenizer, options.seed), tokenizer) if stage.distils else None
        if stage.distils and variant.base is not None:
            model = read(options.out / variant.base)
            net = Net(model, tokenizer)
        log += _trained(net, sampler, stage, number, teacher, max(1, round(stage.steps * options.steps)))
        about = {"name": options.name, "about": variant.about, "seed": options.seed}
        about |= {"seconds": round(seconds + time.time() - began), "autocast": FAST_BFLOAT16}
        write(options.out / options.name, model, make_processor(tokenizer), about, log)


def _trained(
    net: Net, sampler: Sampler, stage: Stage, number: int, teacher: Net | None, steps: int
) -> list[dict[str, object]]:
    """Train one stage, and return its log."""
    net.model.train()
    trained = [p for name, p in net.model.named_parameters() if stage.tower or "visual" not in name]
    for parameter in net.model.parameters():
        parameter.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.02)
    log, recent = list[dict[str, object]](), dict[str, list[float]]()
    for step in range(steps):
        share = min(1.0, (step + 1) / 50) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / max(1, steps))))
        optimiser.param_groups[0]["lr"] = stage.rate * share
        optimiser.zero_grad()
        for what, part in stage.mix.items():
            batch = sampler.draw(round(stage.batch * part), planning=stage.planning, few=stage.few)
            with torch.autocast("cpu", torch.bfloat16, enabled=FAST_BFLOAT16):
                loss, scores = taught(net, batch, teacher=teacher) if teacher is not None else STAGES[what](net, batch)
            (part * loss).backward()
            for name, value in {"loss": float(loss.detach()), **scores}.items():
                task = batch.kind if name == "accuracy" else ("planning" if batch.kind == "planning" else "needle")
                recent.setdefault(f"{what}, {task}: {name}", []).append(value)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if (step + 1) % 50 == 0 or step + 1 == steps:
            line = {name: round(float(np.mean(values)), 4) for name, values in sorted(recent.items())}
            log.append({"stage": number, "step": step + 1, **line})
            print(json.dumps(log[-1]), flush=True)
            recent.clear()
    return log


def _copy(model: torch.nn.Module, tokenizer: object, seed: int) -> torch.nn.Module:
    """Return a frozen copy of a model."""
    copied = make_model(tokenizer, seed)  # type: ignore[arg-type]
    copied.load_state_dict(model.state_dict())
    return copied.eval().requires_grad_(False)


if __name__ == "__main__":
    main()
