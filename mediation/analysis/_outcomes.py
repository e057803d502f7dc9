"""One outcome or several: what each is called, which are read in the same runs, and what comes of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import pandas as pd

from .._checks import called, elements, one_of, shown
from ..engine import Execution, Finished, World
from ..errors import DesignError
from ..models import Model
from ..outcomes import AbstractOutcome, Several, grouped
from ..provenance import provenance_of, unparsed_rates
from ..results import FAMILIES, Effects, effects_by_outcome
from ..sites import Site, SiteSet, ThoughtSite
from ..units import Pairs
from ._asked import kept_in, name_of, need_one_kind_of_cluster, units_frame
from ._bound import Bound, How, OneProgress

Worlds = Mapping[Any, Mapping[str, World]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The outcomes of a question.

    Attributes
    ----------
    labels
        What each outcome is, by its name; empty where one is asked for by itself, which needs no name.
    groups
        Outcomes that are read in the same runs, by name; the first of all outcomes is the first of the first group.
    """

    labels: Mapping[str, str]
    groups: Sequence[Mapping[str, AbstractOutcome]]

    @property
    def read(self) -> tuple[AbstractOutcome, ...]:
        """What each study reads."""
        return tuple(
            next(iter(group.values())) if len(group) == 1 else Several(tuple(group.values())) for group in self.groups
        )

    def studies(self, how: How, model: Model, pairs: Pairs, worlds: Worlds, **options: Any) -> list[Bound]:
        """Return the worlds bound to units and model, once for each group; `options` are those of `How.bind`."""
        asked = [world for named in worlds.values() for world in named.values()]
        if len({one.prepare(pairs, model).of_rollout for one in self.read} if len(self.read) > 1 else ()) > 1:
            # Each option is for some of the outcomes, but no bound holds for what is generated in another precision.
            how = replace(how, given=tuple(name for name in how.given if name in ("precision", "recheck")))
        return [how.bind(model, pairs, asked, one, **options) for one in self.read]

    def run(self, studies: Sequence[Bound]) -> tuple[Finished, ...]:
        """Run the studies of a question; each of several keeps its pieces in a folder of its own."""
        if len(studies) == 1:
            return (studies[0].run(),)
        together = OneProgress(studies[0].how.progress, studies)
        done = tuple(study.run(index, together) for index, study in enumerate(studies))
        studies[0].how.progress.close()
        return done

    def apart(self, done: Sequence[Finished]) -> dict[str, Finished]:
        """Return what each outcome came to, by name in the order of the question."""
        each = zip(self.groups, done, strict=True)
        found = {name: one for group, finished in each for name, one in zip(group, finished.apart, strict=True)}
        return {name: found[name] for name in self.labels} if self.labels else found

    def frame(
        self,
        done: Sequence[Finished],
        labels: Mapping[Any, Mapping[str, Any]],
        worlds: Worlds,
        *,
        same_units: bool = False,
    ) -> pd.DataFrame:
        """Return the unit-level frame; see `units_frame`."""
        return units_frame(self.apart(done) if self.labels else done[0], labels, worlds, same_units=same_units)

    def result(
        self, units: pd.DataFrame, provenance: dict[str, Any], make: Callable[[pd.DataFrame, dict[str, Any]], Effects]
    ) -> Effects:
        """Return what `make` makes of the units and the account of each outcome by itself, in one result."""
        return effects_by_outcome(units, provenance, make) if self.labels else make(units, provenance)

    def provenance(
        self, done: Sequence[Finished], mediator: object, put_in: str, how: Execution, worlds: Worlds | None = None
    ) -> dict[str, Any]:
        """Return what a result keeps of its runs: that of the first study, with passes and rows of all.

        What outcomes do not share is by name in ``by_outcome``: how far rounding reaches, and what self-checks found.
        """
        known = provenance_of(done[0], mediator, put_in, how, worlds)
        known["pairs"]["n"] = len(kept_in(done))  # that all outcomes have; the table says the n of each
        rolled = [one.report["rollout"] for one in done if "rollout" in one.report]
        if rolled and self.labels:
            known["rollout"] = {**rolled[0], **self._rolled(done, worlds or {})}
        if self.labels:
            known["outcome"] = dict(self.labels)
            known["by_outcome"] = {name: _own(one.report) for name, one in self.apart(done).items()}
            for name, own in next(iter(known["by_outcome"].values())).items():
                known[name] = {key: value for key, value in known[name].items() if key not in own}
        if len(done) > 1:
            for name in known["plan"].keys() & {"rows", "fan_out_rows", "passes"}:
                known["plan"][name] = sum(one.report.get(name, 0) for one in done)
            known["plan"]["studies"] = len(done)
        return known

    def _rolled(self, done: Sequence[Finished], worlds: Worlds) -> dict[str, Any]:
        """Return what there is one of for each outcome, or each study, of generations."""
        rates = {
            name: one
            for group, finished in zip(self.groups, done, strict=True)
            if "rollout" in finished.report
            for name, one in zip(group, unparsed_rates(finished, worlds), strict=True)
        }
        odd = {unit: reason for finished in done for unit, reason in finished.left_out.items()}
        return {"unparsed": rates, "units_left_out": {str(unit): odd[unit] for unit in sorted(odd)}}


