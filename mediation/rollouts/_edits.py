"""Interventions on the thoughts of one row: in the loop, or on the thought of the plain run as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from ..engine.study import noise, run_of
from ..errors import DesignError, SiteError
from ..interventions import (
    AbstractIntervention,
    AbstractRewrite,
    Donor,
    Interchange,
    Need,
    Noise,
    Oracle,
    Shorten,
    Skip,
    Swap,
    TextGiven,
)
from ..sites import ThoughtSite, positions_of
from ..specs import Spec
from ..units import Continuations
from ._plan import AbstractPlan, UnplaceableError
from ._thoughts import Thought, Thoughts

Entry = tuple[ThoughtSite, AbstractIntervention | AbstractRewrite]
_REWRITE = 4


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Where:
    """Whose thought is changed, and what it is changed with.

    Attributes
    ----------
    run, unit, draw
        The row.
    thoughts
        Of all plain runs.
    steps
        The most latents that a thought may have.
    spec, tokenizer
        For written thoughts: the markers, and how they are tokenised.
    vocabulary
        Number of tokens that the model knows.
    """

    run: str
    unit: int
    draw: int
    thoughts: Thoughts
    steps: int
    spec: Spec
    tokenizer: Any
    vocabulary: int | None = None

    @property
    def own(self) -> Thought:
        """The plain thought of this row's own input."""
        return self.thoughts.get(self.run, self.unit, self.draw)

    def given_by(self, need: Donor) -> Thought:
        """Return the plain thought of a donor."""
        donor = self.thoughts.donor(need, self.unit, self.draw)
        return self.thoughts.get(run_of(need.run, self.run), donor, self.draw)


@final
class LatentPlan(AbstractPlan):
    """What is done to the latent thoughts of one row."""

    __slots__ = ("_entries", "_fixed", "_history", "_noise", "_where")

    def __init__(self, entries: Sequence[Entry], where: Where) -> None:
        """Keep the entries in order; a unit's own oracle is taken from those of all units."""
        self._where = where
        self._entries = [(site, _own_oracle(what, where.unit)) for site, what in entries]
        self._fixed: dict[int, Tensor] = {}
        self._history: dict[tuple[int, int], Tensor] = {}
        self._noise: dict[int, Tensor] = {}

    def length(self, segment: int) -> int | None:
        """Return the number of latents: of the donor's or of the plain thought, where that is put in as a whole."""
        for site, what in self._mine(segment):
            if isinstance(what, Skip):
                return 0
            if site.when == "after-the-fact":
                return len(self._whole(segment))
            if isinstance(what, Shorten):
                return min(what.keep, len(self._thought(self._where.own, segment)))
            if isinstance(what, Oracle):
                return len(_given_by_hand(what))
            donors = [need for need in what.needs() if isinstance(need, Donor)]
            if donors and site.step == "all":
                return len(self._thought(self._where.given_by(donors[0]), segment))
        return None

    def latent(self, segment: int, step: int, own: Tensor) -> Tensor:
        """Return the vector that is fed."""
        entries = self._mine(segment)
        vector = own
        if any(site.when == "after-the-fact" for site, _ in entries):
            vector = self._whole(segment)[step]
        for number, (site, what) in enumerate(entries):
            if site.when == "in-loop" and not isinstance(what, (Skip, Shorten)):
                vector = self._in_loop(number, site, what, segment, step, vector)
        return vector.to(own.dtype)

    def closed(self, segment: int, steps: int) -> None:
        """Check that the thought had the steps that were to be changed in the loop."""
        for site, _ in self._mine(segment):
            if site.when == "in-loop" and site.step != "all":
                _places(site, steps)

    def body(self, segment: int) -> tuple[int, ...] | None:
        """Return None: latents are no tokens."""
        return None

    def _mine(self, segment: int) -> list[tuple[ThoughtSite, AbstractIntervention]]:
        return [(site, what) for site, what in self._entries if site.segment in (None, segment)]

    def _in_loop(
        self, number: int, site: ThoughtSite, what: AbstractIntervention, segment: int, step: int, vector: Tensor
    ) -> Tensor:
        if isinstance(what, Oracle):
            return _given_by_hand(what)[step].to(vector)
        asked = self.length(segment)
        chosen = positions_of(site.step, max(self._where.steps if asked is None else asked, step + 1), {}, "thought")
        if step not in chosen:
            return vector
        place = chosen.index(step)
        # The steps of the thought so far; later ones are not known, and nothing of them is read.
        history = self._history.setdefault((number, segment), vector.new_zeros(1, len(chosen), len(vector)))
        history[0, place] = vector
        given = self._given(what, segment, chosen, vector, upto=place)
        return what(history.clone(), given)[0, place]

    def _whole(self, segment: int) -> Tensor:
        """Return the thought of the plain run, changed as a whole, ``(steps, hidden)``."""
        if segment not in self._fixed:
            where = self._where
            whole = self._thought(where.own, segment)
            for site, what in self._mine(segment):
                if site.when == "after-the-fact":
                    whole = self._changed(whole, site, what, segment)
            self._fixed[segment] = whole
        return self._fixed[segment]

    def _changed(self, whole: Tensor, site: ThoughtSite, what: AbstractIntervention, segment: int) -> Tensor:
        if isinstance(what, (Skip, Shorten)):
            return whole[: 0 if isinstance(what, Skip) else what.keep]
        if site.step == "all":
            if isinstance(what, Oracle):
                return _given_by_hand(what).to(whole)
            if isinstance(what, (Interchange, Swap)):
                (need,) = what.needs()
                assert isinstance(need, Donor)
                return self._thought(self._where.given_by(need), segment)
        if not len(whole):
            return whole
        chosen = _places(site, len(whole))
        changed, index = whole.clone(), list(chosen)
        if isinstance(what, Oracle):
            changed[index] = _given_by_hand(what)[index].to(whole)
            return changed
        given = self._given(what, segment, chosen, whole, upto=len(chosen) - 1)
        changed[index] = what(whole[index][None], given)[0].to(whole.dtype)
        return changed

    @staticmethod
    def _thought(found: Thought, segment: int) -> Tensor:
        if segment >= len(found.latents):
            raise UnplaceableError("no thought to put in")
        return found.latents[segment]

    def _given(
        self, what: AbstractIntervention, segment: int, chosen: Sequence[int], like: Tensor, *, upto: int
    ) -> Mapping[Need, Tensor]:
        """Return what an intervention needs at steps `chosen`, with a row axis; it is read up to place `upto`."""
        where, wanted = self._where, torch.tensor(chosen, device=like.device)
        given: dict[Need, Tensor] = {}
        for need in what.needs():
            if isinstance(need, Noise):
                given[need] = self._drawn(need.stream, max(chosen) + 1, like)[wanted][None]
                continue
            if isinstance(need, Donor):
                found = self._thought(where.given_by(need), segment)
            else:
                found = where.thoughts.moment(need, run_of(need.run, where.run), segment).to(like.device)
                if need.kind == "std" or need.over == "tokens":
                    given[need] = found.to(like.dtype)[None] if found.ndim else found.to(like.dtype)
                    continue
            if chosen[upto] >= len(found):
                raise UnplaceableError("no such step in the thought to put in")
            filled = found.new_zeros(max(chosen) + 1, found.shape[-1])
            filled[: len(found)] = found[: len(filled)]
            given[need] = filled[wanted][None].to(like.dtype)
        return given

    def _drawn(self, stream: int, steps: int, like: Tensor) -> Tensor:
        """Return the noise of this row, a row a step; drawn once for all steps and thoughts."""
        where, held = self._where, self._noise.get(stream)
        if held is None or len(held) < steps:
            shape = (max(where.steps, steps), like.shape[-1])
            drawn = noise(shape, seed=where.thoughts.seed, unit=where.unit, draw=where.draw, stream=stream)
            held = self._noise[stream] = drawn.to(like.device)
        return held


