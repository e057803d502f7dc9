"""Public benchmarks as frames of one form."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._paths import check_local, path_from
from .._reading import reading
from ..errors import DataError
from ._files import Record, records_of
from ._layouts import Asked, Layout, guessed, named, source_name
from ._pictures import Picture, picture_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "question", "images", "options", "answer", "category", "group", "layout")
_LONGEST_REFERENCE = 64


def read(
    path: str | os.PathLike[str] | pd.DataFrame,
    layout: str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    max_bytes: int | None = None,
) -> pd.DataFrame:
    r"""Return a public benchmark as a frame, one row a question.

    Parameters
    ----------
    path
        A ``.parquet``, ``.tsv``, ``.csv``, ``.jsonl`` or ``.json`` file, a folder of such files, or a
        `pandas.DataFrame` with the same columns.
    layout
        ``"vstar"``, ``"hrbench"``, ``"mme-realworld-lite"``, ``"blink"``, ``"scienceqa"``, ``"vsp"`` or ``"tablevqa"``.
        None chooses the first whose columns are there; the column ``layout`` says which. Benchmarks that are
        rewritten into the columns ``image, question, A, B, ..., answer, category`` look like V*Bench.
    images
        Folder that relative paths of images start from. By default the folder of the file, or ``images`` in it. Only
        pictures inside it are opened: a path that leaves it (``..``, an absolute one, a link) is refused.
    limit
        The most rows to read; None for all.
    max_bytes
        What the columns of a parquet file that the layout needs may take once they are unpacked; None for 1 GiB, or 16
        times the size of the file if that is more.

    Returns
    -------
    pandas.DataFrame
        With the columns

        - ``id``: the published name of the row, or its number; one that comes again has ``:2``, ``:3``, ... after it;
        - ``question``: the whole text to ask, with options and instruction;
        - ``images``: a tuple of `Picture`; ``picture.open()`` decodes;
        - ``options``: a tuple of texts, or None;
        - ``answer``: a letter if there are options, otherwise the text, or None;
        - ``category``: the published one;
        - ``group``: what belongs together in inference: the first ``id`` of the rows that have the same images, and in
          HR-Bench also the same question and options in whichever order;
        - ``layout``;

        and ``map`` (rows of cells, VSP) or ``cycle`` (the published order of the options, HR-Bench).

    Raises
    ------
    DataError
        If there is nothing to read, columns are missing, or a row holds no image, no options, or an answer that is none
        of its options; if an image lies outside its folder, is in another format than PNG, JPEG, WEBP, BMP, GIF or
        TIFF, or has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``. The message names the row.

    Examples
    --------
    >>> import pandas as pd
    >>> from PIL import Image
    >>> row = {"image": Image.new("RGB", (8, 8)), "category": "direct_attributes", "question_id": "7", "label": "B"}
    >>> row["text"] = "What is the colour of the cup?\n(A) red\n(B) blue\nAnswer with the option's letter."
    >>> frame = read(pd.DataFrame([row]))
    >>> frame.layout[0], frame.options[0], frame.answer[0]
    ('vstar', ('red', 'blue'), 'B')
    """
    import pandas as pd

    check_local(images, "read: images")
    source = source_name(path)

    def chosen_for(columns: frozenset[str]) -> Layout:
        return guessed(columns, source) if layout is None else named(layout, columns, source)

    def needed(columns: frozenset[str]) -> frozenset[str]:
        return chosen_for(columns).needed(columns)

    records = records_of(path, limit, keep=needed, max_bytes=max_bytes)
    chosen = chosen_for(frozenset(name for record in records for name in record.cells))
    asked = [_asked(chosen, record) for record in records]
    pictures = _pictures(records, _resolved(records, asked), images)
    ids = _ids(asked)
    table: dict[str, Sequence[Any]] = {
        "id": ids,
        "question": [one.question for one in asked],
        "images": pictures,
        "options": [one.options for one in asked],
        "answer": [one.answer for one in asked],
        "category": [one.category for one in asked],
        "group": _groups(ids, asked, pictures),
        "layout": [chosen.name] * len(asked),
    }
    if chosen.name == "vsp":
        table["map"] = [one.map for one in asked]
    if chosen.name == "hrbench":
        table["cycle"] = [one.cycle for one in asked]
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in table.items()})


def _asked(layout: Layout, record: Record) -> Asked:
    with reading(record.where, "Correct the row, or leave it out."):
        return layout.asked(record)


def _pictures(
    records: Sequence[Record], stored: Sequence[tuple[Any, ...]], images: str | os.PathLike[str] | None
) -> list[tuple[Picture, ...]]:
    """Return the pictures of each row; those that are the same are one object."""
    kept: dict[str, Picture] = {}
    found = []
    for record, mine in zip(records, stored, strict=True):
        folders = _folders(record, images)
        with reading(f"{record.where}: its image", "Correct the row, or leave it out."):
            pictures = [picture_of(one, folders, record.where) for one in mine]
        found.append(tuple(kept.setdefault(one.digest, one) for one in pictures))
    return found


def _resolved(records: Sequence[Record], asked: Sequence[Asked]) -> list[tuple[Any, ...]]:
    """Return the images of each row; a short text that is the index of another row stands for that row's image."""
    by_index: Mapping[str, tuple[Any, ...]] = {
        str(record.cells["index"]): one.images
        for record, one in zip(records, asked, strict=True)
        if record.cells.get("index") is not None
    }
    found = []
    for record, one in zip(records, asked, strict=True):
        images = one.images
        if len(images) == 1 and isinstance(images[0], str) and len(images[0]) <= _LONGEST_REFERENCE:
            other = by_index.get(images[0].strip())
            if other is images:
                raise DataError(f"{record.where}: the image is {images[0]!r}, the index of the row itself.")
            images = other or images
        found.append(images)
    return found


def _folders(record: Record, images: str | os.PathLike[str] | None) -> tuple[Path, ...]:
    if images is not None:
        return (path_from(images, what="read: images", error=DataError),)
    if record.file is None:
        return (Path(),)
    return (record.file.parent, record.file.parent / "images")


def _ids(asked: Sequence[Asked]) -> list[str]:
    times: dict[str, int] = {}
    found = []
    for at, one in enumerate(asked):
        name = one.id if one.id is not None else str(at)
        times[name] = times.get(name, 0) + 1
        found.append(name if times[name] == 1 else f"{name}:{times[name]}")
    return found


def _groups(ids: Sequence[str], asked: Sequence[Asked], pictures: Sequence[tuple[Picture, ...]]) -> list[str]:
    """Return the cluster of each row, named by the first row of it."""
    first: dict[Any, str] = {}
    found = []
    for name, one, mine in zip(ids, asked, pictures, strict=True):
        key: tuple[Any, ...] = tuple(picture.digest for picture in mine) or (None, name)
        if one.cycle is not None:
            stem = one.question.partition("\nA. ")[0]
            key = (*key, stem, tuple(sorted(one.options or ())))
        found.append(first.setdefault(key, name))
    return found
