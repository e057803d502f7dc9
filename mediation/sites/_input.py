"""Sites in an input: an image, part of one, the question, or the whole prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from .._checks import elements, number, one_of, positive_int, shown
from .._printable import printable
from ..errors import SiteError

Box = tuple[float, float, float, float]


@final
@dataclass(frozen=True, slots=True, repr=False)
class InputSite:
    """A part of a `Prompt`; made by `image`, `question` and `prompt`.

    Parameters
    ----------
    kind
        "image", "question" or "prompt".
    index
        Which image, counted from 0; None for all.
    box
        Part of the image: ``(left, top, right, bottom)`` as fractions of its width and height, or the name of a column
        that holds one such box a unit; None for the whole image.

    Raises
    ------
    SiteError
        If a field is not of its kind.
    """

    kind: Literal["image", "question", "prompt"]
    index: int | None = None
    box: Box | str | None = None

    def __post_init__(self) -> None:
        one_of(self.kind, ("image", "question", "prompt"), what="InputSite kind", error=SiteError)
        if self.kind != "image" and (self.index is not None or self.box is not None):
            raise SiteError(f"{self.kind}: only images have an index and a box.")
        if self.index is not None:
            positive_int(self.index, what="image: index", least=0, error=SiteError)
        if self.box is not None and not isinstance(self.box, str):
            object.__setattr__(self, "box", check_box(self.box, "image"))

    def __str__(self) -> str:
        name = self.kind if self.index is None else f"{self.kind}[{self.index}]"
        if self.box is None:
            return name
        if isinstance(self.box, str):
            return f"{name} in {printable(self.box, one_line=True)}"
        return f"{name} in box {self.box}"

    def __repr__(self) -> str:
        words = [f"{name}={value!r}" for name in ("index", "box") if (value := getattr(self, name)) is not None]
        return f"{self.kind}({', '.join(words)})"


def check_box(box: object, where: str) -> Box:
    """Return a box as four numbers, ``0 <= left < right <= 1`` and ``0 <= top < bottom <= 1``.

    Raises
    ------
    SiteError
        If it is no such box.

    Examples
    --------
    >>> check_box([0, 0.5, 1, 1], "unit 3")
    (0.0, 0.5, 1.0, 1.0)
    """
    wanted = "(left, top, right, bottom) as fractions of the image's width and height, such as (0.25, 0.0, 0.5, 1.0),"
    parts = elements(getattr(box, "tolist", lambda: box)(), what=f"{where}: box", needed=wanted, error=SiteError)
    if len(parts) == 4:
        left, top, right, bottom = (
            number(part, what=f"{where}: a number of the box", error=SiteError) for part in parts
        )
        if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
            return left, top, right, bottom
    raise SiteError(f"{where}: box = {shown(box)}: {wanted} is needed.")


def image(*, index: int | None = None, box: Box | str | None = None) -> InputSite:
    """Pixels of the images of a prompt, ``(units, height, width, 3)`` from 0 to 1.

    Parameters
    ----------
    index
        Which image, counted from 0; None for all.
    box
        ``(left, top, right, bottom)`` as fractions, or the name of a column of boxes; None for the whole image.

    Returns
    -------
    InputSite

    Examples
    --------
    >>> image(box=(0.0, 0.0, 0.5, 0.5))
    image(box=(0.0, 0.0, 0.5, 0.5))
    """
    return InputSite("image", index, box)


def question() -> InputSite:
    """Return the site of the question in a prompt.

    Examples
    --------
    >>> question()
    question()
    """
    return InputSite("question")


def prompt() -> InputSite:
    """Return the site of the whole prompt: its images and its text.

    Examples
    --------
    >>> prompt()
    prompt()
    """
    return InputSite("prompt")
