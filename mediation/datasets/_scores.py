"""Accuracies of said answers, by category and in all, with intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._answers import same_answer
from .._checks import shown
from .._series import in_order_of
from ..errors import DataError
from ._extract import extract
from ._files import check_frame, is_missing
from ._vsp import simulate

if TYPE_CHECKING:
    import pandas as pd

Marks = NDArray[np.float64]

_MAPS = ("vsp", "planning")
_STATEMENTS = ("True", "False")


def scores(
    frame: pd.DataFrame,
    said: Sequence[str | None] | Mapping[str, str | None],
    *,
    layout: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the accuracy in each category and in all, as it is published, with an interval.

    An answer is found by `extract` and compared with the right one; an answer that no rule finds is wrong, and
    ``unparsed`` says how many those are. ``"all"`` is the share of right rows, as it is published; in HR-Bench, with
    every order of every question there, this equals the published mean over ``cycle_category``, and in TableVQA it is
    the mean over subsets. A category with a slash also counts for the part before it (Perception, Reasoning). V*Bench:
    ``direct_attributes`` and ``relative_position``; HR-Bench: ``single`` is FSP, ``cross`` is FCP.

    Parameters
    ----------
    frame
        What `read` or `cyclic` returns.
    said
        A text a row, in order, or a mapping from ``id`` to text. None is an answer that was not given.
    layout
        Which rule `extract` follows, such as ``"lvr"``; None for that of each row's layout.
    level
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``category``, ``n`` (rows), ``groups``, ``accuracy``, ``conf_low``, ``conf_high``, ``unparsed`` (the share).

    Raises
    ------
    DataError
        If texts and rows do not match, a right answer is missing, or the level is not between 0 and 1.

    Notes
    -----
    The intervals are of a single accuracy, not of an effect: Wilson (1927) where each row is a group of its own.
    Otherwise Student's t with ``G - 1`` degrees of freedom for ``G`` groups and the standard error
    ``sqrt(G / (G - 1) * sum_g e_g**2) / n``, where ``e_g`` is the sum over the rows of group g of right minus accuracy,
    cut to 0 to 1; with groups of one size this is the t interval over the means of groups. Where the error is 0, Wilson
    with the number of groups as n; one group has no interval (NaN). The mean over subsets takes the method of variance
    estimates recovery (Zou and Donner 2008) of the subsets' intervals. To compare runs on the same questions use
    `ablate` or `effects`, which pair them.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": ["1", "2"], "answer": ["A", "B"], "options": [("red", "blue")] * 2})
    >>> frame = frame.assign(category="direct_attributes", group=["1", "2"], layout="vstar")
    >>> scores(frame, ["It is red.", "A"])[["category", "n", "accuracy", "unparsed"]].values.tolist()
    [['direct_attributes', 2, 0.5, 0.0], ['all', 2, 0.5, 0.0]]
    """
    import pandas as pd

    _check(frame, level)
    rows = frame.to_dict("records")
    judged = [_judged(row, text, layout) for row, text in zip(rows, _texts(frame, said), strict=True)]
    hits, missed = (np.array(values, dtype=np.float64) for values in zip(*judged, strict=True))
    groups, categories = frame["group"].map(str).to_numpy(), frame["category"].map(str)
    parts: dict[str, NDArray[np.bool_]] = {name: (categories == name).to_numpy() for name in categories.unique()}
    own = list(parts)
    for name in dict.fromkeys(name.partition("/")[0] for name in own if "/" in name):
        parts[name] = categories.str.partition("/")[0].eq(name).to_numpy()
    table = [_line(name, hits[mine], groups[mine], missed[mine], level) for name, mine in parts.items()]
    together = _line("all", hits, groups, missed, level)
    if set(frame["layout"]) == {"tablevqa"}:
        together.update(_mean_of_parts([line for line in table if line["category"] in own]))
    return pd.DataFrame([*table, together])


def _check(frame: pd.DataFrame, level: float) -> None:
    check_frame(frame, ("id", "options", "answer", "category", "group", "layout"), "scores")
    check_frame(frame, ("map",) if frame["layout"].isin(_MAPS).any() else (), "scores")
    if not len(frame):
        raise DataError("scores: the frame has no rows.")
    for name in ("category", "group", "layout"):
        odd = next((value for value in frame[name] if not isinstance(value, (str, int, np.integer))), None)
        if odd is not None or frame[name].isna().any():
            raise DataError(f"scores: column {name!r} holds {shown(odd)}; a text a row is needed.")
    if not isinstance(level, float) or not 0 < level < 1:
        raise DataError(f"scores: level = {shown(level)}: a number between 0 and 1 is needed, such as 0.95.")


