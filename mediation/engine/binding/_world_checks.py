"""Worlds checked on every unit before anything runs: overlaps, donors, means."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import DataError, SiteError
from ...interventions import Donor, Moment, Noise
from ...sites import Place, Site
from ..study import Study, Table, World, donor_run, run_of


def check_worlds(study: Study) -> None:
    """Raise an error for what cannot be run on some unit: overlapping sites, misaligned donors, means of any length.

    What depends on positions alone is checked once for all sites that share them.
    """
    seen: set[object] = set()
    for world in study.worlds:
        placed = world.assignment.placed() if world.assignment is not None else ()
        assert all(site.is_concrete for site, _ in placed)
        _check_overlaps(study, world, [site for site, _ in placed])
        for site, what in placed:
            for need in what.needs():
                if isinstance(need, Noise):
                    continue
                key = (id(study.table(site, world.run)), study.places[site].io, need, world.run, study.draws_of(world))
                if key not in seen:
                    seen.add(key)
                    _check_need(study, site, need, world)


def _check_need(study: Study, site: Site, need: Donor | Moment, world: World) -> None:
    for unit in range(len(study.pairs)):
        if isinstance(need, Donor):
            _check_donor(study, site, need, world, unit)
        else:
            study.pairs.inputs(run_of(need.run, world.run))
            _check_moment(study, site, need, run_of(need.run, world.run), unit)


def _check_overlaps(study: Study, world: World, sites: Sequence[Site]) -> None:
    """Find overlaps that only show once sites are modules and spans are token positions."""
    taken: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        place, mine = study.places[site], study.table(site, world.run)
        others = taken.setdefault((place.path, place.io), [])
        for other in others:
            if _share_features(place, study.places[other]):
                _check_tokens(site, other, mine, study.table(other, world.run))
        others.append(site)


def _check_tokens(site: Site, other: Site, mine: Table, theirs: Table) -> None:
    for unit, (one, two) in enumerate(zip(mine, theirs, strict=True)):
        if one is None or two is None or set(one) & set(two):
            where = "" if one is None or two is None else f" share a token in unit {unit}"
            raise SiteError(
                f"Two interventions at overlapping sites: {other} and {site}{where}. "
                "Compose them at one site with >>, or make the sites disjoint."
            )


def _share_features(one: Place, other: Place) -> bool:
    if one.head is not None and other.head is not None and one.head != other.head:
        return False
    return one.features is None or other.features is None or bool(set(one.features) & set(other.features))


def _check_donor(study: Study, site: Site, need: Donor, world: World, unit: int) -> None:
    run = donor_run(need, world.run)
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
