"""A sweep that is killed half-way, and goes on where it was: `out=` keeps every finished pass in a folder.

Usage: python examples/01_basics/03_killed_and_continued.py
"""

import multiprocessing
import tempfile
import time
import warnings
from pathlib import Path

import mediation as med

PLACES = ["France", "Italy", "Germany", "Spain"] * 6


def sweep(**options):
    model = med.load(med.testing.tiny_model("llama", layers=4), med.testing.tiny_tokenizer())
    pairs = med.Pairs(
        base=[f"The capital of {place} is the city" for place in PLACES],
        source=[f"The capital of {place} is the city" for place in PLACES[1:] + PLACES[:1]],
    )
    warnings.simplefilter("ignore", med.errors.DegenerateWarning)  # cells before the country are exactly 0
    outcome = med.LogitDiff(" Paris", " Rome")
    options |= {"n_resamples": 99, "rng": 0, "batch_size": 8, "progress": False}
    return med.mediate(model, pairs, med.residual(at="each"), outcome, **options)


def main():
    folder = Path(tempfile.mkdtemp()) / "sweep"
    log = folder / "pieces.jsonl"

    run = multiprocessing.get_context("spawn").Process(target=sweep, kwargs={"out": folder})
    run.start()
    while not log.exists() or log.read_bytes().count(b"\n") < 20:
        time.sleep(0.001)
    run.kill()  # SIGKILL: no time to tidy up
    run.join()

    continued = sweep(out=folder)
    store = continued.provenance["plan"]["store"]
    print(f"{store['pieces_read']} pieces were read, {store['pieces_run']} were run")
    print(continued.summary())

    assert store["pieces_read"] > 0
    assert continued.units.equals(sweep().units)


if __name__ == "__main__":
    main()
