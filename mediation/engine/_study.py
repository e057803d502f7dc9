"""A study: worlds bound to units and model, with everything checked before the first forward pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

from torch import Tensor

from .._errors import DataError, DesignError, OutcomeError, SiteError
from ..interventions import AbstractIntervention, Donor, Moment, Noise
from ..models import Model
from ..outcomes import AbstractOutcome, Prepared
from ..sites import Place, Site, positions_of, resolve, side_of
from ..units import Encoding, Pairs, encode
from ._draws import donor_units
from ._first import first_run
from ._hooks import Order
from ._unembed import Unembedding
from ._world import World, run_of

Placed = tuple[tuple[Site, AbstractIntervention], ...]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Study:
    """Everything that decides the numbers of a run.

    Attributes
    ----------
    worlds
        Distinct worlds, expanded: every site is concrete.
    places
        Where each site is in the module tree.
    order
        When each side of each module is reached.
    unembedding
        Where the logits that the outcome asks for can be computed alone; None where they cannot.
    """

    model: Model
    pairs: Pairs
    encoding: Encoding
    prepared: Prepared
    worlds: tuple[World, ...]
    places: dict[Site, Place]
    order: Order
    seed: int
    n_draws: int
    unembedding: Unembedding | None = None
    _donors: dict[tuple[Donor, int], list[int]] = field(default_factory=dict)

    def placed(self, world: World) -> Placed:
        """Return the sites and interventions of a world, in order of execution."""
        if world.assignment is None:
            return ()
        return tuple(sorted(world.assignment.placed(), key=lambda entry: self.when(self.places[entry[0]])))

    def when(self, place: Place) -> int:
        """Return the moment at which a place is reached."""
        return self.order[(place.path, place.io)]

    def length(self, run: str, unit: int) -> int:
        """Return the tokens of one input with what is appended to it; 1 for plain modules."""
        continuation = self.prepared.continuation
        return (self.encoding.of(run, unit).length or 1) + (len(continuation[unit]) if continuation else 0)

    def positions(self, site: Site, run: str, unit: int) -> tuple[int, ...] | None:
        """Return the token positions of `site` in one input; None where there is no sequence to speak of."""
        encoded = self.encoding.of(run, unit)
        if encoded.length is None:
            return _plain_positions(site, encoded.tensors, side_of(site, self.model))
        if site.at != "all" and side_of(site, self.model) == "decoder":
            raise SiteError(
                f"{site}: the inputs are tokens of the encoder, and positions in the decoder are those of its own. "
                "Give both: Pairs(base={'input_ids': ..., 'decoder_input_ids': ...}, ...)."
            )
        return positions_of(site.at, encoded.length, encoded.spans, f"{run} input of unit {unit}")

    def donors(self, need: Donor, draw: int) -> Sequence[int]:
        """Return the donor unit of every unit."""
        key = (need, draw)
        if key not in self._donors:
            self._donors[key] = [int(unit) for unit in donor_units(need, self.pairs, seed=self.seed, draw=draw)]
        return self._donors[key]

    def draws_of(self, world: World) -> int:
        """Return how many draws a world has."""
        return self.n_draws if world.is_random else 1


def make_study(
    model: Model,
    pairs: Pairs,
    worlds: Sequence[World],
    outcome: AbstractOutcome,
    *,
    seed: int,
    n_draws: int = 1,
    encoding: Encoding | None = None,
) -> Study:
    """Bind worlds to units and model, and check them.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For whatever cannot be run, before the model runs on a batch (one input is run once, to learn the
        order in which modules are called).
    """
    if any(world.run == "source" for world in worlds):
        pairs.inputs("source")
    encoding = encode(pairs, model) if encoding is None else encoding
    prepared = outcome.prepare(pairs, model)
    if prepared.of_rollout:
        raise DesignError(
            f"{outcome!r} is read in a rollout, and this question runs single forward passes. Use such as "
            "med.LogitDiff('answer', 'foil'), or ask about a thought: mediator=med.latents() or med.imagination()."
        )
    if prepared.continuation and any(one.ids is None for run in encoding.runs.values() for one in run):
        raise OutcomeError(
            f"{outcome!r} has answers of several tokens, which follow the tokens of an input, and the inputs are "
            "tensors. Give texts, med.Prompt(text, images) or token ids; or answers of one token."
        )
    expanded = tuple(dict.fromkeys(_expand(world, model, encoding) for world in worlds))
    sites = {site for world in expanded if world.assignment for site, _ in world.assignment.placed()}
    places = {site: resolve(site, model) for site in sorted(sites, key=str)}
    study = Study(
        model=model,
        pairs=pairs,
        encoding=encoding,
        prepared=prepared,
        worlds=expanded,
        places=places,
        order={},
        seed=seed,
        n_draws=n_draws,
    )
    for world in expanded:
        _check_world(study, world)
    stops = {(place.path, place.io) for place in places.values()} | _block_ends(model, sites)
    return first_run(study, sorted(stops))


def _block_ends(model: Model, sites: Collection[Site]) -> set[tuple[str, Literal["output"]]]:
    """Return the ends of the blocks before those that hold a site, where a fanned-out batch may grow."""
    inside = {site.layer for site in sites if site.kind in ("attention", "mlp", "neurons") and model.is_causal}
    return {(model.known_architecture().path(layer - 1), "output") for layer in inside if layer}


def expand_world(world: World, model: Model, encoding: Encoding) -> World:
    """Return the world with every site spelled out."""
    return _expand(world, model, encoding)


def _expand(world: World, model: Model, encoding: Encoding) -> World:
    if world.assignment is None:
        return world
    return World(world.run, world.assignment.expand(model, encoding))


def _plain_positions(site: Site, tensors: Mapping[str, Tensor], side: str | None) -> tuple[int, ...] | None:
    if site.at == "all":
        return None
    if site.kind == "pattern":
        raise SiteError(
            f"{site}: queries of attention patterns are counted in texts or token ids, and the inputs are tensors by "
            "name. Leave `at` out to act on the whole pattern, or give texts or ids."
        )
    given = tensors.get(f"{side}_input_ids") if side == "decoder" else None
    first = next(iter(tensors.values())) if given is None else given
    if side == "decoder" and given is None:
        raise SiteError(f"{site}: positions in the decoder are those of decoder_input_ids. Give them in Pairs.")
    if first.ndim < (1 if side is not None else 2):
        raise SiteError(
            f"{site}: at = {site.at!r}, and the inputs of a unit have shape {tuple(first.shape)}: no axis of "
            "positions. Leave `at` out to act on the whole activation."
        )
    return positions_of(site.at, int(first.shape[0]), {}, "inputs")


def _check_world(study: Study, world: World) -> None:
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