def _own(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the part of an account that is about one outcome, as its own report has it."""
    names = {"plan": ("rounding", "settled_rows"), "checks": ("consistency", "most_padded", "sample")}
    return {part: {name: report[name] for name in some if name in report} for part, some in names.items()}


def outcomes_of(
    given: object, pairs: Pairs, model: Model, *, what: str = "outcome"
) -> tuple[dict[str, AbstractOutcome], dict[str, str]]:
    """Return outcomes, and what they are, by name.

    Raises
    ------
    DesignError
        If something is no outcome, there is none, or two have one name.
    OutcomeError
        If an outcome cannot be computed on these units.
    """
    found: dict[str, AbstractOutcome] = {}
    labels: dict[str, str] = {}
    for key, one in check_outcomes(given, what=what):
        label = one.prepare(pairs, model).label
        name = label if key is None else name_of(key, "outcome")
        if name in found:
            raise DesignError(f"Two outcomes are called {name!r}; name them, as in {{'first': ..., 'second': ...}}.")
        found[name], labels[name] = one, label
    return found, labels


def check_outcomes(given: object, *, what: str = "outcome") -> list[tuple[Any, AbstractOutcome]]:
    """Return outcomes with their keys, None where they have none; DesignError if one is none, or there is none."""
    if isinstance(given, AbstractOutcome):
        return [(None, given)]
    if isinstance(given, Mapping):
        listed = list(given.items())
    else:
        needed = "an outcome, a list of outcomes, or a mapping from names to outcomes"
        listed = [(None, one) for one in elements(given, what=what, needed=needed)]
    if not listed:
        raise DesignError(
            f"{what} is empty; at least one is needed, such as {{'logit': med.LogitDiff('answer', 'foil')}}."
        )
    for key, one in listed:
        if not isinstance(one, AbstractOutcome):
            raise DesignError(
                f"{what} has {called(one)}{'' if key is None else f' as {key!r}'}; outcomes such as "
                "med.LogitDiff('answer', 'foil') are needed, or functions decorated with @med.outcome."
            )
    return listed


def asked_of(given: object, pairs: Pairs, model: Model) -> Asked:
    """Return the outcomes of a question: one by itself, or several by name; errors as in `outcomes_of`."""
    if isinstance(given, AbstractOutcome):
        return Asked({}, [{"": given}])
    named, labels = outcomes_of(given, pairs, model)
    return Asked(labels, grouped(named, pairs, model))


def is_sweep(mediator: object) -> bool:
    """Return True if a mediator stands for sites of which each is asked about."""
    return isinstance(mediator, SiteSet) or (isinstance(mediator, (Site, ThoughtSite)) and not mediator.is_concrete)


def check_family(family: object, outcome: object, mediator: object, pairs: Pairs) -> None:
    """Raise DesignError if bands cannot hold for all outcomes together."""
    one_of(family, FAMILIES, what="family")
    if family != "all":
        return
    if isinstance(outcome, AbstractOutcome):
        raise DesignError("family = 'all' joins the bands of several outcomes, and there is one. Leave family out.")
    if not is_sweep(mediator):
        raise DesignError(
            f"family = 'all' is about the bands of a sweep, and {shown(mediator)} is none. Leave family out, and "
            "adjust p-values for their number: effects.adjust('holm', family='outcomes')."
        )
    need_one_kind_of_cluster(pairs, "family='all'")


def one_outcome(given: object, what: str) -> Any:
    """Return what is given; raise DesignError if a question about one outcome is asked about several."""
    if isinstance(given, (list, tuple, Mapping)):
        raise DesignError(
            f"{what} is about one outcome, and outcome is a {type(given).__name__} of {len(given)}. Ask about each in "
            "a call of its own."
        )
    return given
