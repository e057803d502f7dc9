"""Worlds checked on every unit before anything runs: overlaps, donors, means."""

from __future__ import annotations

from collections.abc import Sequence

from ..._errors import DataError, SiteError
from ...interventions import Donor, Moment, Noise
from ...sites import Place, Site
from ..study import Study, World, run_of


def check_world(study: Study, world: World) -> None:
    """Raise an error for a world that cannot be run on some unit: overlaps, misaligned donors or means."""
    assert world.assignment is None or all(site.is_concrete for site, _ in world.assignment.placed())
    placed = world.assignment.placed() if world.assignment is not None else ()
    for unit in range(len(study.pairs)):
        taken: dict[tuple[str, str], list[tuple[Site, tuple[int, ...] | None]]] = {}
        for site, what in placed:
            mine = study.positions(site, world.run, unit)
            _check_overlap(study, site, mine, taken, unit)
            for need in what.needs():
                if isinstance(need, Donor):
                    _check_donor(study, site, need, world, unit)
                elif isinstance(need, Moment):
                    study.pairs.inputs(run_of(need.run, world.run))
                    _check_moment(study, site, need, run_of(need.run, world.run), unit)
                else:
                    assert isinstance(need, Noise)


def _check_overlap(
    study: Study,
    site: Site,
    mine: tuple[int, ...] | None,
    taken: dict[tuple[str, str], list[tuple[Site, tuple[int, ...] | None]]],
    unit: int,
) -> None:
    """Find overlaps that only show once sites are modules and spans are token positions."""
    place = study.places[site]
    others = taken.setdefault((place.path, place.io), [])
    for other, theirs in others:
        tokens = mine is None or theirs is None or set(mine) & set(theirs)
        if tokens and _share_features(place, study.places[other]):
            where = "" if mine is None or theirs is None else f" share a token in unit {unit}"
            raise SiteError(
                f"Two interventions at overlapping sites: {other} and {site}{where}. "
                "Compose them at one site with >>, or make the sites disjoint."
            )
    others.append((site, mine))


def _share_features(one: Place, other: Place) -> bool:
    if one.head is not None and other.head is not None and one.head != other.head:
        return False
    return one.features is None or other.features is None or bool(set(one.features) & set(other.features))


def _check_donor(study: Study, site: Site, need: Donor, world: World, unit: int) -> None:
    run = run_of(need.run, world.run)
    study.pairs.inputs(run)
    draws = range(study.draws_of(world))
    donors = {study.donors(need, draw)[unit] for draw in draws} if need.unit != "own" else {unit}
    mine = _reach(study, site, world.run, unit)
    for donor in donors if mine is not None else ():
        theirs = _reach(study, site, run, donor)
        assert mine is not None
        assert theirs is not None
        if len(theirs) == len(mine):
            continue
        one, other = study.encoding.of(world.run, unit), study.encoding.of(run, donor)
        there, hint = "there", "Use positions that match, such as at='last' or a named span of equal length, or make"
        if study.places[site].io == "pattern":
            there, hint = "to attend to", "Make"
        raise DataError(
            f"{site}: unit {unit} is misaligned: its {world.run} input has {_tokens(len(mine))} {there} "
            f"{_shown(one.tokens, mine)} and the {run} input of unit {donor} has {len(theirs)} "
            f"{_shown(other.tokens, theirs)}. {hint} the inputs equally long."
        )


def _reach(study: Study, site: Site, run: str, unit: int) -> Sequence[int] | None:
    """Return the tokens that an activation is made of: its positions, and for attention patterns all keys."""
    length = study.encoding.of(run, unit).length
    return range(length) if length and study.places[site].io == "pattern" else study.positions(site, run, unit)


def _check_moment(study: Study, site: Site, need: Moment, run: str, unit: int) -> None:
    """Check that a mean by position, or one of attention patterns, is over inputs of one length."""
    mine, first = _reach(study, site, run, unit), _reach(study, site, run, 0)
    by_position = need.kind == "mean" and need.over == "units"
    if mine is None or first is None or len(mine) == len(first):
        return
    place, hint = study.places[site], "Use Mean(over='tokens'), or positions that match, such as at='last'."
    if by_position or place.io == "pattern":
        raise DataError(
            f"{site}: the {need.kind} over units needs as many tokens there in every unit; the {run} input of unit 0 "
            f"has {_tokens(len(first))} and that of unit {unit} has {len(mine)}. "
            + (hint if by_position and place.io != "pattern" else "Make the inputs equally long.")
        )


def _tokens(n: int) -> str:
    return f"{n} token{'' if n == 1 else 's'}"


def _shown(tokens: Sequence[str], positions: Sequence[int]) -> str:
    shown = [tokens[p] for p in positions[:12]] if tokens else []
    return repr("|".join(shown) + ("|..." if len(positions) > 12 else ""))
