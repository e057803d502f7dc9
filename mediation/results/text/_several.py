"""One summary of several outcomes: their tables below each other, with the footnotes that they share given once."""

from __future__ import annotations

from collections.abc import Mapping

from ._summary import Field, Summary


def summary_of_outcomes(parts: Mapping[str, Summary], labels: Mapping[str, str]) -> Summary:
    """Return one summary of those of several outcomes.

    Parameters
    ----------
    parts
        The summary of each outcome, by its name.
    labels
        What each outcome is, by its name.

    Examples
    --------
    >>> one, two = (
    ...     Summary("Effects", (Field("", ("TE",)), Field("p", (p,))), ("n = 9.", note)) for p, note in ("1a", "2b")
    ... )
    >>> print(summary_of_outcomes({"kl": one, "logit": two}, {"kl": "KL()", "logit": "logit"}))
    Effects on 2 outcomes
    ---------------------
    outcome      p
    ---------------------
    kl       TE  1
    logit    TE  2
    ---------------------
    kl: a
    logit: b
    n = 9.
    Outcomes: kl = KL(), logit.
    """
    sizes = {name: len(part.fields[0].cells) for name, part in parts.items()}
    starts = tuple(name if row == 0 else "" for name, size in sizes.items() for row in range(size))
    fields = [Field("outcome", starts, give="cut")]
    for header in dict.fromkeys(field.header for part in parts.values() for field in part.fields):
        found = {name: next((one for one in part.fields if one.header == header), None) for name, part in parts.items()}
        look = next(field for field in found.values() if field is not None)
        cells = [cell for name, field in found.items() for cell in (field.cells if field else ("",) * sizes[name])]
        fields.append(Field(header, tuple(cells), look.align, look.give))
    titles = list(dict.fromkeys(part.title for part in parts.values()))
    shared = [note for note in next(iter(parts.values())).notes if all(note in part.notes for part in parts.values())]
    own = [f"{name}: {note}" for name, part in parts.items() for note in part.notes if note not in shared]
    named = ", ".join(name if label == name else f"{name} = {label}" for name, label in labels.items())
    title = f"{titles[0]} on {len(parts)} outcome{'s' if len(parts) > 1 else ''}"
    return Summary(title, tuple(fields), (*own, *shared, f"Outcomes: {named}."))
