"""Prompts of text and images, as one unit's input."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from torch import Tensor

from .._checks import called, elements, instance, positive_int, shown
from .._images import image_of, pixels_of
from .._series import in_order_of
from .._texts import check_letters
from ..errors import DataError, DesignError
from ..models import Model

_UNSAID = "\u241fquestion\u241f"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Prompt:
    """The input of one unit: a text as the model's processor reads it, and its images.

    Parameters
    ----------
    text
        With the processor's placeholder at the place of each image, such as
        ``"<|vision_start|><|image_pad|><|vision_end|>What is red?"``; `prompts` writes it by the chat template.
    images
        Pictures of PIL, paths, or arrays ``(height, width, 3)`` of whole numbers from 0 to 255 or of fractions from 0
        to 1; kept as PIL pictures in RGB.
    question
        The part of the text that is the question, which ``med.question()`` names.
    offset
        The character at which the question begins; left out where it stands in the text once.

    Raises
    ------
    DataError
        If an argument is not of its kind, or the question does not stand there, or in several places.

    Examples
    --------
    >>> Prompt("Is it red?", question="red")
    Prompt('Is it red?')
    """

    text: str
    images: tuple[Any, ...] = ()
    question: str | None = None
    offset: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise DataError(f"Prompt: text is {shown(self.text)}; a text that is not empty is needed.")
        check_letters(self.text, "Prompt: text")
        if isinstance(self.images, (str, bytes)) or not isinstance(self.images, Sequence):
            raise DataError(f"Prompt: images is {called(self.images)}; a list of images is needed: images=[image].")
        object.__setattr__(self, "images", tuple(_picture(one, i) for i, one in enumerate(self.images)))
        if self.question is not None:
            object.__setattr__(self, "offset", self._found())

    def _found(self) -> int:
        """Return where the question begins."""
        question, offset = self.question, self.offset
        if not isinstance(question, str) or (not question and offset is None):
            raise DataError(f"Prompt: question = {shown(question)}: a text that is not empty is needed, or None.")
        if offset is not None:
            positive_int(offset, what="Prompt: offset", least=0, most=len(self.text), error=DataError)
            if self.text[offset : offset + len(question)] != question:
                raise DataError(
                    f"Prompt: question = {shown(question)} does not begin at character {offset} of {shown(self.text)}."
                )
            return offset
        times = self.text.count(question)
        if times != 1:
            found = "does not occur" if not times else f"occurs {times} times"
            raise DataError(
                f"Prompt: question = {shown(question)} {found} in the text {shown(self.text)}; once is needed, or give "
                "the character at which it begins: offset=..."
            )
        return self.text.index(question)

    def with_(self, **changes: Any) -> Prompt:
        """Return a copy with some fields changed."""
        if {"text", "question"} & changes.keys():
            changes.setdefault("offset", None)
        return replace(self, **changes)

    def asking(self, question: str) -> Prompt:
        """Return the prompt with another question in the place of its own.

        Raises
        ------
        DataError
            If the prompt does not say which part is the question.
        """
        if self.question is None:
            raise DataError(
                f"{self!r} does not say which part of it is the question. Write it with med.prompts(...), or "
                "Prompt(text, images, question='...')."
            )
        instance(question, str, what="Prompt.asking: question", needed="a text", error=DataError)
        assert self.offset is not None
        before, after = self.text[: self.offset], self.text[self.offset + len(self.question) :]
        return Prompt(before + question + after, self.images, question, self.offset)

    def digest(self) -> bytes:
        """Return bytes that tell this prompt from others (sha256 of text, sizes and pixels)."""
        state = hashlib.sha256(self.text.encode())
        for picture in self.images:
            state.update(f"|{picture.size}|".encode())
            state.update(picture.tobytes())
        return state.digest()

    def __repr__(self) -> str:
        text = self.text if len(self.text) < 60 else f"{self.text[:57]}..."
        count = len(self.images)
        return f"Prompt({text!r}{f', {count} image' + ('s' if count > 1 else '') if count else ''})"


def prompts(
    model: Model,
    questions: Sequence[str],
    images: Sequence[Any] | None = None,
    *,
    system: str | None = None,
    answer: str = "",
) -> list[Prompt]:
    """Return prompts written by the model's chat template, one a question.

    Parameters
    ----------
    model
        A model with a processor or a tokenizer that has a chat template.
    questions
        One text a unit.
    images
        One image, or a list of images, a unit; None for none.
    system
        System message; None for the template's own.
    answer
        What the answer begins with, such as the start token of a thought.

    Returns
    -------
    list of Prompt

    Raises
    ------
    DataError
        If lengths differ, or there is no chat template.
    """
    instance(model, Model, what="prompts: model", needed="what med.load returns", error=DesignError)
    _check_texts({"answer": answer} if system is None else {"system": system, "answer": answer})
    questions, pictures = _units_of(questions, images)
    if len(pictures) != len(questions):
        raise DataError(
            f"prompts: {len(questions)} questions and images for {len(pictures)} units; as many are needed."
        )
    for unit, question in enumerate(questions):
        if isinstance(question, str):
            check_letters(question, f"prompts: question {unit}")
    writer = model.processor if model.processor is not None else model.tokenizer
    if getattr(writer, "chat_template", None) is None:
        raise DataError(
            f"prompts: {model!r} has no chat template. Write the text yourself, with the processor's placeholders: "
            "med.Prompt(text, images)."
        )
    plain = model.processor is None
    found = []
    for question, mine in zip(questions, pictures, strict=True):
        text = _written(writer, question, mine, system, plain=plain)
        inside = question if question in text else question.strip()
        # Where the question is also a word of the template, its place is that of one that is not.
        several = text.count(inside) > 1
        offset = _written(writer, _UNSAID, mine, system, plain=plain).index(_UNSAID) if several else None
        found.append(Prompt(text + answer, mine, inside, offset))
    return found


def _check_texts(texts: dict[str, Any]) -> None:
    for what, text in texts.items():
        instance(text, str, what=f"prompts: {what}", needed="a text", error=DataError)


def _units_of(questions: Any, images: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return question and images of each unit; a Series of images is matched with the questions' by its index."""
    needed = "a list with one question a unit"
    texts = elements(questions, what="prompts: questions", needed=needed, error=DataError)
    _check_texts({f"question {unit}": text for unit, text in enumerate(texts)})
    if images is None:
        return texts, [()] * len(texts)
    index = questions.index if isinstance(questions, pd.Series) else range(len(texts))
    given = in_order_of(images, index, what="prompts: images", error=DataError)
    needed = "a list with one image, or a list of images, a unit"
    return texts, [_as_tuple(one) for one in elements(given, what="prompts: images", needed=needed, error=DataError)]


def _written(writer: Any, question: str, images: tuple[Any, ...], system: str | None, *, plain: bool) -> str:
    parts = [{"type": "image"} for _ in images] + [{"type": "text", "text": question}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": question if plain else parts}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system if plain else [{"type": "text", "text": system}]})
    return str(writer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _as_tuple(images: Any) -> tuple[Any, ...]:
    return tuple(images) if isinstance(images, (list, tuple)) else (images,)


def _picture(given: Any, index: int) -> Any:
    """Return a picture of PIL in RGB."""
    from PIL import Image

    if isinstance(given, Image.Image):
        return given.convert("RGB")
    if isinstance(given, (str, os.PathLike)):
        what = f"Prompt: image {index}, {shown(os.fspath(given))},"
        with image_of(Path(given), what) as opened:
            return pixels_of(opened, what)
    array = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        found = f"of shape {array.shape}" if isinstance(array, np.ndarray) else called(given)
        raise DataError(
            f"Prompt: image {index} is {found}; a picture of PIL, a path, or an array (height, width, 3) is needed."
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise DataError(f"Prompt: image {index} holds fractions outside 0 to 1, or NaN.")
        array = np.rint(array * 255)
    return Image.fromarray(array.astype(np.uint8), "RGB")
