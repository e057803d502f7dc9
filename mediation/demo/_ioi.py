"""Indirect-object sentences in pairs: the same words but one name, for any tokenizer.

"When Mary and John went to the store, John gave a drink to" is answered by " Mary", the indirect object (IO), since the
subject (S) is the name said twice. Flip the second mention (S2) and the answer flips. Task: Wang et al. 2023,
"Interpretability in the wild", section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
import pandas as pd

from .._checks import positive_int
from ..errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LEAST_TEMPLATES = 8
_TRIES_PER_PAIR = 25
_NAMES = """
Mary John James Robert Michael David William Richard Joseph Thomas Charles Daniel Matthew Anthony Mark Paul Steven
Andrew George Kevin Brian Edward Jason Jeff Ryan Jacob Eric Scott Frank Adam Peter Henry Jack Simon Martin Tom Sam
Linda Susan Jessica Sarah Karen Lisa Nancy Margaret Emily Amy Anna Laura Kate Rachel Maria Emma Jane Alice Julia
Anne Helen Lucy Rose
"""
_PLACES = """
store school park airport station office library museum market restaurant hospital beach gym hotel theater farm
"""
_OBJECTS = """
drink book ring ball letter present key phone coin map ticket pen snack basket bottle photo card flower
"""


@final
@dataclass(frozen=True, slots=True)
class _Template:
    """What stands around the names: `<opening> A and B<setting> B<action> to`."""

    name: str
    opening: str
    setting: str
    action: str


_TEMPLATES = (
    _Template("went", "When", " went to the {place},", " gave a {object}"),
    _Template("arrived", "After", " arrived at the {place},", " handed a {object}"),
    _Template("working", "While", " were working at the {place},", " passed a {object}"),
    _Template("fun", "Then,", " had a lot of fun at the {place}.", " gave a {object}"),
    _Template("friends", "Friends", " found a {object} at the {place}.", " gave it"),
    _Template("met", "One afternoon,", " met at the {place}, and", " showed a {object}"),
    _Template("bought", "Once", " had bought a {object} at the {place},", " offered it"),
    _Template("waiting", "As", " were waiting outside the {place},", " lent a {object}"),
    _Template("left", "Before", " left the {place},", " returned the {object}"),
    _Template("neighbours", "Because", " lived near the {place},", " often lent a {object}"),
    _Template("argument", "Afterwards,", " had a long argument at the {place}. Then", " sent a {object}"),
    _Template("thinking", "Last week,", " were thinking about going to the {place}.", " wanted to give a {object}"),
    _Template("lunch", "Since", " were having lunch at the {place},", " decided to give a {object}"),
    _Template("visited", "Yesterday,", " visited the {place} together, where", " presented a {object}"),
    _Template("late", "Although", " came late to the {place},", " brought a {object}"),
    _Template("back", "The day", " came back from the {place},", " mailed a {object}"),
)

_SEGMENTS = ("opening", "io", "and", "s1", "setting", "s2", "action", "end")


class _Name(NamedTuple):
    """A name, how it is written as an answer, and its one token."""

    word: str
    answer: str
    token: int


class _Sentence(NamedTuple):
    """A text and where each segment of it lies: characters, end excluded."""

    text: str
    spans: dict[str, tuple[int, int]]


def segments() -> tuple[str, ...]:
    """Return the names of the segments that every sentence is made of, in the order of "IO and S" sentences.

    `io`, `s1` and `s2` are the indirect object, the subject, and the second mention. Half of the sentences name the
    subject first, so there `s1` stands before `and`, and `io` after it.

    Examples
    --------
    >>> segments()
    ('opening', 'io', 'and', 's1', 'setting', 's2', 'action', 'end')
    """
    return _SEGMENTS


def indirect_object_pairs(tokenizer: PreTrainedTokenizerBase, *, n: int = 96, seed: int = 0) -> pd.DataFrame:
    """Return `n` pairs of sentences that differ in one token, which decides between two names.

    Parameters
    ----------
    tokenizer
        That of the model which will read the sentences; fast or slow. Only names that are one token for it are used,
        and only pairs that are aligned token by token.
    n
        How many pairs. The templates share them equally (to one), and within a template both orders of the two names.
    seed
        Names, places and objects are drawn from it. The same seed gives the same pairs, and a larger `n` adds to each
        template's pairs without changing the first ones.

    Returns
    -------
    DataFrame
        One row a pair: `template` (the cluster), `clean` (the second mention is the subject), `corrupted` (it is the
        indirect object), `answer` (right for `clean`), `foil` (right for `corrupted`), and for every segment
        `<segment>_base` and `<segment>_source`: (start, end) in characters of `corrupted` and of `clean`. A segment
        begins with the space before its first word, and the segments of a sentence cover it without gap or overlap.

    Raises
    ------
    DataError
        If `n` is less than 8, or if the tokenizer leaves fewer than `n` pairs or fewer than 8 templates.
    """
    positive_int(n, what="n", least=_LEAST_TEMPLATES, error=DataError)
    names = _usable_names(tokenizer)
    usable = [index for index in range(len(_TEMPLATES)) if _both_orders(tokenizer, names, index, seed)]
    # Two pairs a template, one for each order, come before a further template.
    kept = usable[: max(_LEAST_TEMPLATES, n // 2)]
    shares = [n // len(kept) + (place < n % len(kept)) for place in range(len(kept))] if kept else []
    columns = [
        _draw(tokenizer, names, index, seed=seed, share=share, first=place % 2)
        for place, (index, share) in enumerate(zip(kept, shares, strict=True))
    ]
    # One pair of each template in turn, so that the first rows are as mixed as all of them.
    rows = [column[turn] for turn in range(max(shares, default=0)) for column in columns if turn < len(column)]
    if len(kept) < _LEAST_TEMPLATES or len(rows) < n:
        raise DataError(
            f"Asked for n = {n} indirect-object pairs from at least {_LEAST_TEMPLATES} templates for "
            f"{type(tokenizer).__name__}; found {len(rows)} pairs from {len(kept)} templates, with {len(names)} of "
            f"{len(_NAMES.split())} names a single token each. {_way_out(len(rows), len(kept))}"
        )
    return pd.DataFrame(rows)


def _way_out(n_rows: int, n_templates: int) -> str:
    if n_templates >= _LEAST_TEMPLATES:
        return f"Lower n to {n_rows}, or use a tokenizer that has more common English first names as single tokens."
    return "Use a tokenizer that has common English first names as single tokens and splits text at spaces."


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _usable_names(tokenizer: PreTrainedTokenizerBase) -> tuple[_Name, ...]:
    """Names that are one known token inside a sentence, written so that the answer alone gives that token."""
    before, found = " and", []
    for word in _NAMES.split():
        context = _ids(tokenizer, f"When{before} {word}")
        for answer in (f" {word}", word):  # some tokenizers add the space themselves, and would split a second one
            token = _ids(tokenizer, answer)
            if len(token) == 1 and token == context[-1:] and token[0] != tokenizer.unk_token_id:
                found.append(_Name(word, answer, token[0]))
                break
    tokens = [name.token for name in found]
    return tuple(name for name in found if tokens.count(name.token) == 1)


def _both_orders(tokenizer: PreTrainedTokenizerBase, names: Sequence[_Name], index: int, seed: int) -> bool:
    return len(_draw(tokenizer, names, index, seed=seed, share=2, first=0)) == 2


def _draw(
    tokenizer: PreTrainedTokenizerBase, names: Sequence[_Name], index: int, *, seed: int, share: int, first: int
) -> list[dict[str, object]]:
    """Up to `share` different pairs of one template, its two orders in turn, beginning with order `first`."""
    rows: list[dict[str, object]] = []
    streams = [_candidates(tokenizer, names, index, seed, order) for order in (0, 1)]
    for turn in range(share):
        row = next(streams[(first + turn) % 2], None)
        if row is not None:
            rows.append(row)
    return rows


def _candidates(
    tokenizer: PreTrainedTokenizerBase, names: Sequence[_Name], index: int, seed: int, order: int
) -> Iterator[dict[str, object]]:
    """Aligned pairs of one template and one order, without end unless they run out."""
    if len(names) < 2:
        return
    rng = np.random.default_rng([seed, index, order])
    template, seen, tries = _TEMPLATES[index], set[str](), 0
    while tries < _TRIES_PER_PAIR:
        io, s = (names[int(which)] for which in rng.choice(len(names), size=2, replace=False))
        fill = {"place": str(rng.choice(_PLACES.split())), "object": str(rng.choice(_OBJECTS.split()))}
        clean, corrupted = (_write(template, fill, io.word, s.word, second, order) for second in (s.word, io.word))
        tries += 1
        if clean.text in seen or not _aligned(tokenizer, clean, corrupted, io, s):
            continue
        seen.add(clean.text)
        tries = 0
        yield _row(template, clean, corrupted, io, s)


def _write(template: _Template, fill: dict[str, str], io: str, s: str, second: str, order: int) -> _Sentence:
    parts = {
        "opening": template.opening,
        "io": f" {io}",
        "and": " and",
        "s1": f" {s}",
        "setting": template.setting.format_map(fill),
        "s2": f" {second}",
        "action": template.action.format_map(fill),
        "end": " to",
    }
    if order == 1:
        parts = {name: parts[name] for name in ("opening", "s1", "and", "io", "setting", "s2", "action", "end")}
    text, spans = "", {}
    for name, part in parts.items():
        spans[name] = (len(text), len(text) + len(part))
        text += part
    return _Sentence(text, spans)


def _row(template: _Template, clean: _Sentence, corrupted: _Sentence, io: _Name, s: _Name) -> dict[str, object]:
    row: dict[str, object] = {
        "template": template.name,
        "clean": clean.text,
        "corrupted": corrupted.text,
        "answer": io.answer,
        "foil": s.answer,
    }
    for name in _SEGMENTS:
        row |= {f"{name}_base": corrupted.spans[name], f"{name}_source": clean.spans[name]}
    return row


def _aligned(tokenizer: PreTrainedTokenizerBase, clean: _Sentence, corrupted: _Sentence, io: _Name, s: _Name) -> bool:
    """Whether the two sentences differ in the one token of `s2`, and every segment is whole tokens."""
    tokens, other = _ids(tokenizer, clean.text), _ids(tokenizer, corrupted.text)
    where, where_other = _segment_of_tokens(tokenizer, clean), _segment_of_tokens(tokenizer, corrupted)
    if where is None or where != where_other or len(tokens) != len(other) or len(tokens) != len(where):
        return False
    if set(where) != set(_SEGMENTS) or any(where.count(name) != 1 for name in ("io", "s1", "s2")):
        return False
    said = {name: tokens[where.index(name)] for name in ("io", "s1", "s2")}
    differ = [name for name, one, two in zip(where, tokens, other, strict=True) if one != two]
    return (
        differ == ["s2"]
        and said == {"io": io.token, "s1": s.token, "s2": s.token}
        and other[where.index("s2")] == io.token
    )


def _segment_of_tokens(tokenizer: PreTrainedTokenizerBase, sentence: _Sentence) -> list[str] | None:
    """Return the segment that each token belongs to, or None if a token spans two."""
    if not tokenizer.is_fast:
        return _segment_by_prefix(tokenizer, sentence)
    coded = tokenizer(sentence.text, add_special_tokens=False, return_offsets_mapping=True)
    found: list[str] = []
    for start, end in coded["offset_mapping"]:
        # Tokenizers differ in whether a token's offsets take in the space before it; its letters decide.
        token = sentence.text[start:end]
        inner = token.strip() or token
        begin = start + token.index(inner)
        inside = [
            name for name, (left, right) in sentence.spans.items() if left <= begin and begin + len(inner) <= right
        ]
        if len(inside) != 1 or not inner:
            return None
        found += inside
    return found


def _segment_by_prefix(tokenizer: PreTrainedTokenizerBase, sentence: _Sentence) -> list[str] | None:
    """Do the same without offsets: a boundary lies between tokens if the text before it has those same tokens."""
    tokens = _ids(tokenizer, sentence.text)
    found: list[str] = []
    for name, (_, right) in sentence.spans.items():
        before = _ids(tokenizer, sentence.text[:right])
        if before != tokens[: len(before)]:
            return None
        found += [name] * (len(before) - len(found))
    return found
