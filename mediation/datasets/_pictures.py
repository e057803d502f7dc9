"""Pictures that are decoded when they are opened: 800 pictures of 8K do not fit into memory at once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from .._checks import called, shown
from .._images import image_of, pixels_of
from ..errors import DataError

_LONGEST_PATH = 1024
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
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
            If the pixels cannot be decoded, only the header was read before; or if the file was changed since.
        """
        from PIL import Image

        if isinstance(self.source, Image.Image):
            return self.source.convert("RGB")
        what = str(self.source) if isinstance(self.source, Path) else f"{len(self.source)} bytes"
        with image_of(self.source, f"Picture: {what}") as image:
            if image.size != self.size:
                raise DataError(f"Picture: {what} was {self.size} when it was read, and is {image.size} now.")
            return pixels_of(image, f"Picture: the pixels of {what}")


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
        Where relative paths start from, in the order in which they are tried. Only pictures inside one of them are
        opened, unless the path is a `pathlib.Path`, which comes from no file.
    where
        The row, for messages.

    Raises
    ------
    DataError
        If it is none of these, the file is not there or outside the folders, or what is there is no image.
    """
    if isinstance(given, Mapping):
        held = given.get("bytes")
        given = held if held is not None else given.get("path")
    if isinstance(given, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(given), where)
    if isinstance(given, os.PathLike):
        return _from_path(Path(given), folders, where, anywhere=True)
    if isinstance(given, str):
        return _from_text(given.strip(), folders, where)
    return _from_memory(given, where)


def _from_text(text: str, folders: Sequence[Path], where: str) -> Picture:
    if _URL.match(text):
        raise DataError(f"{where}: the image is at {shown(text)}; nothing is fetched. Download it and name the file.")
    if len(text) <= _LONGEST_PATH and text.lower().endswith(_ENDINGS):
        return _from_path(Path(text), folders, where)
    code = text.partition(",")[2] if text.startswith("data:") else text
    try:
        content = base64.b64decode("".join(code.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"{where}: the image, a text of {len(text)} characters that begins {shown(text[:20])}, is neither base64 "
            f"nor a path that ends in {', '.join(_ENDINGS[:3])} or the like."
        ) from error
    return _from_bytes(content, where)


def _from_path(path: Path, folders: Sequence[Path], where: str, *, anywhere: bool = False) -> Picture:
    tried = [(folder / path, folder) for folder in folders]
    inside = [one for one, folder in tried if anywhere or _is_inside(one, folder)]
    found = next((one for one in inside if one.is_file()), None)
    if found is None and len(inside) < len(tried):
        raise DataError(
            f"{where}: the path of the image, {str(path)!r}, leaves the folder {str(folders[0].resolve())!r}. Only "
            "pictures inside it are opened; say which folder they are in: images=FOLDER."
        )
    if found is None:
        places = ", ".join(str(one.parent) for one in inside)
        raise DataError(
            f"{where}: image file {str(path)!r} is not there; looked in {places}. Say where the paths start from: "
            "images=FOLDER."
        )
    return Picture(found.resolve(), _size(found, f"{where}: {found}"), str(found.resolve()))


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path, its links followed, is in a folder.

    The hub's cache keeps files as links to ``blobs`` beside ``snapshots``; those of one repository belong together.
    """
    real, root = path.resolve(), folder.resolve()
    roots = [root]
    for home in (root, *root.parents):
        blobs = home.parent.parent / "blobs"
        if home.parent.name == "snapshots" and blobs.is_dir() and not blobs.is_symlink():
            roots.append(blobs)
    return any(real.is_relative_to(one) for one in roots)


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
    with image_of(source, where) as image:
        width, height = image.size
        return int(width), int(height)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
