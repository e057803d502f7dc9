"""Accuracies and intervals, against Wilson's formula and the t interval of scipy, and by simulated coverage."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mediation.datasets import cyclic, read, scores
from mediation.datasets._scores import interval
from tests.datasets import files


def wilson(right: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson (1927), written out."""
    z, p = stats.norm.ppf((1 + level) / 2), right / n
    middle, half = (p + z * z / (2 * n)) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half / (1 + z * z / n), middle + half / (1 + z * z / n)


def line(table: pd.DataFrame, category: str = "all") -> pd.Series:
    return table.set_index("category").loc[category]


def many(n: int, **columns) -> pd.DataFrame:
    ids = [str(i) for i in range(n)]
    rows = {"id": ids, "options": [("red", "blue")] * n, "answer": "A", "category": "one", "group": ids}
    return pd.DataFrame({**rows, "layout": "vstar", **columns})


def test_one_row_a_group_is_wilsons_interval():
    category = ["direct_attributes"] * 6 + ["relative_position"] * 4
    said = ["A", "A", "A", "B", "no idea", None, "A", "A", "A", "A"]
    table = scores(many(10, category=category), said)
    assert table["category"].tolist() == ["direct_attributes", "relative_position", "all"]
    assert table["n"].tolist() == table["groups"].tolist() == [6, 4, 10]
    assert table["accuracy"].tolist() == [3 / 6, 1.0, 7 / 10]
    assert table["unparsed"].tolist() == [2 / 6, 0.0, 2 / 10]
    for name, right, n in (("direct_attributes", 3, 6), ("relative_position", 4, 4), ("all", 7, 10)):
        assert np.allclose(line(table, name)[["conf_low", "conf_high"]].astype(float), wilson(right, n))


def test_orders_of_a_question_count_as_one():
    frame = read(pd.DataFrame(files.hrbench(files.hugging)))
    said = ["A", "D", "A", "A", "A", "D", "C", "B"]  # 2 of 4 and 4 of 4
    table = scores(frame, said)
    assert line(table, "single").accuracy == 0.5
    assert line(table, "cross").accuracy == 1.0
    by_cycle = pd.Series(np.array(said) == frame.answer.to_numpy()).groupby(frame.cycle).mean()
    assert line(table).accuracy == by_cycle.mean() == 0.75  # the published mean over cycle_category
    assert (line(table).n, line(table).groups) == (8, 2)
    low, high = stats.t.interval(0.95, 1, 0.75, stats.sem([0.5, 1.0]))
    assert (line(table).conf_low, line(table).conf_high) == (max(0, low), min(1, high))
    assert math.isnan(line(table, "single").conf_low)  # one question


def test_the_t_interval_is_that_of_the_means_of_groups():
    rng = np.random.default_rng(1)
    hits = rng.integers(0, 2, size=(30, 4)).astype(float)
    found = interval(hits.ravel(), np.repeat(np.arange(30), 4), 0.9)
    means = hits.mean(axis=1)
    assert np.allclose(found, stats.t.interval(0.9, 29, means.mean(), stats.sem(means)))


def test_groups_that_are_all_alike_have_wilsons_interval_of_the_groups():
    assert np.allclose(interval(np.ones(20), np.repeat(np.arange(5), 4), 0.95), wilson(5, 5))


@pytest.mark.statistical
def test_coverage_with_groups_of_unequal_sizes():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(600):
        ease = rng.beta(3, 2, size=60)
        groups = np.repeat(np.arange(60), rng.integers(1, 6, size=60))
        hits = (rng.random(len(groups)) < ease[groups]).astype(float)
        low, high = interval(hits, groups, 0.95)
        covered += low <= 0.6 <= high
    assert 0.92 <= covered / 600 <= 0.975


def test_a_slash_counts_for_the_part_before_it():
    frame = many(4, category=["Perception/OCR", "Perception/Chart", "Reasoning/OCR", "Reasoning/OCR"])
    table = scores(frame, ["A", "B", "A", "A"])
    assert table["category"].tolist() == [
        "Perception/OCR",
        "Perception/Chart",
        "Reasoning/OCR",
        "Perception",
        "Reasoning",
        "all",
    ]
    assert table["accuracy"].tolist() == [1.0, 0.0, 1.0, 0.5, 1.0, 0.75]


def test_tablevqa_is_the_mean_of_its_subsets():
    answer = ["2004", "Oslo|Rome", "1,000", "True", "False"]
    category = ["vwtq", "vwtq", "vwtq", "vtabfact", "vtabfact"]
    frame = many(5, answer=answer, category=category, options=[None] * 5, layout="tablevqa")
    table = scores(frame, ["Answer: 2004", "rome||Oslo", "1000", "It is false.", "True or False"])
    assert line(table, "vwtq").accuracy == 1.0
    assert line(table, "vtabfact").accuracy == 0.0
    assert line(table, "vtabfact").unparsed == 0.5
    assert line(table).accuracy == 0.5  # not 3 of 5
    down, up = 1 - wilson(3, 3)[0], wilson(0, 2)[1]
    assert np.allclose([line(table).conf_low, line(table).conf_high], [0.5 - down / 2, 0.5 + up / 2])


@pytest.mark.parametrize("said", ["Oslo", "Oslo|Rome|Rome", "Oslo|Paris", "Oslo Rome"])
def test_lists_must_be_the_same(said):
    frame = many(1, answer="Oslo|Rome", options=[None], layout="tablevqa", category="vwtq")
    assert line(scores(frame, [said])).accuracy == 0.0


def test_plans_are_walked(tmp_path):
    (tmp_path / "imgs").mkdir()
    files.image(1).save(tmp_path / "imgs" / "1.png")
    frame = read(files.write(tmp_path / "vsp.jsonl", files.vsp()))
    table = scores(frame, {"2x3/31": r"\boxed{DLLU}", "2x2/32": "R"})
    assert table["category"].tolist() == ["2x3", "2x2", "all"]
    assert table["accuracy"].tolist() == [1.0, 0.0, 0.5]
    assert table["unparsed"].tolist() == [0.0, 1.0, 0.5]


def test_another_rule_and_another_level():
    table = scores(many(4), ["<answer>A", "<answer>A", "<answer>(A)", "<answer>B"], layout="lvr", level=0.8)
    assert line(table).accuracy == 0.5
    assert np.allclose([line(table).conf_low, line(table).conf_high], wilson(2, 4, 0.8))


def test_a_model_that_always_says_a_gains_nothing_over_all_orders():
    frame = cyclic(read(pd.DataFrame(files.scienceqa())))
    assert line(scores(frame, ["A"] * len(frame))).accuracy == pytest.approx(1 / 3)
