"""What is placed in a thought or in the input: whether two share a place, and why no single pass makes it."""

from __future__ import annotations

from ..sites import InputSite, ThoughtSite, may_overlap


def shared(first: ThoughtSite | InputSite, second: ThoughtSite | InputSite) -> bool:
    """Return True if two sites in a thought, or two in the input, surely overlap."""
    if isinstance(first, ThoughtSite) and isinstance(second, ThoughtSite):
        same = first.segment is None or second.segment is None or first.segment == second.segment
        return first.kind == second.kind and same and may_overlap(first.step, second.step)
    if isinstance(first, InputSite) and isinstance(second, InputSite):
        same = first.index is None or second.index is None or first.index == second.index
        boxes = first.box is None or second.box is None or first.box == second.box
        return first.kind == second.kind and same and boxes
    return False


def elsewhere(where: ThoughtSite | InputSite, what: object) -> str:
    """Return why an intervention in a thought or in the input is not made in a single forward pass."""
    if isinstance(where, InputSite):
        return (
            f"{what!r} at {where}: inputs are changed before a run. Make them: med.do(inputs, {what!r}.at({where!r})), "
            "and give the result as base or source."
        )
    return (
        f"{what!r} at {where}: a thought is changed in a rollout, and this question asks for single forward passes. "
        "med.mediate, med.ablate and med.rollout take sites in a thought, when all sites are."
    )
