"""Many layers of one position in one pass: a batch that grows with depth, on the suffix only.

A change in block l at position p alters nothing below block l and nothing before position p. So only the
tokens from p on are fed, with the keys and values of the unpatched run as prefix, and each patched row is
appended to the batch when it is needed: at the output of its block for the residual stream, at the input of
its block for what is inside (attention, heads, MLP, neurons). No block runs for a row that it cannot change.
The numbers are those of one full forward pass per world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from ..models import Model
from ..sites import Place
from ._activations import Activations
from ._backend import AbstractBackend, Visit
from ._batching import halving
from ._rows import Row, with_row_axis
from ._study import Placed, Study

if TYPE_CHECKING:
    from transformers import DynamicCache

# Families in which the tests compare this path with one forward pass per world.
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "gpt2", "gpt_neox", "opt")
_MOST_LOGITS = 64 * 2**20
_INSIDE = ("residual", "attention", "mlp", "neurons")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Units of equal length and equal positions, and the worlds that all of them run.

    Attributes
    ----------
    run
        Input that runs.
    positions
        Token positions of the site, the same in every unit.
    units
        Units that share the pass.
    combos
        ``(world, draw)`` of each patched row, in order of layer.
    """

    run: str
    positions: tuple[int, ...]
    units: tuple[int, ...]
    combos: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> list[Row]:
        """The rows that the group stands for, by world and then by unit."""
        return [Row(world, self.run, unit, draw) for world, draw in self.combos for unit in self.units]


def fan_out_reason(study: Study, backend: AbstractBackend) -> str | None:
    """Return why this study cannot fan out, or None if it can."""
    model = study.model
    kind = getattr(getattr(model.module, "config", None), "model_type", None)
    if not model.is_causal or "logits_to_keep" not in model.forward_names:
        return "not a causal decoder of transformers"
    if kind not in FAMILIES:
        return f"model type {kind!r} is not among those compared with the naive path"
    if study.prepared.at != "last":
        return "the outcome is not read at the last token"
    if backend.name == "reference":
        return "the naive path was asked for"
    return None


