"""Runs with ``out=``: killed, continued, read again, refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.engine.checkpoint._store import LOCK, PIECES, STUDY, Store
from mediation.engine.plan import _chunks, split_of
from mediation.engine.running import _run
from tests.engine.killed import LENGTHS, study as large_study
from tests.engine.studies import exchanges, finish, token_pairs

ROOT = Path(__file__).parents[2]
OUTCOME = med.LogitDiff(5, 6)


@pytest.fixture(scope="module")
def model() -> med.Model:
    return med.load(med.testing.tiny_model("llama", layers=3))


SITES = [med.residual(layer, at=at) for layer in range(3) for at in (-1, -3)]
PAIR = med.Interchange().at(med.mlp(0, at=-2)) | med.Zero().at(med.residual(1, at=-1))
WORLDS = [*exchanges(SITES), med.World("base", PAIR)]
PAIRS = token_pairs()


def run(model: med.Model, out: Path | None = None, **options: Any) -> Any:
    worlds = options.pop("worlds", WORLDS)
    pairs = options.pop("pairs", PAIRS)
    outcome = options.pop("outcome", OUTCOME)
    return finish(model, pairs, worlds, outcome, backend=options.pop("backend", "hooks"), out=out, **options)


def cut(folder: Path, lines: int) -> None:
    """Leave some lines of a log and half of the next, as a kill does."""
    found = (folder / PIECES).read_bytes().splitlines(keepends=True)
    (folder / PIECES).write_bytes(b"".join(found[:lines]) + found[lines][:15])


def line_count(folder: Path) -> int:
    return (folder / PIECES).read_bytes().count(b"\n")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 2},
        {"fan_out": False},
        {"padding_side": "right"},
        {"backend": "reference", "worlds": WORLDS[:3]},
        {"outcome": med.KL()},
        {"worlds": [med.World("base", med.Mean().at(site)) for site in SITES]},
        {"worlds": [med.World("base", med.Swap().at(SITES[0])), med.World("base")], "n_draws": 3},
        {"worlds": [med.World("source", med.GaussianNoise(0.5).at(SITES[2]))], "n_draws": 2},
        {"worlds": [med.World("base", med.Interchange("same").at(SITES[0]))]},
    ],
    ids=str,
)
def test_a_run_cut_after_any_piece_gives_the_same_bits(model, tmp_path, options):
    expected = run(model, **options).values
    whole = run(model, tmp_path, **options)
    assert whole.values.tobytes() == expected.tobytes()
    assert whole.report["store"]["pieces_read"] == 0
    total = line_count(tmp_path)
    for lines in sorted({0, 2, total // 2, total - 1}):
        cut(tmp_path, lines)
        again = run(model, tmp_path, **options)
        assert again.values.tobytes() == expected.tobytes(), lines
        assert line_count(tmp_path) == total
    read = run(model, tmp_path, **options)
    assert read.values.tobytes() == expected.tobytes()
    assert read.report["passes"] == 0
    assert read.report["store"] == {
        "pieces_read": whole.report["store"]["pieces_run"],
        "pieces_run": 0,
        "rows_read": read.report["store"]["rows_read"],
        "plain_passes_again": 0,
        "damaged_lines": 0,
    }


def test_pieces_read_and_run_add_up(model, tmp_path):
    whole = run(model, tmp_path, batch_size=2).report["store"]
    cut(tmp_path, line_count(tmp_path) // 2)
    half = run(model, tmp_path, batch_size=2).report["store"]
    assert half["pieces_run"] > 0
    assert half["pieces_read"] > 0
    # Plain runs are made again, since the pieces that are missing need their activations.
    assert half["pieces_read"] + half["pieces_run"] + half["plain_passes_again"] == whole["pieces_run"]
    assert half["plain_max_abs_difference"] == 0


def test_a_damaged_line_is_run_again(model, tmp_path):
    expected = run(model, tmp_path, batch_size=2).values
    raw = bytearray((tmp_path / PIECES).read_bytes())
    where = raw.rindex(b"values") + 12
    raw[where : where + 3] = b"999"
    (tmp_path / PIECES).write_bytes(bytes(raw))
    again = run(model, tmp_path, batch_size=2)
    assert again.values.tobytes() == expected.tobytes()
    assert (again.report["store"]["damaged_lines"], again.report["store"]["pieces_run"]) == (1, 1)


def test_chunks_that_are_stored_need_no_plain_runs(model, tmp_path, monkeypatch):
    monkeypatch.setattr(_run, "split_of", lambda study: split_of(study)._replace(units=2))
    expected = run(model, tmp_path).values
    lines = (tmp_path / PIECES).read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if b'"unchanged ' in line and b' 2-3"' in line)
    (tmp_path / PIECES).write_bytes(b"".join(lines[:first]))
    again = run(model, tmp_path)
    assert again.values.tobytes() == expected.tobytes()
    assert again.report["store"]["plain_passes_again"] == 2  # base and source of the second chunk


def test_how_the_run_was_split_is_kept(model, tmp_path, monkeypatch):
    monkeypatch.setattr(_chunks, "tokens_for", lambda _: 40)
    expected = run(model).values
    run(model, tmp_path)
    cut(tmp_path, line_count(tmp_path) // 2)
    monkeypatch.setattr(_chunks, "tokens_for", lambda _: 4096)
    monkeypatch.setattr(_chunks, "held_budget", lambda _: 1)
    again = run(model, tmp_path)
    assert again.values.tobytes() == expected.tobytes()
    assert again.report["store"]["pieces_read"] > 0


def test_a_model_that_only_a_run_can_tell_is_refused(tmp_path):
    model = med.load(med.testing.tiny_model("llama", layers=3))
    run(model, tmp_path)
    cut(tmp_path, line_count(tmp_path) - 1)
    model.module.lm_head.register_forward_hook(lambda _, __, output: output * 1.5)
    with pytest.raises(med.errors.BackendError, match=r"had the outcome .* when the run began, and has"):
        run(model, tmp_path)


def test_another_machine_is_warned_of(model, tmp_path):
    expected = run(model, tmp_path).values
    account = json.loads((tmp_path / STUDY).read_text())
    account["machine"]["threads"] = "64"
    (tmp_path / STUDY).write_text(json.dumps(account))
    with pytest.warns(med.errors.OtherMachineWarning, match="threads: 1 now, 64 then"):
        found = run(model, tmp_path).values
    assert found.tobytes() == expected.tobytes()


def killed(folder: Path, kills: int, seed: int, outcomes: str = "one") -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.engine.killed", str(folder), str(kills), str(seed), outcomes]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check_killed(found: dict[str, Any], kills: int) -> None:
    assert found["status"] == 0
    assert found["finite"]
    assert found["same_bits"]
    assert found["twice"] <= kills  # of changed worlds, nothing but the piece that was killed
    assert found["lines"] == sorted(found["lines"])
    assert found["killed"] == kills
    assert found["lines"][-1] > found["lines"][0]  # the kills were spread over the run
    assert found["lines"][-1] <= found["total"]
    assert found["report"]["store"]["pieces_read"] > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("outcomes", ["one", "several"])
def test_a_run_killed_at_random_moments_gives_the_bits_of_one_that_was_not(tmp_path, outcomes):
    check_killed(killed(tmp_path, 4, seed=0, outcomes=outcomes), 4)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_killed_twenty_times_gives_the_bits_of_one_that_was_not(tmp_path, seed):
    check_killed(killed(tmp_path, 20, seed=seed), 20)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_two_processes_on_one_folder(tmp_path):
    from tests.engine.killed import child

    study = large_study()
    how = _run.Execution(backend=med.engine.backend_for("hooks"), batch_size=16, checks=0, out=tmp_path / "run")
    quiet = med.engine.progress_for(False)
    has_begun, may_end = os.pipe(), os.pipe()

    def write_and_wait() -> None:
        put = Store.put

        def first_put(self: Store, key: str, piece: Any) -> None:
            put(self, key, piece)
            Store.put = put
            os.write(has_begun[1], b"1")
            os.read(may_end[0], 1)

        Store.put = first_put
        _run.run_study(study, how, quiet)

    first = child(write_and_wait)
    assert os.read(has_begun[0], 1) == b"1"
    with pytest.raises(med.errors.BackendError, match="in use by another run"):
        _run.run_study(study, how, quiet)
    os.write(may_end[1], b"1")
    assert os.waitpid(first, 0)[1] == 0
    plain = _run.Execution(backend=how.backend, batch_size=16, checks=0)
    found, expected = _run.run_study(study, how, quiet), _run.run_study(study, plain, quiet)
    assert found.values.tobytes() == expected.values.tobytes()
    assert found.report["passes"] == 0
    assert len(study.pairs) == len(LENGTHS)


QUIET = {"n_resamples": 99, "rng": 0, "backend": "hooks", "progress": False}


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    numbers = [frame.select_dtypes("float64").to_numpy() for frame in (one, other)]
    return list(one) == list(other) and numbers[0].tobytes() == numbers[1].tobytes()


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
def test_mediate_and_ablate_are_continued(model, tmp_path):
    sites = SITES[0] | SITES[3] | SITES[4]
    for folder, ask in (
        ("mediate", lambda **k: med.mediate(model, PAIRS, sites, OUTCOME, **QUIET, **k)),
        ("ablate", lambda **k: med.ablate(model, PAIRS, med.Zero(), OUTCOME, sites=sites, **QUIET, **k)),
    ):
        expected, out = ask(), tmp_path / folder
        assert "store" not in expected.provenance["plan"]
        first = ask(out=out)
        cut(out, line_count(out) - 2)
        again = ask(out=str(out))
        for found in (first, again):
            assert same(found.units, expected.units)
            assert same(found.tidy(), expected.tidy())
        assert again.provenance["plan"]["store"]["pieces_read"] > 0
        assert sorted(path.name for path in out.iterdir()) == [LOCK, PIECES, STUDY]
        again.save(tmp_path / f"{folder}.parquet")


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
def test_the_seed_is_asked_for_where_something_is_drawn_only(model, tmp_path):
    options = {**QUIET, "rng": None}
    med.mediate(model, PAIRS, SITES[0], OUTCOME, **options, out=tmp_path / "a")
    again = med.mediate(model, PAIRS, SITES[0], OUTCOME, **options, out=tmp_path / "a", confidence_level=0.5)
    assert again.provenance["plan"]["store"]["pieces_run"] == 0
    noise = med.GaussianNoise(0.5).at(SITES[0])
    med.ablate(model, PAIRS, noise, OUTCOME, **options, out=tmp_path / "b")
    with pytest.raises(med.errors.DesignError, match=r"seed .*The seed is rng="):
        med.ablate(model, PAIRS, noise, OUTCOME, **options, out=tmp_path / "b")


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
def test_questions_of_several_studies_keep_each_in_a_folder(model, tmp_path):
    def ask(**more: Any) -> Any:
        options = {**QUIET, **more}
        return med.controls(model, PAIRS, SITES[2], OUTCOME, n_draws=2, **options)

    expected, first = ask(), ask(out=tmp_path)
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert folders == [f"{i:03d}" for i in range(len(folders))]
    cut(tmp_path / folders[-1], 1)
    again = ask(out=tmp_path)
    assert same(first.units, expected.units)
    assert same(again.units, expected.units)


def test_what_is_stored_can_be_read_by_hand(model, tmp_path):
    found = run(model, tmp_path)
    values = np.full(found.values.shape[:2], np.nan)
    for line in (tmp_path / PIECES).read_text().splitlines():
        piece = json.loads(line.split(" ", 1)[1])
        for (world, unit, _), value in zip(piece.get("rows", ()), piece.get("values", ()), strict=True):
            if world >= 0:
                values[world, unit] = value
    assert np.isfinite(values).sum() > 10
    assert np.nanmax(np.abs(values - found.values[:, :, 0])) <= found.report["rounding"]


def test_half_precision_is_stored_to_the_bit(tmp_path):
    model = med.load(med.testing.tiny_model("llama", layers=2), dtype=torch.bfloat16)
    worlds = exchanges([med.residual(0, at=-1)])
    expected = run(model, worlds=worlds).values
    run(model, tmp_path, worlds=worlds)
    assert run(model, tmp_path, worlds=worlds).values.tobytes() == expected.tobytes()
