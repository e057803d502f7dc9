"""What is kept of a row once its batch has ended: little, and plain data, so that a store can hold it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

from ...outcomes import Told
from .._row import Row
from .._thoughts import Thought

_BEGINNING = 12  # tokens that errors show
_SAID = 120  # characters


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is known of a row that has ended.

    Attributes
    ----------
    stopped, flags
        As in `Trajectory`.
    begins
        Its first new tokens.
    digest
        Of all of them.
    thoughts
        How long each thought of a plain row is: latents, or tokens.
    whole
        True if a plain row has thoughts, all of them closed.
    said
        The beginning of what a plain row says.
    unparsed
        Of each outcome, True if the rules find no answer; None where none is looked for.
    told
        What a plain row says, where outcomes compare with it.
    """

    stopped: str
    flags: tuple[str, ...] = ()
    begins: tuple[int, ...] = ()
    digest: str = ""
    thoughts: tuple[int, ...] = ()
    whole: bool = False
    said: str = ""
    unparsed: tuple[bool | None, ...] = ()
    told: Told | None = None

    @property
    def is_read(self) -> bool:
        """True if the row has an outcome."""
        return self.stopped not in ("flagged", "nan")

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Account:
        """Return what `plain` has made."""
        told = None if data["told"] is None else Told(**data["told"])
        lists = {name: tuple(data[name]) for name in ("flags", "begins", "thoughts", "unparsed")}
        return cls(**{**data, **lists, "told": told})


def account_of(row: Row, *, unparsed: tuple[bool | None, ...]) -> Account:
    """Return what is kept of a changed row."""
    digest = hashlib.sha256(str(row.ids).encode()).hexdigest()[:16]
    begins = tuple(row.ids[:_BEGINNING])
    flags = tuple(row.flags)
    return Account(stopped=str(row.stopped), flags=flags, begins=begins, digest=digest, unparsed=unparsed)


def of_thought(row: Row, thought: Thought, tokenizer: Any) -> dict[str, Any]:
    """Return what is kept of a plain row besides."""
    closed = len(thought) > 0 and all(thought.bodies)
    return {
        "thoughts": tuple(map(len, thought.latents or thought.bodies)),
        "whole": closed and "never closed" not in row.flags and row.stopped not in ("flagged", "nan"),
        "said": repr(tokenizer.decode(row.ids)[:_SAID]) if tokenizer is not None else str(row.ids[:20]),
    }
