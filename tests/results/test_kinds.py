"""A kind of result is an object: its columns, its key, its words, its picture."""

import json
from collections.abc import Mapping
from typing import Any, final

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import mediation.plot
from mediation import Effects, read
from mediation.errors import DataError, DesignError
from mediation.results import KINDS, AbstractKind, Column, Summary, validate
from mediation.results.kinds import kind_from, kind_named, known_kinds
from tests.results.results_factory import make_ablation, make_effects, make_sweep


@final
class Rounds(AbstractKind):
    """A kind of one's own, in one file: effects of rounds of a study."""

    __slots__ = ()

    name = "rounds"
    own = (Column("round", "int64", "Number of the round."),)
    key = ("estimand", "round")
    marks = frozenset({"round"})

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return a title alone."""
        return Summary(f"{table['round'].nunique()} rounds", (), ())


def rounds() -> Effects:
    one = make_effects()
    table = one.tidy()
    both = pd.concat([table.assign(round=number) for number in (1, 2)], ignore_index=True)
    return Effects(both, one.units, {}, kind=Rounds())


@pytest.mark.parametrize("kind", known_kinds(), ids=lambda kind: kind.name)
def test_a_kind_names_rows_by_columns_that_it_has_and_a_picture_that_there_is(kind):
    names = [column.name for column in kind.columns]
    assert len(set(names)) == len(names)
    assert set(kind.key) | set(kind.marks) <= set(names)
    assert callable(getattr(mediation.plot, kind.picture))
    assert kind_named(kind.name) == kind or type(kind_named(kind.name)) is type(kind)
    assert bool(kind.rows_adjusted) != (kind.why_not_adjusted != AbstractKind.why_not_adjusted) or kind.name == "rounds"


@pytest.mark.parametrize("name", KINDS)
def test_the_columns_of_a_kind_are_known_for_its_own(name):
    assert kind_from({column.name for column in kind_named(name).columns}).name == name


def test_a_kind_of_ones_own_is_validated_told_saved_and_read(tmp_path):
    mine = rounds()
    assert mine.kind == "rounds"
    assert "2 rounds" in str(mine.summary().title)
    assert repr(mine).startswith("<Effects: te")
    back = read(mine.save(tmp_path / "rounds"))
    assert back == mine
    assert back.kind == "rounds"
    with pytest.raises(DataError, match="two rows"):
        Effects(mine.tidy().assign(round=1), mine.units, {}, kind="rounds")
    with pytest.raises(DesignError, match=r"equivalence was asked of a result of kind 'rounds'"):
        mine.equivalence(1.0)


@pytest.mark.parametrize("make", [make_effects, make_sweep, make_ablation])
def test_a_result_keeps_its_kind_when_read_and_adjusted(make, tmp_path):
    one = make()
    path = one.save(tmp_path / "one")
    assert json.loads(path.with_suffix(".json").read_text())["kind"] == one.kind
    assert read(path).kind == one.kind


def test_a_saved_kind_must_be_that_of_the_columns(tmp_path):
    path = make_effects().save(tmp_path / "one").with_suffix(".json")
    account = json.loads(path.read_text())
    path.write_text(json.dumps(account | {"kind": "sweep"}))
    with pytest.raises(DataError, match="the columns are those of 'effects'"):
        read(path)


def test_a_kind_whose_file_was_not_imported_is_named(tmp_path):
    path = rounds().save(tmp_path / "one").with_suffix(".json")
    account = json.loads(path.read_text())
    path.write_text(json.dumps(account | {"kind": "checkpoints"}))
    with pytest.raises(DataError, match=r"The table's kind is 'checkpoints', which is not known here\. Import the"):
        read(path)


def test_a_kind_may_be_stated_by_name_or_as_an_object():
    one = make_sweep()
    stated = Effects(one.tidy(), one.units, {}, kind="sweep")
    assert stated.kind == Effects(one.tidy(), one.units, {}, kind=kind_named("sweep")).kind == "sweep"
    assert validate(one.tidy(), kind_named("sweep")).equals(one.tidy())
    with pytest.raises(DataError, match="'ablation', but the columns are those of 'sweep'"):
        Effects(one.tidy(), one.units, {}, kind="ablation")


def test_a_result_is_drawn_by_the_picture_of_its_kind():
    assert mediation.plot.draw(make_sweep()).images or mediation.plot.draw(make_sweep()).collections
    assert len(mediation.plot.draw(rounds()).get_yticks()) == len(rounds().tidy())
    with pytest.raises(DesignError, match="draw draws the Effects"):
        mediation.plot.draw(3)
    plt.close("all")
