"""Outcomes of whole generations, on generations that are given by hand."""

from __future__ import annotations

import pandas as pd
import pytest

import mediation as med
from tests.rollouts.tiny import decoder

FRAME = pd.DataFrame({"answer": ["A", "blue", "(B)"], "options": [["red", "blue"]] * 3})
PAIRS = med.Pairs(base=[[1], [2], [3]], frame=FRAME)


def told(answer: str, **more) -> med.outcomes.Told:
    return med.outcomes.Told(text=f"<t> thought </t>{answer}", answer=answer, **more)


def judged(outcome, unit: int, now: str, before: str = "", **more) -> float:
    return outcome.prepare(PAIRS, decoder("llama")).judge(told(now, **more), unit, told(before))


@pytest.mark.parametrize(
    ("unit", "said", "right"),
    [
        (0, r"So it is \boxed{A}.", 1),
        (0, "The answer is red.", 1),
        (0, "The answer is B.", 0),
        (1, r"\boxed{B}", 1),
        (1, "<answer>blue</answer>", 1),
        (2, "It must be red", 0),
        (2, "no idea", 0),
    ],
)
def test_correct_by_letter_or_text(unit, said, right):
    outcome = med.AnswerCorrect("answer", options="options")
    assert judged(outcome, unit, said) == right
    unparsed = outcome.prepare(PAIRS, decoder("llama")).unparsed
    assert unparsed(told(said), unit) == (said == "no idea")


@pytest.mark.parametrize(
    ("before", "now", "flipped"),
    [
        (r"\boxed{A}", "The answer is red", 0),
        (r"\boxed{A}", r"\boxed{B}", 1),
        (r"\boxed{A}", "no idea", 1),
        ("no idea", r"\boxed{A}", 1),
        ("no idea", "nothing", 0),
    ],
)
def test_flipped_against_the_plain_run(before, now, flipped):
    assert judged(med.outcomes.AnswerFlipped(options="options"), 0, now, before) == flipped


def test_loops_lengths_and_functions_of_ones_own():
    assert judged(med.outcomes.Degenerate(), 0, "la la la", repeats=True) == 1
    assert judged(med.outcomes.Degenerate(), 0, "la") == 0
    assert judged(med.outcomes.ThoughtLength(), 0, "la", steps=7) == 7

    @med.outcomes.judge
    def letters(found, unit):
        return len(found.answer) if unit["answer"] == "blue" else 0

    assert judged(letters, 1, "four") == 4
    assert judged(letters, 0, "four") == 0


def test_free_answers_need_no_options():
    pairs = med.Pairs(base=[[1], [2]], frame=pd.DataFrame({"path": ["UUDR", "4"]}))
    prepared = med.AnswerCorrect("path").prepare(pairs, decoder("llama"))
    assert prepared.judge(told(r"I go \boxed{UUDR}"), 0, told("")) == 1
    assert prepared.judge(told(r"\boxed{4.0}"), 1, told("")) == 1
    assert prepared.judge(told(r"\boxed{UUDL}"), 0, told("")) == 0


def test_an_answer_that_is_no_option_is_refused():
    with pytest.raises(med.errors.OutcomeError, match="answer of unit 1 is 'blue', which is none of its options"):
        med.AnswerCorrect("answer", options=("red", "green")).prepare(PAIRS, decoder("llama"))


@pytest.mark.filterwarnings(
    "ignore::mediation.errors.WeakTotalEffectWarning", "ignore::mediation.errors.DegenerateWarning"
)
def test_accuracy_of_generations_reports_what_it_cannot_read():
    """End to end: a decoder whose words after the thought are its answers."""
    from tests.rollouts.writer import BASE, LIMIT, SOURCE, body, writer, written

    model = writer()
    wanted = [f"w{written(model, [*prompt, *body(model, prompt)], 1)[0]}" for prompt in SOURCE]
    frame = pd.DataFrame({"answer": wanted})

    @med.outcomes.judge
    def right(found, unit):
        return float(found.answer.split()[:1] == [unit["answer"]])

    pairs = med.Pairs(base=BASE, source=SOURCE, frame=frame)
    found = med.mediate(model, pairs, med.imagination(), right, rng=0, n_resamples=99, max_new_tokens=LIMIT)
    assert found.units["y11"].tolist() == [1.0] * len(BASE)
    free = med.mediate(
        model, pairs, med.imagination(), med.AnswerCorrect("answer"), rng=0, n_resamples=99, max_new_tokens=LIMIT
    )
    assert free.provenance["rollout"]["unparsed"]["y11"] == 1.0, "there is no box and no letter"
    assert "without an answer that the rules find: y00 100.0%" in " ".join(str(free.summary()).split())
