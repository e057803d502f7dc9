"""What is seen and changed in every forward pass of a rollout: latents fed, hidden states read, interventions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from ..engine import Visit
from ..engine.backends import Order, execution_order
from ..engine.passes import Batch, Edit, Selection
from ..errors import DesignError, SiteError
from ..interventions import AbstractIntervention, Assignment
from ..models import Model
from ..sites import Place, Site, SiteSet, leaves, resolve
from ..specs import LatentSpec
from ..units import Encoded, Encoding
from ._batch import prompt_batch

_See = Callable[[Tensor], Tensor | None]
_Placed = tuple[tuple[Place, AbstractIntervention], ...]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stops:
    """The places of a model at which a rollout acts.

    Attributes
    ----------
    placed
        Interventions, and where they are.
    embedding
        The token embedding: its output is replaced where a latent is fed. Interventions come after that.
    state
        Where the hidden state that is fed back is read: a path, and the side of the module. None where none is needed.
    order
        When each place is reached.
    """

    placed: _Placed
    embedding: str
    state: tuple[str, str] | None
    order: Order

    def visits(
        self, batch: Batch, *, intervene: bool, vectors: Sequence[Tensor | None], seen: list[Tensor]
    ) -> list[Visit]:
        """Return the visits of one pass, in order of execution.

        Parameters
        ----------
        batch
            Where each row's new tokens are; interventions act on the last of them.
        intervene
            Whether the assignment holds in this pass.
        vectors
            The latent that is fed to each row, or None where a token is.
        seen
            Receives the hidden states at the last position, ``(rows, hidden)``.
        """
        sees: dict[tuple[str, str], list[_See]] = {}
        if any(vector is not None for vector in vectors):
            sees.setdefault((self.embedding, "output"), []).append(_feeder(vectors))
        if intervene:
            rows = tuple(range(len(batch.starts)))
            last = tuple((length - 1,) for length in batch.lengths)
            for place, what in self.placed:
                edit = Edit(Selection(place, rows, last), what, {})
                sees.setdefault((place.path, place.io), []).append(_editor(edit, batch))
        if self.state is not None:
            sees.setdefault(self.state, []).append(lambda hidden: seen.append(hidden[:, -1].clone()))
        ordered = sorted(sees, key=lambda key: self.order[key])
        return [Visit(path, io, _in_turn(sees[path, io])) for path, io in ordered]  # type: ignore[arg-type]


def make_stops(model: Model, encoding: Encoding, assignment: Assignment | None, spec: LatentSpec | None) -> Stops:
    """Resolve `assignment` and, for latent thoughts, where vectors are fed and read.

    Raises
    ------
    SiteError
        If a site does not exist, or is not at the last token.
    DesignError
        If an intervention needs more than the activation, or the model cannot be fed its own hidden states.
    """
    placed = _placed(model, encoding, assignment) if assignment is not None else ()
    places: list[tuple[str, str]] = [(place.path, place.io) for place, _ in placed]
    embedding, state = "", None
    if spec is not None:
        embedding, state = _ends(model, spec)
        places += [(embedding, "output"), state]
    order = _order(model, encoding.of("base", 0), places) if places else {}
    return Stops(placed=placed, embedding=embedding, state=state, order=order)


def _order(model: Model, prompt: Encoded, places: Sequence[tuple[str, str]]) -> Order:
    """Return when `places` are reached in a decoding step, which reads one token and no image."""
    assert prompt.ids is not None
    step = replace(prompt, ids=prompt.ids[-1:], features={}, axes=None, aligned={})
    return execution_order(model, prompt_batch(model, [step]).inputs, places)


def _placed(model: Model, encoding: Encoding, assignment: Assignment) -> _Placed:
    if not isinstance(assignment, Assignment):
        raise DesignError(
            f"rollout: assignment = {assignment!r} is a {type(assignment).__name__}; an intervention at a site is "
            "needed, such as med.Zero().at(med.residual(3, at='last'))."
        )
    for where, what in assignment.entries:
        for site in leaves(where.sites) if isinstance(where, SiteSet) else (where,):
            _check_site(site)  # type: ignore[arg-type]
        needs = sorted(map(repr, what.needs()))
        if needs:
            raise DesignError(
                f"rollout: {what!r} needs {needs[0]}, and a rollout runs each unit by itself, with nothing from other "
                "runs and without noise. Use one that needs the activation alone: Zero, Constant, Add, Scale, Subspace "
                "or an @intervention."
            )
    return tuple((resolve(site, model), what) for site, what in assignment.expand(model, encoding).placed())


def _check_site(site: Site) -> None:
    if site.at != "last":
        raise SiteError(
            f"rollout: {site} has at = {site.at!r}, and a decoding step has one token, the last. "
            f"Write {site.with_(at='last')!r}."
        )
    if site.kind == "pattern":
        raise SiteError(
            f"rollout: {site}: attention probabilities have another width at every step, so no intervention is placed "
            "there. Use med.attention(layer, head=..., at='last')."
        )


def _ends(model: Model, spec: LatentSpec) -> tuple[str, tuple[str, str]]:
    """Return the path of the token embedding, and the place of the hidden state that is fed back."""
    embedding: Any = model.module.get_input_embeddings()  # type: ignore[operator]
    head: Any = model.module.get_output_embeddings()  # type: ignore[operator]
    names = {id(module): path for path, module in model.module.named_modules()}
    if head is None or id(head) not in names or id(embedding) not in names:
        raise DesignError(
            f"rollout: {type(model.module).__name__} does not say where its output projection is "
            "(get_output_embeddings), so its last hidden state cannot be fed back. Latent steps need a causal "
            "language model of transformers."
        )
    fed, read = embedding.weight.shape[-1], head.weight.shape[-1]
    if fed != read and spec.projection is None:
        raise DesignError(
            f"rollout: the hidden state has {read} features and an input embedding {fed}, so it cannot be fed back as "
            "it is."
        )
    if spec.hidden == "post_norm":
        return names[id(embedding)], (names[id(head)], "input")
    known, count = model.known_architecture(), model.n_layers
    layer = count - 1 if spec.hidden == "pre_norm" else spec.hidden
    if not -count <= layer < count:
        raise DesignError(f"LatentSpec: hidden = {layer}: {type(model.module).__name__} has blocks 0 to {count - 1}.")
    return names[id(embedding)], (known.path(layer % count), "output")


def _feeder(vectors: Sequence[Tensor | None]) -> _See:
    rows = [row for row, vector in enumerate(vectors) if vector is not None]
    stacked = torch.stack([vector for vector in vectors if vector is not None])

    def see(embedded: Tensor) -> Tensor:
        changed = embedded.clone()
        changed[rows, -1] = stacked.to(device=embedded.device, dtype=embedded.dtype)
        return changed

    return see


def _editor(edit: Edit, batch: Batch) -> _See:
    def see(activation: Tensor) -> Tensor:
        changed = activation.clone()
        edit.apply(changed, batch)
        return changed

    return see


def _in_turn(sees: Sequence[_See]) -> _See:
    """Return one visit for several at the same place, each seeing what the one before it left."""

    def see(tensor: Tensor) -> Tensor | None:
        changed = None
        for one in sees:
            new = one(tensor if changed is None else changed)
            changed = changed if new is None else new
        return changed

    return see
