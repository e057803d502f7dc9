"""Every multiple choice question in all cyclic orders of its options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._checks import shown
from ..errors import DataError
from ._files import check_frame
from ._layouts import LETTERS

if TYPE_CHECKING:
    import pandas as pd

_MARKS = ("({}) {}", "{}. {}", "{}) {}", "{}: {}")


def cyclic(frame: pd.DataFrame) -> pd.DataFrame:
    r"""Return each question once for each cyclic order of its options.

    A model that prefers a letter gains nothing over all orders. HR-Bench is published so, with four orders a question;
    a frame of it, or one that this function made, has a column ``cycle`` and comes back as it is.

    Parameters
    ----------
    frame
        What `read` returns: the columns ``id``, ``question``, ``options``, ``answer`` and ``group`` are used. The
        options stand in the question as lines ``(A) ...`` or ``A. ...``, in order.

    Returns
    -------
    pandas.DataFrame
        ``k`` rows for a question of ``k`` options, next to each other. In order ``s`` (column ``cycle``, from 0) letter
        ``i`` has the text that letter ``i + s`` had, ``answer`` is the new letter, ``id`` ends in ``/s``, and ``group``
        is that of the row it came from.

    Raises
    ------
    DataError
        If a column is missing, a row has no options or its answer is none of them, or the question does not have the
        options as lines.

    Examples
    --------
    >>> import pandas as pd
    >>> asked = "What colour?\nA. red\nB. blue"
    >>> row = {"id": "7", "question": asked, "options": ("red", "blue"), "answer": "A", "group": "7"}
    >>> cyclic(pd.DataFrame([row]))[["id", "options", "answer", "group"]].values.tolist()
    [['7/0', ('red', 'blue'), 'A', '7'], ['7/1', ('blue', 'red'), 'B', '7']]
    """
    import pandas as pd

    check_frame(frame, ("id", "question", "options", "answer", "group"), "cyclic")
    if "cycle" in frame.columns:
        return frame.copy()
    rows = [turned for row in frame.to_dict("records") for turned in _turned(row)]
    columns = [*frame.columns, "cycle"]
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in columns})


def _turned(row: dict[Any, Any]) -> list[dict[Any, Any]]:
    options, answer = row["options"], row["answer"]
    if not isinstance(options, Sequence) or isinstance(options, str) or len(options) < 2:
        raise DataError(f"cyclic: row {row['id']!r} has the options {shown(options)}; two or more texts are needed.")
    letters = LETTERS[: len(options)]
    if answer is not None and (not isinstance(answer, str) or answer not in tuple(letters)):
        raise DataError(f"cyclic: row {row['id']!r} has the answer {shown(answer)}, which is none of {letters}.")
    found = []
    for shift in range(len(options)):
        order = tuple(options[(at + shift) % len(options)] for at in range(len(options)))
        letter = None if answer is None else letters[(letters.index(answer) - shift) % len(options)]
        found.append(
            {
                **row,
                "id": f"{row['id']}/{shift}",
                "question": _reordered(row, order),
                "options": order,
                "answer": letter,
                "cycle": shift,
            }
        )
    return found


def _reordered(row: dict[Any, Any], order: Sequence[str]) -> str:
    """Return the question with the lines of the options in another order."""
    question = str(row["question"])
    for mark in _MARKS:
        before = _lines(mark, row["options"])
        if question.count(before) == 1:
            return question.replace(before, _lines(mark, order))
    raise DataError(
        f"cyclic: the question of row {row['id']!r} does not have the options as lines '(A) ...' or 'A. ...' once: "
        f"{shown(question)}."
    )


def _lines(mark: str, options: Sequence[str]) -> str:
    return "\n".join(mark.format(letter, text) for letter, text in zip(LETTERS, options, strict=False))
