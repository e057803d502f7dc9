"""How the published systems are asked: system message, suffix, budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from .._checks import instance
from ..errors import DataError


@final
@dataclass(frozen=True, slots=True)
class Protocol:
    r"""How one system is asked; None where it is not known or left to the model's own defaults.

    Parameters
    ----------
    system
        System message.
    suffix
        What is put behind the question.
    max_new_tokens
        Budget of tokens of an answer.
    min_pixels, max_pixels
        Bounds of the image processor, in pixels of one image.
    answer_prefix
        What the assistant's turn begins with, as ``answer=`` of `mediation.prompts` takes it.

    Examples
    --------
    >>> PROTOCOLS["lvr"].asked("Which one? (A) red (B) blue")
    "Which one? (A) red (B) blue\nAnswer with the option's letter from the given choices directly."
    """

    system: str | None = None
    suffix: str | None = None
    max_new_tokens: int | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    answer_prefix: str | None = None

    def asked(self, question: str) -> str:
        r"""Return the question with the suffix behind it, unless it ends so already.

        Examples
        --------
        >>> Protocol(suffix="\nBe brief.").asked("Why?\nBe brief.")
        'Why?\nBe brief.'
        """
        instance(question, str, what="asked: question", needed="a text", error=DataError)
        suffix = self.suffix or ""
        return question if question.rstrip().endswith(suffix.strip()) else question + suffix


_PATCH = 28 * 28
_BOXED = (
    "You are a helpful multimodal assistant. You are required to answer the question based on the image provided. "
    r"Put your final answer in \boxed{}."
)

PROTOCOLS: Final[Mapping[str, Protocol]] = MappingProxyType(
    {
        "monet": Protocol(_BOXED, None, 2048, 1280 * _PATCH, 16384 * _PATCH),
        "capimagine": Protocol(_BOXED, None, 2048, 1280 * _PATCH, 16384 * _PATCH),
        "lvr": Protocol(
            suffix="\nAnswer with the option's letter from the given choices directly.", max_new_tokens=512
        ),
        "mirage": Protocol(max_new_tokens=1024, answer_prefix="<|latent_start|>"),
        "qwen2.5-vl": Protocol(None, None, 2048, 1280 * _PATCH, 16384 * _PATCH),
        "llava": Protocol(),
    }
)
"""The protocols by system. Monet and CapImagine: the system message of Monet's README, with the bounds of VLMEvalKit's
preset for Qwen2.5-VL, which the baseline shares; LVR: its evaluation script; Mirage: its test script, in which the
answer begins with the thought; LLaVA has none of its own."""