@final
class TextPlan(AbstractPlan):
    """What is done to the written thoughts of one row."""

    __slots__ = ("_entries", "_where")

    def __init__(self, entries: Sequence[Entry], where: Where) -> None:
        """Keep the entries."""
        self._entries, self._where = tuple(entries), where

    def length(self, segment: int) -> int | None:
        """Return None: there are no latents."""
        return None

    def latent(self, segment: int, step: int, own: Tensor) -> Tensor:
        """Return the vector as it is."""
        return own

    def closed(self, segment: int, steps: int) -> None:
        """Do nothing: a written thought has no steps."""

    def body(self, segment: int) -> tuple[int, ...] | None:
        """Return the tokens that stand for the thought, the end marker included."""
        where = self._where
        found: tuple[int, ...] | None = None
        for site, what in self._entries:
            if site.segment not in (None, segment):
                continue
            if isinstance(what, Skip):
                found = self._tokens("")
            elif isinstance(what, AbstractRewrite):
                found = self._rewritten(what, segment)
            else:
                donors = [need for need in what.needs() if isinstance(need, Donor)]
                found = _body(where.given_by(donors[0]) if donors else where.own, segment)
        return found

    def _rewritten(self, what: AbstractRewrite, segment: int) -> tuple[int, ...]:
        where = self._where
        thought = where.own
        original = _body(thought, segment)
        text = thought.texts[segment]
        inside = text.strip()
        rng = np.random.default_rng(
            np.random.SeedSequence((where.thoughts.seed, _REWRITE, where.unit, where.draw, segment))
        )
        pool = where.thoughts.pool(where.run) if "pool" in what.needs() else ()
        new = what(inside, TextGiven(rng=rng, pool=pool, unit=where.unit))
        if new == inside:
            return original
        before = text[: len(text) - len(text.lstrip())]
        after = text[len(text.rstrip()) :] if inside else ""
        return self._tokens(before + new + after)

    def _tokens(self, text: str) -> tuple[int, ...]:
        spec = self._where.spec
        ids = Continuations(self._where.tokenizer).somewhere(text + spec.end, (spec.start,))
        most = self._where.vocabulary
        if most is not None and max(ids, default=0) >= most:
            raise DesignError(
                f"The thought {text!r} of unit {self._where.unit} holds token {max(ids)}, and the model has embeddings "
                f"for {most} tokens. Use words that its tokenizer knows."
            )
        return ids


def _places(site: ThoughtSite, steps: int) -> tuple[int, ...]:
    """Return the steps of a thought that `site` names."""
    try:
        return positions_of(site.step, steps, {}, "thought")
    except SiteError as error:
        raise UnplaceableError("no such step") from error


def _body(thought: Thought, segment: int) -> tuple[int, ...]:
    if segment >= len(thought.bodies):
        raise UnplaceableError("no thought to put in")
    if not thought.bodies[segment]:
        raise UnplaceableError("never closed")
    return thought.bodies[segment]


def _given_by_hand(oracle: Oracle) -> Tensor:
    """Return the latents of an oracle of one unit, ``(steps, hidden)``."""
    (value,) = oracle.values
    return torch.as_tensor(value.data)


def _own_oracle(what: Any, unit: int) -> Any:
    """Return an oracle of one unit's latents alone, everything else as it is."""
    return Oracle((what.values[unit],)) if isinstance(what, Oracle) and len(what.values) > unit else what
