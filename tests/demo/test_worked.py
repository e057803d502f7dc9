"""The worked examples with a real checkpoint and a benchmark file: a tiny random one, and a file written here."""

from __future__ import annotations

import io
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mediation as med
from mediation.demo import SPECS, accuracy_of, arm_table, each_worked, with_interval, worked
from mediation.demo._arms import _Said
from mediation.demo._worked import _correct

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "lvr"
N = 6


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Qwen2.5-VL with LVR's tokens, saved as a checkpoint."""
    folder = tmp_path_factory.mktemp("tiny-lvr")
    spec = med.specs.LVR
    med.testing.tiny_processor("qwen2_5_vl", extra_tokens=(spec.start, spec.end, spec.pad)).save_pretrained(folder)
    med.testing.tiny_vision_model("qwen2_5_vl").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six questions in the layout of V*Bench."""
    rng, rows = np.random.default_rng(0), []
    for number in range(N):
        stored = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (28, 56, 3), dtype=np.uint8)).save(stored, "PNG")
        text = f"What colour is cup {number}?\n(A) red\n(B) blue\nAnswer with the option's letter."
        rows.append(
            {"image": {"bytes": stored.getvalue(), "path": None}, "text": text, "label": "AB"[number % 2],
             "category": "direct_attributes", "question_id": str(number)}
        )  # fmt: skip
    path = tmp_path_factory.mktemp("data") / "vstar.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture
def argv(checkpoint: Path, data: Path, tmp_path: Path) -> list[str]:
    # Random weights do not open thoughts by themselves.
    told = [
        "--checkpoint",
        str(checkpoint),
        "--spec",
        "lvr",
        "--data",
        str(data),
        "--answer-prefix",
        med.specs.LVR.start,
    ]
    return [*told, "--max-new-tokens", "12", "--n", str(N), "--out", str(tmp_path / "out")]


def test_a_checkpoint_and_a_file_make_the_case_of_an_example(argv, checkpoint):
    case = worked("lvr", argv=argv)
    assert (case.name, case.small, len(case.own), case.max_new_tokens) == (checkpoint.name, False, N, 12)
    assert all(prompt.text.endswith(med.specs.LVR.start) for prompt in case.own)
    # The counterfactual is another unit's image under the unit's own question.
    assert case.pairs.base[0].text == case.own[0].text
    np.testing.assert_array_equal(np.asarray(case.pairs.base[0].images[0]), np.asarray(case.own[1].images[0]))
    # No end token is forced on LVR, so the answer's first token comes after the one that the model says.
    assert case.outcome == med.outcomes.Cued(med.LogProb("first answer"), med.specs.LVR.end)
    assert case.states().shape[:2] == (N, 8)
    assert case.oracle() is None


def test_the_cue_can_be_another(argv):
    assert worked("lvr", argv=[*argv, "--cue", "Answer:"]).outcome == med.outcomes.Cued(
        med.LogProb("first answer"), "Answer:"
    )


def test_states_in_pieces_are_those_of_one_pass(argv, monkeypatch):
    case = worked("lvr", argv=argv)
    whole = case.states(med.image(), mean=True)
    monkeypatch.setattr("mediation.demo._worked._AT_ONCE", 4)
    np.testing.assert_allclose(case.states(med.image(), mean=True).values, whole.values, atol=1e-5)
    assert case.states(med.image(), steps=1).shape[:2] == (N, 1)


def test_the_table_of_arms_says_what_ablate_says(argv):
    case = worked("lvr", argv=argv)
    arms = {"zero": med.Zero().at(med.latents()), "as it is": med.Scale(1.0).at(med.latents())}
    table = arm_table(case, arms)
    for name, outcome in {"change": case.correct, "flipped": case.flipped, "logit": case.outcome}.items():
        effects = case.ablate(arms, outcome).tidy().set_index("arm")
        sign = -1  # the plain run less the changed one
        np.testing.assert_allclose(table[name], sign * effects["estimate"].loc[list(arms)], atol=1e-6)
    same = table.loc["as it is"]
    assert same["flipped"] == 0
    assert same["change"] == 0
    assert np.isnan(same["p"])
    np.testing.assert_allclose(table["accuracy"] - table["plain"], table["change"])
    assert (table["none"] <= 1 - table["accuracy"]).all()  # where no answer is found, none is right
    assert (
        table["logit n"].tolist()
        == case.ablate(arms, case.outcome).tidy().set_index("arm").loc[list(arms), "n"].tolist()
    )


@pytest.mark.parametrize("script", ["01_input_to_thought.py", "02_thought_to_answer.py", "04_direct_and_indirect.py"])
@pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")
def test_a_script_runs_on_a_checkpoint(script, argv, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, *argv])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The given NumPy array is not writable")
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".png"}
    assert "tiny-lvr" in capsys.readouterr().out


@pytest.mark.parametrize("family", ["qwen2_5_vl", "llava"])
def test_plain_models_are_baselines_of_accuracy(family, data, tmp_path, monkeypatch, capsys):
    """Without a spec nothing is thought; the benchmark's own score is printed and written."""
    folder = tmp_path / f"plain-{family}"
    med.testing.tiny_processor(family).save_pretrained(folder)
    med.testing.tiny_vision_model(family).save_pretrained(folder)
    given = ["--checkpoint", str(folder), "--spec", "none", "--data", str(data), "--max-new-tokens", "4", "--n", str(N)]
    monkeypatch.setattr(sys, "argv", ["script", *given, "--out", str(tmp_path / "out")])
    script = EXAMPLES.parent / "checkpoints" / "01_benchmark_accuracy.py"
    runpy.run_path(str(script), run_name="__main__")
    assert "direct_attributes" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "checkpoints-1-accuracy.csv").set_index("category")
    assert table.loc["all", "n"] == N
    assert table.loc["all", "model"] == folder.name


