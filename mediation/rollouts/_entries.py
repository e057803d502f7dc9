"""What may be done to a thought, checked before anything runs."""

from __future__ import annotations

import dataclasses

from .._checks import called, shown
from ..engine import World
from ..errors import DesignError
from ..interventions import (
    AbstractIntervention,
    AbstractRewrite,
    Assignment,
    Donor,
    Identity,
    Interchange,
    Oracle,
    RewriteChain,
    Shorten,
    ShuffleSteps,
    Skip,
    Swap,
)
from ..rewrites import ReplaceText
from ..sites import ThoughtSite
from ..specs import LatentSpec, Spec, TextSpec

_WHOLE = (Skip, Shorten)


def check_world(world: World, spec: Spec | None, n: int, *, pairs: bool) -> None:
    """Check what a world does to thoughts.

    Parameters
    ----------
    world
        The world.
    spec
        Of the thoughts.
    n
        Number of units.
    pairs
        Whether there are source inputs.

    Raises
    ------
    DesignError
        If there is no spec for a site, or an intervention cannot be placed there.
    """
    if world.assignment is None:
        return
    if not isinstance(world.assignment, Assignment):
        raise DesignError(
            f"rollout: assignment = {shown(world.assignment)} is a {type(world.assignment).__name__}; an intervention "
            "at a site is needed, such as med.Zero().at(med.latents())."
        )
    if world.assignment.of_input():
        where, done = world.assignment.of_input()[0]
        raise DesignError(
            f"rollout: {done!r} at {where}: inputs are changed before a rollout: "
            f"med.do(inputs, {done!r}.at({where!r}))."
        )
    for site, what in world.assignment.thoughts():
        check_site(site, spec)
        if site.kind == "latents":
            _check_latents(site, what, n)
        else:
            _check_text(site, what, n)
        needs = what.needs() if isinstance(what, AbstractIntervention) else ()
        if any(isinstance(need, Donor) and need.world is not None for need in needs):
            raise DesignError(
                f"{what!r} at {site}: activations of another world are put in in single forward passes, and a thought "
                "is rolled out. Write Interchange() for the thought of the other input."
            )
        lone = [need for need in needs if isinstance(need, Donor) and need.run == "other"]
        if lone and not pairs:
            raise DesignError(
                f"{what!r} at {site} puts in the thought of the other input, and there is one input a unit here. "
                "Write med.Swap() for another unit's, or ask med.mediate(model, pairs, ...)."
            )


def check_site(site: ThoughtSite, spec: Spec | None) -> None:
    """Raise DesignError unless the spec has thoughts of the kind that the site names."""
    if spec is None:
        example = "med.specs.MONET" if site.kind == "latents" else "med.specs.CAPIMAGINE"
        raise DesignError(
            f"{site}: where a thought begins and ends is said by a spec, and there is none. Give one: "
            f"med.load(model, spec={example}), or spec=... here."
        )
    if site.kind == "latents" and not isinstance(spec, LatentSpec):
        raise DesignError(
            f"{site}: {shown(spec)} is for written thoughts. Use med.imagination(), or give a LatentSpec."
        )
    if site.kind == "imagination" and not isinstance(spec, TextSpec):
        raise DesignError(
            f"{site}: {type(spec).__name__} is for latent thoughts. Use med.latents(), or give a TextSpec."
        )
    if isinstance(spec, LatentSpec) and isinstance(site.step, int) and not -spec.steps <= site.step < spec.steps:
        raise DesignError(f"{site}: the spec has {spec.steps} latent steps (0 to {spec.steps - 1}).")


def _check_latents(site: ThoughtSite, what: object, n: int) -> None:
    if not isinstance(what, AbstractIntervention):
        raise DesignError(f"{site}: {called(what)} is placed there; an intervention is needed.")
    if isinstance(what, _WHOLE) and site.step != "all":
        raise DesignError(f"{what!r} at {site}: it is about the thought as a whole. Leave step out.")
    inside = next((kind for kind in (*_WHOLE, Oracle) if holds(what, kind)), None)
    if inside is not None and not isinstance(what, inside):
        raise DesignError(
            f"{what!r} at {site}: {inside.__name__} says what the thought is to be, so it stands alone. Take it out of "
            "the composition."
        )
    if isinstance(what, Oracle) and len(what.values) != n:
        raise DesignError(f"Oracle has values for {len(what.values)} units, and there are {n}; one a unit is needed.")
    if site.when == "in-loop" and holds(what, ShuffleSteps):
        after = site.with_(when="after-the-fact")
        raise DesignError(
            f"{what!r} at {site}: while a thought goes on, its later steps are not known, so they cannot be shuffled. "
            f"Place it at {after!r}."
        )


def _check_text(site: ThoughtSite, what: object, n: int) -> None:
    if not isinstance(what, (AbstractRewrite, Interchange, Swap, Skip, Identity)):
        raise DesignError(
            f"{what!r} at {site} changes vectors, and a written thought is text. Use med.Swap(), "
            "med.interventions.Skip(), or a rewrite such as med.rewrites.Blank() or med.rewrites.ShuffleWords(); "
            "med.matched(med.imagination()) lists them."
        )
    for one in what.parts if isinstance(what, RewriteChain) else (what,):
        if isinstance(one, ReplaceText) and isinstance(one.text, tuple) and len(one.text) != n:
            raise DesignError(
                f"ReplaceText has texts for {len(one.text)} units, and there are {n}; one text for all, or one a unit, "
                "is needed."
            )


def holds(what: object, kind: type) -> bool:
    """Return True if an intervention is of `kind`, or is composed of one.

    Examples
    --------
    >>> holds(ShuffleSteps() >> Identity(), ShuffleSteps)
    True
    """
    if isinstance(what, kind):
        return True
    if isinstance(what, tuple):
        return any(holds(one, kind) for one in what)
    if isinstance(what, AbstractIntervention) and dataclasses.is_dataclass(what):
        return any(holds(getattr(what, item.name), kind) for item in dataclasses.fields(what))
    return False
