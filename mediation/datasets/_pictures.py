"""Pictures that are decoded when they are opened: 800 pictures of 8K do not fit into memory at once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, final

from .._checks import called, shown
from .._errors import DataError

_LONGEST_PATH = 1024
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as it is stored: a file, the bytes of one, or a picture of PIL. Pixels are made by `open`.

    Parameters
    ----------
    source
        A path, the bytes of a file, or a picture of PIL.
    size
        Width and height in pixels, from the file's header.
    digest
        What tells whether two pictures are the same: a hash of the bytes, or the path.

    Examples
    --------
    >>> from PIL import Image
    >>> picture_of(Image.new("RGB", (4, 3)), (), "row 0").open().size
    (4, 3)
    """

    source: Any = field(repr=False)
    size: tuple[int, int]
    digest: str = field(repr=False)

    def open(self) -> Any:
        """Return the picture of PIL, in RGB.

        Raises
        ------
        DataError
            If the pixels cannot be decoded; only the header was read before.
        """
        from PIL import Image

        if isinstance(self.source, Image.Image):
            return self.source.convert("RGB")
        try:
            with Image.open(_opened(self.source)) as image:
                return image.convert("RGB")
        except OSError as error:
            what = self.source if isinstance(self.source, Path) else f"{len(self.source)} bytes"
            raise DataError(f"Picture: the pixels of {what} cannot be decoded ({error}).") from error


def opened(pictures: Sequence[Picture]) -> list[Any]:
    """Return the pictures of PIL of a row, in RGB.

    Raises
    ------
    DataError
        If it is no sequence of pictures, or the pixels of one cannot be decoded.

    Examples
    --------
    >>> opened(())
    []
    """
    if not isinstance(pictures, Sequence) or not all(isinstance(one, Picture) for one in pictures):
        raise DataError(f"opened: {shown(pictures)}: the pictures of one row are needed, such as frame.images[0].")
    return [picture.open() for picture in pictures]


def picture_of(given: Any, folders: Sequence[Path], where: str) -> Picture:
    """Return a `Picture` of what a cell holds.

    Parameters
    ----------
    given
        Text in base64 (also a data URI), bytes, a mapping with ``bytes`` or ``path`` (as Hugging Face writes images to
        parquet), a picture of PIL, an array, or a path.
    folders
        Where relative paths start from, in the order in which they are tried.
    where
        The row, for messages.

    Raises
    ------
    DataError
        If it is none of these, the file is not there, or what is there is no image.
    """
    if isinstance(given, Mapping):
        held = given.get("bytes")
        given = held if held is not None else given.get("path")
    if isinstance(given, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(given), where)
    if isinstance(given, os.PathLike):
        return _from_path(Path(given), folders, where)
    if isinstance(given, str):
        return _from_text(given.strip(), folders, where)
    return _from_memory(given, where)


def _from_text(text: str, folders: Sequence[Path], where: str) -> Picture:
    if len(text) <= _LONGEST_PATH and text.lower().endswith(_ENDINGS):
        return _from_path(Path(text), folders, where)
    code = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return _from_bytes(base64.b64decode("".join(code.split()), validate=True), where)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"{where}: the image, a text of {len(text)} characters that begins {shown(text[:20])}, is neither base64 "
            f"nor a path that ends in {', '.join(_ENDINGS[:3])} or the like."
        ) from error


def _from_path(path: Path, folders: Sequence[Path], where: str) -> Picture:
    tried = [path] if path.is_absolute() else [folder / path for folder in folders]
    found = next((one for one in tried if one.is_file()), None)
    if found is None:
        places = ", ".join(str(one.parent) for one in tried) or "no folder"
        raise DataError(
            f"{where}: image file {str(path)!r} is not there; looked in {places}. Say where the paths start from: "
            "images=FOLDER."
        )
    return Picture(found, _size(found, f"{where}: {found}"), str(found.resolve()))


def _from_bytes(content: bytes, where: str) -> Picture:
    return Picture(content, _size(content, f"{where}: the image ({len(content)} bytes)"), _hash(content))


def _from_memory(given: Any, where: str) -> Picture:
    import numpy as np
    from PIL import Image

    if isinstance(given, Picture):
        return given
    if isinstance(given, np.ndarray) and given.ndim == 3 and given.dtype == np.uint8 and given.shape[2] == 3:
        given = Image.fromarray(given)
    if not isinstance(given, Image.Image):
        raise DataError(
            f"{where}: the image is {called(given)}; base64 text, bytes, a path, a picture of PIL, or an array "
            "(height, width, 3) of bytes is needed."
        )
    return Picture(given, given.size, _hash(f"{given.mode}{given.size}".encode() + given.tobytes()))


def _size(source: Path | bytes, where: str) -> tuple[int, int]:
    """Return width and height, of which the header tells."""
    from PIL import Image

    try:
        with Image.open(_opened(source)) as image:
            width, height = image.size
            return int(width), int(height)
    except OSError as error:
        raise DataError(f"{where} is no image that PIL can read.") from error


def _opened(source: Path | bytes) -> Path | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else source


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
