"""What a study would cost, and its table for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, final

from ..._printable import printable

if TYPE_CHECKING:
    import pandas as pd

_SIZES = ("", "k", "M", "G", "T", "P", "E")
_HELD = ("activation_bytes", "state_bytes", "pass_bytes")


@final
@dataclass(frozen=True, slots=True)
class PassCount:
    """Passes of one kind.

    Attributes
    ----------
    passes, outcomes
        How many passes, and how many outcomes they give.
    flops
        What they compute.
    peak_bytes
        Memory of the largest one, beside the weights and what is held.
    seconds
        Time that they are expected to take; None without calibration.
    """

    passes: int
    outcomes: int
    flops: int
    peak_bytes: int
    seconds: float | None


def _sum(one: PassCount | None, other: PassCount | None) -> PassCount:
    if one is None or other is None:
        return one or other  # type: ignore[return-value]
    seconds = None if one.seconds is None or other.seconds is None else one.seconds + other.seconds
    sums = (one.passes + other.passes, one.outcomes + other.outcomes, one.flops + other.flops)
    return PassCount(*sums, max(one.peak_bytes, other.peak_bytes), seconds)


@final
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SweepPlan:
    """What a sweep would cost. Print it for a table.

    Attributes
    ----------
    model, device, dtype
        What would run.
    units, worlds_asked, worlds
        Units; worlds that the estimands ask for at every site, and those that are left once equal ones are joined.
    rows
        Outcomes in all: worlds x units x draws.
    null_rows
        Of these, cells known to change nothing, which are not run. A run may find more.
    passes
        Passes by kind: "plain" runs of base and source; "reference", the logits that `KL` compares with; "again",
        plain runs whose states are not held any more; "fan-out"; "rows", padded batches of full inputs; "checks" that
        every run makes. Of generations: "prefill" of prompts, and "decode", one position a pass, as many as may be.
    reasons
        Why rows do not fan out, and how many.
    flops_needed
        The least that the numbers cost: two plain runs a unit; for each changed row only tokens from the position on,
        only layers above the site, only pairs that a causal mask leaves, only logits that the outcome asks for.
    flops_planned
        What the passes compute, padding and masked pairs included.
    flops_naive
        One full forward pass for each row, with the logits of all tokens.
    weight_bytes, activation_bytes, state_bytes, pass_bytes
        Memory of the weights, of captured activations, of what plain runs leave, and of the largest pass.
    free_bytes
        Memory that the device had when the plan was made.
    tokens_per_pass, units_at_a_time
        How the run is split.
    seconds
        Time of all passes; None without calibration. Loading, tokenizing and intervals come on top.
    new_tokens
        Most new tokens of a generation; None for single forward passes.
    notes
        What is not known before the run, in sentences.
    """

    model: str
    device: str
    dtype: str
    units: int
    worlds_asked: int
    worlds: int
    rows: int
    null_rows: int
    passes: Mapping[str, PassCount]
    reasons: Mapping[str, int]
    flops_needed: int
    flops_planned: int
    flops_naive: int
    weight_bytes: int
    activation_bytes: int
    state_bytes: int
    pass_bytes: int
    free_bytes: int
    tokens_per_pass: int
    units_at_a_time: int
    seconds: float | None
    new_tokens: int | None = None
    notes: tuple[str, ...] = ()

    def and_then(self, other: SweepPlan) -> SweepPlan:
        """Return the plan of this run and another one of the same units after it."""
        added = ("worlds_asked", "worlds", "rows", "null_rows", "flops_needed", "flops_planned", "flops_naive")
        kinds = dict.fromkeys([*self.passes, *other.passes])
        least = (max(getattr(one, name) for one in (self, other)) for name in _HELD)
        known = None not in (self.seconds, other.seconds)
        return replace(
            self,
            passes=MappingProxyType({kind: _sum(self.passes.get(kind), other.passes.get(kind)) for kind in kinds}),
            reasons=MappingProxyType(dict(Counter(self.reasons) + Counter(other.reasons))),
            seconds=(self.seconds or 0.0) + (other.seconds or 0.0) if known else None,
            **{name: getattr(self, name) + getattr(other, name) for name in added},
            **dict(zip(_HELD, least, strict=True)),
        )

    @property
    def peak_bytes(self) -> int:
        """All memory together, at the worst moment."""
        return self.weight_bytes + self.activation_bytes + self.state_bytes + self.pass_bytes

    @property
    def n_passes(self) -> int:
        """Passes in all."""
        return sum(one.passes for one in self.passes.values())

    def tidy(self) -> pd.DataFrame:
        """Return one row a kind of pass: ``kind, passes, outcomes, flops, peak_bytes, seconds``."""
        import pandas as pd

        columns = ("passes", "outcomes", "flops", "peak_bytes", "seconds")
        rows = [{"kind": kind, **{name: getattr(one, name) for name in columns}} for kind, one in self.passes.items()]
        return pd.DataFrame(rows, columns=["kind", *columns])

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return f"<SweepPlan {self.worlds} worlds, {self.units} units, {self.n_passes} passes; print(plan) for a table>"


def table(plan: SweepPlan) -> str:
    """Return the table of a plan."""
    head = f"Plan: {plan.model} ({plan.dtype} on {plan.device}), {plan.units} units"
    about = [
        ("worlds", f"{plan.worlds:,} (of {plan.worlds_asked:,} asked for, equal ones are run once)"),
        ("rows", _rows(plan)),
        ("passes", _passes(plan)),
        ("FLOPs", _flops(plan)),
        ("memory", _memory(plan)),
        ("time", _time(plan)),
    ]
    lines = [head, "", *(f"{name:<8}{text}" for name, text in about), "", *_kinds(plan)]
    if plan.notes:
        lines += ["", *plan.notes]
    if plan.reasons:
        lines += ["", "Not fanned out:", *(f"  {count:,} rows: {why}" for why, count in plan.reasons.items())]
    return printable("\n".join(lines))


def _rows(plan: SweepPlan) -> str:
    null = f", of which {plan.null_rows:,} are known to change nothing and are not run"
    return f"{plan.rows:,}{null if plan.new_tokens is None else ''}"


def _passes(plan: SweepPlan) -> str:
    if plan.new_tokens is None:
        return f"{plan.n_passes:,} of up to {plan.tokens_per_pass:,} tokens, {plan.units_at_a_time} units at a time"
    plain = sum(one.outcomes for kind, one in plan.passes.items() if kind == "decode")
    return f"{plan.n_passes:,} at most, for {plain:,} rollouts of at most {plan.new_tokens:,} new tokens"


def _kinds(plan: SweepPlan) -> list[str]:
    timed = plan.seconds is not None
    names = ["passes", "", "outcomes", "FLOPs", "share", "peak memory", *(["time"] if timed else [])]
    rows = [names]
    total = max(1, plan.flops_planned)
    for kind, one in plan.passes.items():
        row = [kind, f"{one.passes:,}", f"{one.outcomes:,}", size(one.flops), f"{one.flops / total:.0%}"]
        row += [f"{size(one.peak_bytes)}B", *([duration(one.seconds or 0.0)] if timed else [])]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _flops(plan: SweepPlan) -> str:
    if plan.new_tokens is not None:
        return f"{size(plan.flops_planned)} at most"
    needed = max(1, plan.flops_needed)
    planned, naive = plan.flops_planned / needed, plan.flops_naive / max(1, plan.flops_planned)
    return (
        f"{size(plan.flops_needed)} needed; {size(plan.flops_planned)} planned ({planned:.2f}x of it); "
        f"{size(plan.flops_naive)} by a pass a row ({naive:.1f}x of the plan)"
    )


def _memory(plan: SweepPlan) -> str:
    parts = {
        "weights": plan.weight_bytes,
        "activations": plan.activation_bytes,
        "plain runs" if plan.new_tokens is None else "keys and values": plan.state_bytes,
        "a pass": plan.pass_bytes,
    }
    shown = " + ".join(f"{name} {size(amount)}B" for name, amount in parts.items() if amount)
    return f"{size(plan.peak_bytes)}B at most ({shown}); {size(plan.free_bytes)}B free"


def _time(plan: SweepPlan) -> str:
    if plan.seconds is not None:
        return f"about {duration(plan.seconds)}"
    return f"not estimated ({'calibrate=False' if plan.new_tokens is None else 'generations end when they end'})"


def size(amount: float) -> str:
    """Return a number with three digits and a prefix of powers of 1000.

    Examples
    --------
    >>> [size(n) for n in (0, 999, 1000, 123_456, 2.5e12, 999_999)]
    ['0 ', '999 ', '1.00 k', '123 k', '2.50 T', '1.00 M']
    """
    power = 0
    while round(amount, 2 - len(str(int(amount))) + 1) >= 1000 and power < len(_SIZES) - 1:
        amount, power = amount / 1000, power + 1
    digits = max(0, 3 - len(str(round(amount)))) if power else 0
    return f"{amount:.{digits}f} {_SIZES[power]}"


def duration(seconds: float) -> str:
    """Return a time in the largest fitting units.

    Examples
    --------
    >>> [duration(s) for s in (0.004, 2.345, 75, 7384)]
    ['4 ms', '2.3 s', '1 min 15 s', '2 h 3 min']
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
