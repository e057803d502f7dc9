"""Outcomes of generations: the prompt's pass is a study's, with all that is changed in it, and the model goes on."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, final

import torch
from torch import Tensor

from ...engine import AbstractBackend, HookBackend, Study, World, progress_for
from ...engine.oracle import Reference
from ...engine.passes import Row as StudyRow
from ...engine.study import Layout, tolerance
from ...engine.verify import HALF, is_self_patch
from ...errors import BackendError, DataError
from ...models import Model
from ...outcomes import AbstractReader, LogitsAfter, Prepared, Told, Visits
from ...units import Encoded
from .._batch import rollout_layout
from .._plan import Job
from .._roller import Roller, Settings, check_lengths, check_model, make_roller
from .._row import Row
from .._sampling import Sampler
from .._told import told_of

_Key = tuple[Model, World, int, int]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What a row has said.

    Attributes
    ----------
    ids
        Its tokens, those of a cue included.
    free
        How many of them the model chose.
    values
        Its outcomes.
    unparsed
        For each of them, whether the rules find no answer.
    """

    ids: array[int]
    free: int
    values: tuple[float, ...]
    unparsed: tuple[bool, ...]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GenerationReader(AbstractReader):
    """Lets the model go on after a prompt's pass, with the keys and values that it left, and reads what is said.

    Attributes
    ----------
    prepared
        The outcome: of a whole generation, or of logits after a cue that follows it.
    settings
        How tokens are chosen, and when a generation ends.
    reference
        The input whose plain generation outcomes may compare with.
    cue
        Tokens that follow a generation before logits are read, by unit; None for outcomes of the text.
    """

    prepared: Prepared
    settings: Settings
    reference: Literal["base", "source"]
    cue: tuple[tuple[int, ...], ...] | None = None
    _said: dict[_Key, _Said] = field(default_factory=dict)
    _plain: dict[_Key, Told | Tensor] = field(default_factory=dict)

    @property
    def identity(self) -> object:
        """What changes outcomes, as plain data and functions."""
        how = replace(self.settings, seed=self.settings.seed if self.sampled else 0)
        reads = [(part.raw, part.uses_reference, part.continuation) for part in self.prepared.each]
        return (how, self.reference, self.cue, reads)

    @property
    def more(self) -> int:
        """How many positions may follow a prompt."""
        return self.settings.max_new_tokens + max(map(len, self.cue or ((),)), default=0)

    @property
    def sampled(self) -> bool:
        """True if tokens are drawn."""
        return self.settings.sampling is not None

    def check(self, study: Study) -> None:
        """Raise DesignError or DataError if the model cannot go on after these prompts."""
        check_model(study.model)
        for encoded in study.encoding.runs.values():
            if any(one.ids is None for one in encoded):
                raise DataError(
                    f"{self.prepared.label} is read off what follows the tokens of an input, and inputs are tensors by "
                    "name. Give texts, med.Prompt(text, images) or token ids."
                )
            check_lengths(study.model, encoded, self.more)

    def outcomes(self, study: Study, backend: AbstractBackend, rows: Sequence[StudyRow], visits: Visits) -> Tensor:
        """Return the outcomes of rows ``(rows, outcomes)``; `visits` act in the pass of their prompts."""
        keys = [self._key(study, row) for row in rows]
        plain = dict.fromkeys(self._same_as(study, self.reference, key) for key in keys)
        missing = [
            StudyRow(-1, self.reference, unit, draw)
            for _, _, unit, draw in plain.keys() - self._plain.keys() - set(keys)
        ]
        if missing:
            self._read(study, missing, self._decoded(study, backend, missing, lambda some, batch: []))
        self._read(study, rows, self._decoded(study, backend, rows, visits))
        for key in keys:
            if is_self_patch(key[1]):
                self._check_own(study, key)
        return torch.tensor([self._said[key].values for key in keys], dtype=torch.float64)

    def alone(self, study: Study, world: World, unit: int, draw: int, logits_after: LogitsAfter) -> tuple[float, ...]:
        """Return the outcomes of one row by the naive path; BackendError if `outcomes` has read other tokens."""
        key = (study.model, world, unit, draw if study.is_random(world) else 0)
        return self._retold(study, key, self._said.get(key), logits_after, f"World {world} run alone")

    def accounts(self, study: Study, rows: Sequence[StudyRow]) -> list[Any]:
        """Return what rows have said, as plain data, one a row."""
        said = [self._said[self._key(study, row)] for row in rows]
        return [{"ids": list(one.ids), "free": one.free, "unparsed": list(one.unparsed)} for one in said]

    def restore(self, study: Study, rows: Sequence[StudyRow], values: Sequence[Any], accounts: Sequence[Any]) -> None:
        """Take rows that a store holds as read."""
        for row, value, kept in zip(rows, values, accounts, strict=True):
            ids = array("q", kept["ids"])
            self._said[self._key(study, row)] = _Said(ids, kept["free"], tuple(value), tuple(kept["unparsed"]))

    def account(self, study: Study) -> dict[str, Any]:
        """Return what provenance keeps: how it was decoded, and how often the rules find no answer, by world."""
        how = self.settings
        return {
            "spec": repr(how.spec),
            "max_new_tokens": how.max_new_tokens,
            "stop": list(how.stop),
            "sampling": repr(how.sampling) if self.sampled else "greedy",
            "units_asked": len(study.pairs),
            "units_left_out": {},
            "unparsed": [
                [self._unparsed(part, study, world) for world in study.worlds]
                for part in range(len(self.prepared.each))
            ],
        }

    def _unparsed(self, part: int, study: Study, world: World) -> tuple[int, int]:
        """Return how many generations of a world hold no answer that the rules find, and of how many.

        Those that were not run, since nothing is changed in them, are the plain ones.
        """
        if self.prepared.each[part].unparsed is None:
            return 0, 0
        many = study.draws_of(world)
        keys = [(study.model, world, unit, draw) for unit in range(len(study.pairs)) for draw in range(many)]
        found = [self._said.get(key) or self._said[self._same_as(study, world.run, key)] for key in keys]
        return sum(one.unparsed[part] for one in found), len(found)

    # ------------------------------------------------------------------------------------------------- decoding
    def _key(self, study: Study, row: StudyRow) -> _Key:
        world = World(row.run) if row.world < 0 else study.worlds[row.world]  # type: ignore[arg-type]
        return study.model, world, row.unit, row.draw if study.is_random(world) else 0

    def _same_as(self, study: Study, run: str, key: _Key) -> _Key:
        """Return the key of the plain run that a row is compared with."""
        return study.model, World(run), key[2], key[3] if self.sampled else 0  # type: ignore[arg-type]

    def _decoded(self, study: Study, backend: AbstractBackend, rows: Sequence[StudyRow], visits: Visits) -> list[Row]:
        """Decode rows; draws of one world share the pass of the prompt where nothing random is done in it."""
        first: dict[tuple[World, int, int], StudyRow] = {}
        prompts, jobs = dict[tuple[World, int, int], int](), list[Job]()
        for row in rows:
            world = self._key(study, row)[1]
            key = (world, row.unit, row.draw if world.is_random else 0)
            first.setdefault(key, row)
            jobs.append(self._job(prompts.setdefault(key, len(prompts)), row.unit, row.draw))
        some = list(first.values())
        roller = self._roller(study, backend, [study.encoding.of(row.run, row.unit) for row in some])
        roller = roller.with_(in_prompts=lambda batch, here: visits([some[at] for at in here], batch))
        found: dict[int, Row] = {}
        for numbers in roller.batches([job.prompt for job in jobs], layout=self._layout(study)):
            found.update(zip(numbers, roller.decode([jobs[number] for number in numbers]), strict=True))
        return [found[number] for number in range(len(jobs))]

    def _job(self, prompt: int, unit: int, draw: int) -> Job:
        answer = None if self.cue is None else self.cue[unit]
        return Job(prompt=prompt, unit=unit, draw=draw, answer=answer, kept=self.prepared.kept)

    def _roller(self, study: Study, backend: AbstractBackend, encoded: Sequence[Encoded]) -> Roller:
        made = make_roller(study.model, study.encoding, self.settings, backend, progress_for(False))
        return replace(made, encoded=tuple(encoded))

    def _layout(self, study: Study) -> Layout:
        every = [one for inputs in study.encoding.runs.values() for one in inputs]
        return rollout_layout(study.model, every, max_new_tokens=self.more, batch_size=None, tokens=None)

    # -------------------------------------------------------------------------------------------------- reading
    def _read(self, study: Study, rows: Sequence[StudyRow], decoded: Sequence[Row]) -> None:
        """Read the outcomes of decoded rows; plain ones come first, since others may be compared with them."""
        keys = [self._key(study, row) for row in rows]
        for key, row in zip(keys, decoded, strict=True):
            if key[1] == World(self.reference):
                self._plain[key] = self._told(study, row)
        for key, row in zip(keys, decoded, strict=True):
            self._said[key] = self._say(study, key, row)

    def _told(self, study: Study, row: Row) -> Told | Tensor:
        if self.cue is not None and row.logits:
            return torch.stack(row.logits)
        return told_of(row, study.model.tokenizer, self.settings.spec)

    def _say(self, study: Study, key: _Key, row: Row) -> _Said:
        unit, free = key[2], len(row.ids) - (0 if self.cue is None else len(self.cue[key[2]]))
        plain = self._plain[self._same_as(study, self.reference, key)]
        each = self.prepared.each
        values, unparsed = tuple(float("nan") for _ in each), tuple(False for _ in each)
        if row.stopped not in ("flagged", "nan"):
            if isinstance(plain, Told) and self.prepared.judged:
                told = told_of(row, study.model.tokenizer, self.settings.spec)
                values = tuple(float(part.judge(told, unit, plain)) for part in each if part.judge is not None)
                unparsed = tuple(part.unparsed is not None and part.unparsed(told, unit) for part in each)
            else:
                values = tuple(self._reduced(part, row, unit, plain) for part in each)
        row.logits = []
        return _Said(array("q", row.ids), free, values, unparsed)

    def _reduced(self, part: Prepared, row: Row, unit: int, plain: Told | Tensor) -> float:
        """Return an outcome of logits; one for which no answer is appended is read before that of another."""
        appended = self.prepared.continuation
        last = len(row.logits) - (len(appended[unit]) if appended and not part.continuation else 0)
        logits = torch.stack(row.logits[:last][-part.kept :])[None]
        reference = plain[None, last - 1] if part.uses_reference and isinstance(plain, Tensor) else None
        read = logits[:, -1] if part.raw else logits
        return float(part.read(read, torch.tensor([unit]), reference))

    # --------------------------------------------------------------------------------------------------- checks
    def _check_own(self, study: Study, key: _Key) -> None:
        """Check that a unit with its own activations in their place says what it says as it is."""
        _, world, unit, _ = key
        same = self._same_as(study, world.run, key)
        plain, own = self._said.get(same), self._said[key]
        if plain is None or plain.ids == own.ids:
            return

        after = partial(Reference(study).logits_after, world.run, unit)
        self._retold(study, same, own, after, f"World {world}")

    def _retold(
        self, study: Study, key: _Key, said: _Said | None, logits_after: LogitsAfter, what: str
    ) -> tuple[float, ...]:
        """Follow tokens that were said, or say some, by logits of the naive path; return the outcomes.

        Raises
        ------
        BackendError
            If a token that was said is not the one that these logits choose, and no tie.
        """
        _, world, unit, draw = key
        prompt = study.encoding.of(world.run, unit)
        rules = self._roller(study, HookBackend(), [prompt]).how.rules
        assert prompt.ids is not None
        row = Row(self._job(0, unit, draw), prompt.ids.tolist(), rules)
        choose, ids = self._chooser(unit, draw), array("q") if said is None else said.ids
        logits = logits_after(ids)
        while row.stopped is None:
            at = len(row.ids)
            if at >= len(logits):
                logits = logits_after(row.ids)
            token = choose(logits[at])
            if said is not None and at < said.free and token != ids[at]:
                if not self._is_tie(study, logits[at], token, ids[at]):
                    raise BackendError(_other(what, unit, study, list(ids[: at + 1]), token))
                token = ids[at]
            row.take(token, None, logits[at])
        if said is not None and self.prepared.judged and row.ids == list(ids):
            return said.values
        plain = self._same_as(study, self.reference, key)
        if key == plain:
            self._plain[key] = self._told(study, row)
        elif plain not in self._plain:
            self._retold(study, plain, None, partial(Reference(study).logits_after, self.reference, unit), what)
        own = self._say(study, key, row)
        self._said.setdefault(key, own)
        return own.values

    def _chooser(self, unit: int, draw: int) -> Callable[[Tensor], int]:
        how = self.settings
        if how.sampling is None:
            return lambda logits: int(logits.argmax())
        sampler = Sampler(how.sampling, [(unit, draw)], how.seed)
        return lambda logits: sampler.draw(logits[None])[0]

    def _is_tie(self, study: Study, logits: Tensor, one: int, other: int) -> bool:
        """Return True if rounding can decide between two tokens."""
        if self.sampled:
            return study.model.dtype in HALF
        best, second = float(logits[one]), float(logits[other])
        return best - second <= tolerance(study.model) * (1 + abs(best))


def _other(what: str, unit: int, study: Study, ids: list[int], token: int) -> str:
    """Return what is said of a token that the naive path does not choose."""
    words = [one if study.model.tokenizer is None else study.model.tokenizer.decode([one]) for one in (*ids, token)]
    return (
        f"{what}, unit {unit}: after {len(ids) - 1} new tokens the run went on with {words[-2]!r}, and one plain "
        f"forward pass alone goes on with {words[-1]!r}. Nothing is reported. Try backend='hooks' or batch_size=1, and "
        "please report the model."
    )
