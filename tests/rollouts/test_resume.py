"""Questions about thoughts with ``out=``: killed, continued, read again, refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mediation as med
from mediation.engine.checkpoint._store import PIECES
from tests.rollouts.killed import MORE, first, questions
from tests.rollouts.replay import BASE, OUTCOME, SOURCE, SPEC, exact

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore::mediation.MediationWarning")


def cut(folder: Path, lines: int) -> None:
    """Leave some lines of a log and half of the next, as a kill does."""
    found = (folder / PIECES).read_bytes().splitlines(keepends=True)
    (folder / PIECES).write_bytes(b"".join(found[:lines]) + found[lines][:15])


def line_count(folder: Path) -> int:
    return (folder / PIECES).read_bytes().count(b"\n")


@pytest.mark.parametrize("name", ["steps", "sampled", "arms", "judged"])
def test_a_run_cut_after_any_piece_gives_the_same_bits(name, tmp_path):
    ask = questions()[name]
    expected, whole = ask(), ask(out=tmp_path)
    assert whole.units.equals(expected.units)
    total = line_count(tmp_path)
    for lines in sorted({0, 2, total // 2, total - 1}):
        cut(tmp_path, lines)
        again = ask(out=tmp_path)
        assert again.units.equals(expected.units), lines
        assert again.provenance["rollout"] == expected.provenance["rollout"]
        assert again.provenance["checks"] == expected.provenance["checks"]
        assert line_count(tmp_path) == total


def ask(model: med.Model | None = None, **options: Any) -> med.Effects:
    pairs, more = med.Pairs(base=BASE, source=SOURCE), {**MORE, "spec": SPEC, "max_new_tokens": 8}
    mediator, outcome = options.pop("mediator", med.latents()), options.pop("outcome", OUTCOME)
    return med.mediate(model or exact(), pairs, mediator, outcome, **{**more, **options})


def test_a_finished_study_is_read_without_a_rollout(tmp_path, monkeypatch):
    from mediation.rollouts import _roller

    expected = ask(out=tmp_path)
    monkeypatch.setattr(_roller, "decode", lambda *_: pytest.fail("the model ran"))
    again = ask(out=tmp_path, confidence_level=0.9)
    assert again.units.equals(expected.units)
    assert again.provenance["plan"]["store"]["pieces_run"] == 0


def test_plain_rollouts_run_again_only_for_thoughts_that_a_missing_batch_reads(tmp_path):
    expected = ask(out=tmp_path, checks=0)
    lines = (tmp_path / PIECES).read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"batch ' in line)
    (tmp_path / PIECES).write_bytes(b"".join(lines[:last]))
    again = ask(out=tmp_path, checks=0)
    assert again.units.equals(expected.units)
    store = again.provenance["plan"]["store"]
    assert 0 < store["plain_passes_again"] < 4  # of four plain batches those of the missing one's units
    assert store["plain_max_abs_difference"] == 0


def test_units_that_are_left_out_are_left_out_again(tmp_path):
    pairs = med.Pairs(base=[*BASE, [3, 14, 15]], source=[*SOURCE, [3, 1, 15]])
    options = {**MORE, "spec": SPEC, "max_new_tokens": 8, "out": tmp_path}
    expected = med.mediate(exact(), pairs, med.latents(), OUTCOME, **options)
    with pytest.warns(med.errors.FlaggedUnitsWarning, match=r"1 of 5 units are left out.*never opened: 1 \(unit 4\)"):
        again = med.mediate(exact(), pairs, med.latents(), OUTCOME, **options)
    assert again.units.equals(expected.units)
    assert again.provenance["rollout"] == expected.provenance["rollout"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("rollout.settings", {"max_new_tokens": 9}),
        ("rollout.settings", {"stop": "w9"}),
        ("seed", {"sampling": med.Sampling(0.5)}),
        ("rollout.settings", {"spec": med.LatentSpec("w5", "w6", steps=2)}),
        ("worlds", {"mediator": med.latents(step=1)}),
        ("outcome", {"outcome": first}),
    ],
    ids=str,
)
def test_another_study_is_refused_by_the_field(field, changes, tmp_path):
    ask(out=tmp_path)
    with pytest.raises(med.errors.DesignError, match=rf"holds another study: {field} "):
        ask(out=tmp_path, **changes)


def test_a_model_that_only_a_run_can_tell_is_refused(tmp_path):
    ask(out=tmp_path)
    cut(tmp_path, line_count(tmp_path) - 4)
    model = exact()
    model.module.lm_head.register_forward_hook(lambda _, __, output: output * 1.5)
    with pytest.raises(med.errors.BackendError, match="now: the model is not the same"):
        ask(model, out=tmp_path)


def killed(folder: Path, name: str, kills: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.rollouts.killed", str(folder), name, str(kills), str(seed)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check_killed(found: dict[str, Any], kills: int) -> None:
    assert found["status"] == 0
    assert found["same_bits"]
    assert found["same_account"]
    assert found["twice"] <= kills  # of changed worlds, nothing but the batch that was killed
    assert found["lines"] == sorted(found["lines"])
    assert 0 < found["killed"] <= kills  # the last passes of a run may end before their moment comes
    assert found["lines"][-1] <= found["total"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("name", ["sampled", "mixed"])
def test_a_run_killed_at_random_moments_gives_the_bits_of_one_that_was_not(name, tmp_path):
    check_killed(killed(tmp_path, name, 4, seed=0), 4)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("name", list(questions()))
@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_killed_many_times_gives_the_bits_of_one_that_was_not(name, seed, tmp_path):
    check_killed(killed(tmp_path, name, 10, seed=seed), 10)