def groups_of(
    study: Study, rows: Sequence[Row], placed: Sequence[Placed], *, tokens: int, rows_per_pass: int | None
) -> tuple[list[Group], list[Row]]:
    """Return the groups that fan out, and the rows that do not."""
    by_unit: dict[tuple[str, int, tuple[int, ...], int], list[tuple[int, int]]] = {}
    rest = []
    for row in rows:
        entries = placed[row.world]
        length = _total_length(study, row.run, row.unit)
        if len(entries) != 1 or entries[0][0].kind not in _INSIDE or not _window_holds(study.model, length):
            rest.append(row)
            continue
        positions = study.positions(entries[0][0], row.run, row.unit)
        assert positions is not None
        by_unit.setdefault((row.run, length, positions, row.unit), []).append((row.world, row.draw))
    shared: dict[tuple[Any, ...], list[int]] = {}
    for (run, length, positions, unit), combos in by_unit.items():
        ordered = tuple(sorted(combos, key=lambda combo: (_birth(placed, combo[0]), combo)))
        shared.setdefault((run, length, positions, ordered), []).append(unit)
    groups: list[Group] = []
    for (run, length, positions, combos), units in shared.items():
        suffix = length - min(positions)
        most = _rows_that_fit(study.model, suffix, tokens, rows_per_pass)
        width = min(len(combos), most)
        per_pass = max(1, most // (width + 1))
        for first in range(0, len(combos), width):
            some = combos[first : first + width]
            groups.extend(
                Group(run, positions, tuple(units[i : i + per_pass]), some) for i in range(0, len(units), per_pass)
            )
    return sorted(groups, key=lambda group: (group.run, group.units, group.positions)), rest


def run_group(
    study: Study,
    backend: AbstractBackend,
    group: Group,
    placed: Sequence[Placed],
    activations: Activations,
    *,
    references: Mapping[int, Tensor] | None,
    prefixes: dict[tuple[str, tuple[int, ...]], DynamicCache],
) -> dict[Row, float]:
    """Return the outcomes of a group's rows; if memory runs out, from fewer units, then fewer worlds, at a time.

    Parameters
    ----------
    prefixes
        Keys and values of plain runs by input and units; the last ones are kept in it.
    """

    def run(part: Group) -> dict[Row, float]:
        return _grow(study, backend, part, placed, activations, references=references, prefixes=prefixes)

    def of_units(units: Sequence[int]) -> dict[Row, float]:
        part = replace(group, units=tuple(units))
        if len(units) > 1:
            return run(part)
        return halving(lambda combos: run(replace(part, combos=tuple(combos))), part.combos, _united)

    return halving(of_units, group.units, _united)


def _united(first: dict[Row, float], second: dict[Row, float]) -> dict[Row, float]:
    return {**first, **second}


def _grow(
    study: Study,
    backend: AbstractBackend,
    group: Group,
    placed: Sequence[Placed],
    activations: Activations,
    *,
    references: Mapping[int, Tensor] | None,
    prefixes: dict[tuple[str, tuple[int, ...]], DynamicCache],
) -> dict[Row, float]:
    """Return the outcomes of a group's rows from one growing pass."""
    start = min(group.positions)
    ids = torch.stack([_ids(study, group.run, unit) for unit in group.units]).to(study.model.device)
    at_start = sum(_birth(placed, world) < 0 for world, _ in group.combos)
    inputs = _suffix_inputs(study, backend, group, ids, start, prefixes)
    inputs["input_ids"] = inputs["input_ids"].repeat(1 + at_start, 1)
    visits = _visits(study, group, placed, activations, start)
    units = torch.tensor(group.units * (1 + len(group.combos)))
    reference = torch.stack([references[int(unit)] for unit in units]) if references is not None else None

    def finish(output: Any) -> Tensor:
        logits = output.logits
        return study.prepared.reduce(logits[:, -1] if study.prepared.raw else logits, units, reference)

    outcomes = backend.forward(study.model, inputs, visits, finish).double().cpu().tolist()
    return dict(zip(group.rows, outcomes[len(group.units) :], strict=True))


def _visits(study: Study, group: Group, placed: Sequence[Placed], activations: Activations, start: int) -> list[Visit]:
    """Return the visits of a growing pass: births at the ends of blocks, changes where the sites are."""
    n, tokens = len(group.units), _total_length(study, group.run, group.units[0]) - start
    changes: dict[tuple[str, str], list[tuple[int, int]]] = {}
    births: dict[str, int] = {}
    blocks = study.model.known_architecture()
    for slot, (world, _) in enumerate(group.combos):
        place = study.places[placed[world][0][0]]
        changes.setdefault((place.path, place.io), []).append((slot, n * (1 + slot)))
        born = _birth(placed, world)
        if born >= 0:
            births[blocks.path(born)] = births.get(blocks.path(born), 0) + 1
    stops = {(path, "output") for path in births} | set(changes)
    visits = []
    for path, io in sorted(stops, key=lambda stop: study.when(Place(stop[0], stop[1]))):  # type: ignore[arg-type]
        grow = births.get(path, 0) if io == "output" else 0
        edits = [
            (first, _change(study, group, placed, activations, slot, start))
            for slot, first in changes.get((path, io), [])
        ]
        visits.append(Visit(path, io, _stop(n, tokens, grow, edits)))  # type: ignore[arg-type]
    return visits


def _stop(
    n: int, tokens: int, grow: int, edits: Sequence[tuple[int, Callable[[Tensor], Tensor]]]
) -> Callable[[Tensor], Tensor]:
    """Return the visit that appends `grow` copies of the plain rows and then changes some rows."""

    def see(hidden: Tensor) -> Tensor:
        rows = hidden if hidden.ndim > 2 else hidden.reshape(-1, tokens, hidden.shape[-1])  # OPT flattens its MLP
        grown = torch.cat([rows, *[rows[:n]] * grow]) if grow else rows.clone()
        for first, change in edits:
            grown[first : first + n] = change(grown[first : first + n])
        return grown if hidden.ndim > 2 else grown.reshape(-1, hidden.shape[-1])

    return see


def _change(
    study: Study, group: Group, placed: Sequence[Placed], activations: Activations, slot: int, start: int
) -> Callable[[Tensor], Tensor]:
    """Return the function from a combo's rows ``(units, tokens, features)`` to its changed rows."""
    world, draw = group.combos[slot]
    site, what = placed[world][0]
    features = study.places[site].features

    def change(rows: Tensor) -> Tensor:
        given = [activations.given(site, what, study.worlds[world], unit, draw) for unit in group.units]
        stacked = {need: with_row_axis([one[need] for one in given]) for need in what.needs()}
        where = torch.tensor([position - start for position in group.positions], device=rows.device)
        new, part = rows.clone(), rows[:, where]
        if features is None:
            new[:, where] = what(part, stacked)
            return new
        index = torch.tensor(features, device=rows.device)
        part[..., index] = what(part[..., index], stacked)
        new[:, where] = part
        return new

    return change


def _suffix_inputs(
    study: Study,
    backend: AbstractBackend,
    group: Group,
    ids: Tensor,
    start: int,
    prefixes: dict[tuple[str, tuple[int, ...]], DynamicCache],
) -> dict[str, Any]:
    length, dtype, device = ids.shape[1], study.model.dtype, ids.device
    mask = torch.full((length - start, length), torch.finfo(dtype).min, dtype=dtype, device=device)
    inputs: dict[str, Any] = {
        "input_ids": ids[:, start:],
        "logits_to_keep": study.prepared.kept,
        "use_cache": start > 0,
        # One row of mask and positions serves the batch whatever its size.
        "attention_mask": torch.triu(mask, diagonal=start + 1)[None, None],
        "position_ids": torch.arange(start, length, device=device)[None],
    }
    if start > 0:
        key = (group.run, group.units)
        if key not in prefixes:
            prefixes.clear()
            prefixes[key] = _prefix(study.model, backend, ids)
        inputs["past_key_values"] = _shared(prefixes[key], start)
    return inputs


def _prefix(model: Model, backend: AbstractBackend, ids: Tensor) -> DynamicCache:
    """Return the keys and values of the plain run of `ids`."""
    from transformers import DynamicCache

    cache = DynamicCache()
    inputs = {"input_ids": ids, "past_key_values": cache, "use_cache": True, "logits_to_keep": 1}
    backend.forward(model, inputs, [], lambda output: None)
    return cache


def _shared(cache: DynamicCache, start: int) -> DynamicCache:
    """Return a cache of the first `start` tokens that serves any whole number of copies of its rows."""
    from transformers import DynamicCache

    from ._prefix import SharedPrefix

    shared = DynamicCache()
    layers: list[Any] = list(cache.layers)
    shared.layers = [SharedPrefix(layer.keys[:, :, :start], layer.values[:, :, :start]) for layer in layers]
    return shared


def _birth(placed: Sequence[Placed], world: int) -> int:
    """Return the block at whose output a world's rows begin to differ, or must be there to be changed next."""
    site = placed[world][0][0]
    assert site.layer is not None
    return site.layer if site.kind == "residual" else site.layer - 1


def _ids(study: Study, run: str, unit: int) -> Tensor:
    ids = study.encoding.of(run, unit).ids
    assert ids is not None
    continuation = study.prepared.continuation
    return torch.cat([ids, torch.tensor(continuation[unit], dtype=torch.long)]) if continuation else ids


def _total_length(study: Study, run: str, unit: int) -> int:
    continuation = study.prepared.continuation
    return (study.encoding.of(run, unit).length or 0) + (len(continuation[unit]) if continuation else 0)


def _window_holds(model: Model, length: int) -> bool:
    """Return True if no sliding window is shorter than the input."""
    window = getattr(getattr(model.module, "config", None), "sliding_window", None)
    return window is None or length <= window


def _rows_that_fit(model: Model, suffix: int, tokens: int, rows: int | None) -> int:
    """Return how many rows, plain ones included, a growing pass may end with."""
    vocabulary = getattr(getattr(model.module, "config", None), "vocab_size", None) or 1
    by_tokens = 2 * tokens // max(1, suffix)  # on average half of the rows are alive
    by_logits = _MOST_LOGITS // vocabulary
    most = max(1, min(by_tokens, by_logits))
    return most if rows is None else min(most, rows)
