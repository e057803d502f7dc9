"""How several mediators share their joint effect: alone, leave-one-out, Shapley, and interactions of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product
from typing import Any, Literal, Unpack

import numpy as np
import pandas as pd

from .._checks import called, one_of, positive_int, shown
from ..engine import World
from ..errors import DesignError, SiteError
from ..estimands import Orders, most_coalitions, sampled_orders
from ..estimate import DIRECTIONS, Direction, Game, seed_from, tabulate_interactions
from ..inference import Inference, Method
from ..interventions import Assignment, Interchange
from ..models import Model, load, runs
from ..outcomes import Outcomes
from ..results import Effects
from ..sites import Joint, Site, SiteSet, ThoughtSite, overlap
from ..units import Encoding, Pairs, encode
from ._asked import (
    check_question,
    inference_account,
    need_one_kind_of_cluster,
    precision_in,
)
from ._mediate import Places
from ._options import RolledOptions, how_of
from ._outcomes import asked_of

_MOST = 2**14  # sets of sites
_STREAM = 0x5A  # tells the stream of orders from that of resamples

Mediators = SiteSet | Mapping[str, Site | SiteSet | Joint | ThoughtSite]


@runs
def interactions(  # noqa: PLR0913
    model: Any,
    pairs: Pairs,
    mediators: Mediators,
    outcome: Outcomes,
    *,
    direction: Direction = "denoising",
    exact_up_to: int = 8,
    n_orders: int = 64,
    pairwise: bool = True,
    rng: int | np.random.Generator | None = None,
    method: Method = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    **execution: Unpack[RolledOptions],
) -> Effects:
    """Return how several mediators share their joint effect: alone, leave-one-out, Shapley, and pairwise interactions.

    Sets S of the sites N are patched together, in one run each: v(S) = Y(0, M_S(1)) - Y(0, M(0)), the pure indirect
    effect of the set (denoising), or v(S) = Y(1, M(1)) - Y(1, M_S(0)), its total indirect effect (noising).

    Parameters
    ----------
    model, pairs, outcome
        As in `mediate`.
    mediators
        At least two sites; or a mapping from names to sites, sets of sites or joint sites, each one mediator; or to
        thoughts, such as ``med.latents(step=0)``.
    direction
        "denoising" or "noising".
    exact_up_to
        Up to this many mediators all sets are run, and Shapley effects are exact; with more, orders are sampled.
    n_orders
        Number of sampled orders; an even number of at least 4, since each comes with its reverse.
    pairwise
        Whether every pair is run, for the matrix of pair interactions.
    rng
        Seed or generator: of resamples and of orders.
    method, confidence_level, n_resamples, **execution
        As in `mediate`.

    Returns
    -------
    Effects
        Of kind 'interactions', with the columns ``partner`` (of a pair), ``n_draws`` (sampled orders, 1 when exact) and
        ``p_adjusted`` (jointly over the sites or pairs of an estimand). Estimands:

        - 'joint': v(N), and 'non_additivity': v(N) - sum_i v({i});
        - 'alone': v({i}), also called add-one-in or first-in;
        - 'leave_one_out': v(N) - v(N without i), also called last-in;
        - 'shapley': what i adds to those before it, averaged over all orders; these sum to v(N) in every unit;
        - 'pair_interaction': v({i, j}) - v({i}) - v({j}); below 0 the two are redundant, above 0 they need each other;
        - 'shapley_interaction': the same, given each set of other sites, averaged (three or more sites, exact only).

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For a question that cannot be asked, before the model runs on a batch; also if it needs too many runs.
    BackendError
        If patching a unit with itself is not neutral, or a recomputed cell does not agree.

    Warns
    -----
    InteractionWarning
        If the interval of the non-additivity leaves out 0: single-site effects do not add up to the joint one.

    Notes
    -----
    Exact, 2^k - 1 sets are run a unit; sampled, at most ``n_orders (k - 1)`` and the pairs. A site that lies downstream
    of another and replaces all that it passes on makes it redundant: their pair interaction is minus the effect of the
    earlier one. If the sites carry the whole effect, noising is the dual game: alone and leave-one-out change places,
    and Shapley effects stay.

    Examples
    --------
    >>> import torch
    >>> import mediation as med
    >>> sizes = torch.linspace(1.0, 2.0, 20)[:, None]
    >>> pairs = Pairs(base=torch.cat([torch.zeros(20, 2), sizes], 1), source=torch.cat([torch.ones(20, 2), sizes], 1))
    >>> gate = med.testing.CooperativeGame(2, lambda players: float(len(players) == 2))  # AND
    >>> sites = Site("players.0") | Site("players.1")
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", med.MediationWarning)
    ...     found = interactions(gate, pairs, sites, med.testing.first_output, rng=0, n_resamples=99)
    >>> found.tidy()[["estimand", "site", "estimate"]].iloc[[0, 2, 3]].round(2)
             estimand                   site  estimate
    0           joint  players.0 & players.1      1.50
    2           alone              players.0      0.00
    3         shapley              players.0      0.75
    """
    loaded = load(model) if not isinstance(model, Model) else model
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    how = how_of(execution, interactions, loaded, settings.seed, thought=_of_thoughts(mediators))
    check_question(pairs, outcome, 1)
    need_one_kind_of_cluster(pairs, "interactions")
    one_of(direction, DIRECTIONS, what="direction")
    encoding = encode(pairs, loaded)
    players = _players(mediators, loaded, encoding)
    orders = _orders(len(players), exact_up_to, n_orders, pairwise, settings.seed)
    game = Game(players=tuple(players), direction=direction, orders=orders, pairwise=pairwise)
    worlds = _worlds(game, list(players.values()))
    outcomes = asked_of(outcome, pairs, loaded)
    finished = outcomes.run(outcomes.studies(how, loaded, pairs, worlds, encoding=encoding))
    provenance = outcomes.provenance(finished, " & ".join(players), repr(Interchange()), how.execution)
    provenance |= {
        "kind": "interactions",
        "inference": inference_account(settings, loaded),
        "interactions": _account(game),
    }

    def found(units: pd.DataFrame, known: dict[str, Any]) -> Effects:
        table = tabulate_interactions(units, game, settings, precision_in(loaded))
        known["pairs"]["n_clusters"] = int(table["n_clusters"].iloc[0])
        return Effects(table, units, known)

    return outcomes.result(outcomes.frame(finished, {name: {} for name in worlds}, worlds), provenance, found)


def _of_thoughts(mediators: object) -> bool:
    """Return True if mediators are thoughts; DesignError if some are and some are not."""
    given = list(mediators.values()) if isinstance(mediators, Mapping) else [mediators]
    thoughts = [one for one in given if isinstance(one, ThoughtSite)]
    if thoughts and len(thoughts) < len(given):
        other = next(one for one in given if not isinstance(one, ThoughtSite))
        raise DesignError(
            f"interactions: {thoughts[0]!r} is a thought, and {called(other)} is not; thoughts are rolled out. Ask "
            "about thoughts, or about sites in single passes."
        )
    for one in thoughts:
        if not one.is_concrete:
            raise DesignError(
                f"interactions: {one!r} is every step; mediators are named one by one: "
                "{'first': med.latents(step=0), 'second': med.latents(step=1)}."
            )
    return bool(thoughts)


def _players(mediators: object, model: Model, encoding: Encoding) -> dict[str, Places]:
    """Return the sites of each mediator by name."""
    found: dict[str, Places]
    if isinstance(mediators, Site):
        mediators = SiteSet((mediators,))
    if isinstance(mediators, SiteSet):
        found = {str(site): (site,) for site in mediators.expand(model, encoding)}
    elif isinstance(mediators, Mapping):
        found = {
            str(name): (one,) if isinstance(one, ThoughtSite) else tuple(_sites(name, one).expand(model, encoding))
            for name, one in mediators.items()
        }
    else:
        hint = "Sites that are joined for good are one mediator; give them as they were: a | b."
        if isinstance(mediators, ThoughtSite):
            hint = "Name several: {'first': med.latents(step=0), 'second': med.latents(step=1)}."
        elif not isinstance(mediators, Joint):
            hint = "Join sites by |, such as med.mlp(3) | med.mlp(5), or name them: {'early': med.mlp(3), ...}."
        raise DesignError(f"interactions: mediators is {called(mediators)}; a set of sites is needed. {hint}")
    _check_names(found, mediators)
    _check_apart(found)
    if len(found) < 2:
        raise DesignError(
            f"interactions: mediators holds {f'one, {next(iter(found))!r}' if found else 'none'}, and interactions are "
            "between at least two. med.mediate asks about one."
        )
    return found


def _check_names(found: Mapping[str, Places], given: object) -> None:
    """Check the names that a mapping gives: joined by " & " they must name each set of mediators and no other."""
    if not isinstance(given, Mapping):
        return
    odd = [name for name in found if not name.strip() or "&" in name]
    if odd or len(found) != len(given):
        told = f"{odd[0]!r} is empty or has '&' in it, which joins names" if odd else "two have the same text"
        raise DesignError(f"interactions: names of mediators must be distinct texts without '&'; {told}.")


def _check_apart(found: Mapping[str, Places]) -> None:
    """Check that no two mediators hold the same place; the study compares positions that only the tokens tell."""
    for (name, sites), (other, others) in combinations(found.items(), 2):
        for one, two in product(sites, others):
            if isinstance(one, Site) and isinstance(two, Site) and overlap(one, two):
                raise SiteError(
                    f"interactions: mediators {name!r} and {other!r} overlap: {one} and {two}. Patching both is not "
                    "defined; make them disjoint, or leave one out."
                )


def _sites(name: object, one: object) -> SiteSet:
    if isinstance(one, Joint):
        return one.sites
    if isinstance(one, SiteSet):
        return one
    if isinstance(one, Site):
        return SiteSet((one,))
    raise DesignError(f"interactions: mediator {name!r} is {called(one)}; a site or several joined by | are needed.")


def _orders(k: int, exact_up_to: object, n_orders: object, pairwise: object, seed: int) -> Orders | None:
    """Return the orders to sample, None when all sets are run; DesignError if that is too many runs."""
    most = positive_int(exact_up_to, what="exact_up_to", least=0)  # type: ignore[arg-type]
    drawn = positive_int(n_orders, what="n_orders", least=4)  # type: ignore[arg-type]
    if drawn % 2:
        raise DesignError(f"n_orders = {drawn}: each order comes with its reverse; an even number is needed.")
    if not isinstance(pairwise, bool):
        raise DesignError(f"pairwise = {shown(pairwise)}: True or False is needed.")
    exact = k <= most
    count = most_coalitions(k, None if exact else drawn, pairwise=pairwise)
    if count > _MOST:
        remedy = f"Lower exact_up_to, which is {most}, so that orders are sampled"
        if not exact:
            alone = most_coalitions(k, drawn, pairwise=False)
            remedy = f"Lower n_orders ({drawn}){f', or pairwise=False ({alone:,} sets)' if alone <= _MOST else ''}"
        raise DesignError(
            f"interactions: {k} mediators need {f'2^{k} - 1' if exact else f'up to {count:,}'} sets of sites, each run "
            f"on every unit; {_MOST:,} are the limit. {remedy}; or take fewer, or group them, such as "
            "{'early': a | b, 'late': c | d}."
        )
    return None if exact else sampled_orders(k, drawn, np.random.default_rng([seed, _STREAM]))


def _worlds(game: Game, sites: list[Places]) -> dict[str, dict[str, World]]:
    """Return the two worlds of each coalition, by the name of its site."""
    run: Literal["base", "source"] = "base" if game.direction == "denoising" else "source"
    plain, patched = ("y00", "y01") if run == "base" else ("y11", "y10")
    found = {}
    for coalition in game.coalitions:
        entries = tuple((site, Interchange()) for player in coalition for site in sites[player])
        found[game.name_of(coalition)] = {plain: World(run), patched: World(run, Assignment(entries))}
    return found


def _account(game: Game) -> dict[str, Any]:
    """Return what makes the table again from the units: players, direction, orders."""
    return {
        "sites": list(game.players),
        "direction": game.direction,
        "pairwise": game.pairwise,
        "coalitions": len(game.coalitions),
        "orders": None if game.orders is None else game.orders.tolist(),
    }
