"""Opening pictures that others wrote: formats and sizes by name, since decoders run over whatever they are given."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from ._reading import reading, reason
from .errors import DataError

# EPS would run Ghostscript; the others of the forty that PIL knows are no formats of benchmarks.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_FAILURES = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, ArithmeticError, MemoryError),
    *(struct.error, zlib.error),
)
_NEEDED = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"


def image_of(source: Path | bytes, what: str) -> Any:
    """Return a picture of PIL, opened; its pixels are not decoded yet.

    Parameters
    ----------
    source
        A file, or the bytes of one.
    what
        What the message calls it.

    Raises
    ------
    DataError
        If it is in none of `FORMATS`, damaged, or has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    from PIL import Image, UnidentifiedImageError

    with reading(what, "Fetch it again, or convert it."), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below, in our own words
        most = Image.MAX_IMAGE_PIXELS
        try:
            opened = Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise DataError(f"{what} is no image in {_NEEDED}. Fetch it again, or convert it.") from error
        except Image.DecompressionBombError as error:
            raise _too_many(what, str(error), most) from error
        width, height = opened.size
        if most is not None and width * height > most:
            opened.close()
            raise _too_many(what, f"{width} x {height}", most)
        return opened


def pixels_of(opened: Any, what: str) -> Any:
    """Return an opened picture in RGB, its pixels decoded.

    Raises
    ------
    DataError
        If they cannot be.
    """
    try:
        return opened.convert("RGB")
    except _FAILURES as error:
        raise DataError(f"{what} cannot be decoded ({reason(error)}). Fetch it again, or convert it.") from error


def _too_many(what: str, found: str, most: int | None) -> DataError:
    return DataError(
        f"{what} has too many pixels ({found}); {most:,} are allowed. Shrink it, or raise PIL.Image.MAX_IMAGE_PIXELS "
        "if you trust it."
    )