def _texts(frame: pd.DataFrame, said: Any) -> list[Any]:
    said = in_order_of(said, frame.index, what="scores: said", error=DataError)
    if isinstance(said, Mapping):
        lacks = [name for name in frame["id"] if name not in said]
        if lacks:
            raise DataError(
                f"scores: said has no text for {len(lacks)} of {len(frame)} rows, the first of which is {lacks[0]!r}."
            )
        return [said[name] for name in frame["id"]]
    texts = list(said) if np.iterable(said) and not isinstance(said, str) else None
    if texts is None or len(texts) != len(frame):
        found = shown(said) if texts is None else f"of length {len(texts)}"
        raise DataError(f"scores: said is {found} for {len(frame)} rows; one text a row is needed, in order.")
    return texts


def _judged(row: Mapping[Any, Any], text: Any, layout: str | None) -> tuple[float, float]:
    """Return whether a text is right, and whether it gives no answer."""
    mine, options, wanted = row["layout"], row["options"], row["answer"]
    if mine not in _MAPS and not isinstance(wanted, str):
        raise DataError(f"scores: the right answer of row {row['id']!r} is {shown(wanted)}; it is needed.")
    found = None if is_missing(text) else extract(text, options, layout=mine if layout is None else layout)
    if mine in _MAPS:
        return float(found is not None and simulate(row["map"], found)), float(found is None)
    if wanted in _STATEMENTS and options is None:
        named = [word for word in _STATEMENTS if found is not None and re.search(rf"\b{word}\b", found, re.IGNORECASE)]
        return float(named == [wanted]), float(len(named) != 1)
    right = _same_list(found, wanted) if options is None else same_answer(found, wanted, options)
    return float(right), float(found is None)


def _same_list(found: str | None, wanted: str) -> bool:
    """Return whether two lists of answers, written with bars between them, are the same in any order."""
    if found is None:
        return False
    mine, right = (re.split(r"\s*\|+\s*", text.strip()) for text in (found, wanted))
    for one in mine:
        same = next((other for other in right if same_answer(one, other)), None)
        if same is None:
            return False
        right.remove(same)
    return not right


def _line(name: str, hits: Marks, groups: NDArray[Any], missed: Marks, level: float) -> dict[str, Any]:
    labels, places = np.unique(groups.astype(str), return_inverse=True)
    low, high = interval(hits, places, level)
    return {
        "category": name,
        "n": len(hits),
        "groups": len(labels),
        "accuracy": float(hits.mean()),
        "conf_low": low,
        "conf_high": high,
        "unparsed": float(missed.mean()),
    }


def interval(hits: Marks, groups: NDArray[np.int_], level: float) -> tuple[float, float]:
    """Return the interval of a share, whose rows belong to groups.

    Parameters
    ----------
    hits
        0 or 1 a row.
    groups
        The number of each row's group, from 0.
    level
        Such as 0.95.

    Examples
    --------
    >>> low, high = interval(np.array([1.0, 1.0, 0.0, 1.0]), np.arange(4), 0.95)
    >>> round(low, 3), round(high, 3)
    (0.301, 0.954)
    """
    from scipy.stats import t
    from statsmodels.stats.proportion import proportion_confint

    count, share = int(groups.max()) + 1, float(hits.mean())
    off = np.bincount(groups, hits - share)
    if count < 2 and len(hits) > 1:
        return float("nan"), float("nan")
    if count == len(hits) or np.allclose(off, 0):
        low, high = proportion_confint(share * count, count, alpha=1 - level, method="wilson")
        return float(low), float(high)
    error = np.sqrt(count / (count - 1) * (off**2).sum()) / len(hits)
    wide = float(t.ppf((1 + level) / 2, count - 1) * error)
    return max(0.0, share - wide), min(1.0, share + wide)


def _mean_of_parts(lines: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean over parts, and its interval from theirs."""
    value, low, high = (np.array([line[name] for line in lines]) for name in ("accuracy", "conf_low", "conf_high"))
    middle = float(value.mean())
    down = float(np.sqrt(((value - low) ** 2).sum()) / len(lines))
    up = float(np.sqrt(((high - value) ** 2).sum()) / len(lines))
    return {"accuracy": middle, "conf_low": middle - down, "conf_high": middle + up}