@pytest.mark.parametrize(
    ("layout", "answer", "right"),
    [
        ("vsp", r"Down, then right: \boxed{DR}", 1.0),
        ("vsp", r"Down, right and down again: \boxed{RD}", 0.0),
        ("vsp", "D R", 0.0),  # Mirage reads what is in the box
        ("planning", " down right<|im_end|>", 1.0),
        ("planning", " right down", 0.0),
    ],
)
def test_ways_are_scored_by_the_rule_of_their_layout(layout, answer, right):
    grid = ((1, -1), (0, 2))
    frame = pd.DataFrame({"map": [grid], "layout": [layout], "options": [None]})
    prepared = _correct(frame).prepare(med.Pairs(base=["a"], frame=frame), med.load(med.testing.tiny_model("gpt2")))
    told = med.outcomes.Told(text=answer, answer=answer)
    assert prepared.judge(told, 0, told) == right


def test_texts_without_an_answer_are_counted_apart(argv):
    said = _Said(worked("lvr", argv=argv))
    texts = ["A", "nothing of the kind", "", "(B)"]
    numbers = pd.Series([said(med.outcomes.Told(text=text, answer=text)) for text in texts])
    assert said.without_answer(numbers, pd.DataFrame({"unit": range(4)})) == 0.5


def test_numbers_with_intervals():
    assert accuracy_of([1, 1, 0, 0])["accuracy"] == 0.5
    assert with_interval([0.5], [0.25], [0.75], digits=1) == ["0.5 [0.2, 0.8]"]


@pytest.mark.parametrize(
    ("told", "error", "said"),
    [
        (["--spec", "lvr"], med.errors.DesignError, "--spec goes with --checkpoint"),
        (["--data", "x.parquet"], med.errors.DesignError, "--data goes with --checkpoint"),
        (["--checkpoint", "somewhere"], med.errors.DesignError, "--checkpoint goes with --data"),
        (["--checkpoint", "c", "--data", "d", "--model", "lvr"], med.errors.DesignError, "give one of them"),
        (["--models", "nowhere"], med.errors.BackendError, "weights of the small model 'lvr' are not in 'nowhere'"),
        (["--model", "lvrr"], med.errors.DesignError, "lvr"),
    ],
)
def test_arguments_that_do_not_go_together(told, error, said):
    with pytest.raises(error, match=said):
        each_worked("lvr", argv=told)


def test_an_unknown_layout_and_derived_questions_of_another_number(argv, data, tmp_path):
    with pytest.raises(med.errors.DataError, match="there is none of this name"):
        worked("lvr", argv=[*argv, "--layout", "vstarr"])
    fewer = tmp_path / "fewer.parquet"
    pd.read_parquet(data).head(4).to_parquet(fewer)
    with pytest.raises(med.errors.DataError, match="4 questions for 6 units"):
        worked("lvr", argv=[*argv, "--derived", str(fewer)])


def test_a_spec_that_is_not_known(capsys):
    with pytest.raises(SystemExit):
        worked("lvr", argv=["--checkpoint", "c", "--data", "d", "--spec", "lvrr"])
    told = capsys.readouterr().err
    assert all(name in told for name in SPECS)
