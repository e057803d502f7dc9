"""Tiny models steered so that thoughts open and close as a script has it, for each system of `systems`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from PIL import Image
from torch import Tensor

from mediation.testing import tiny_model, tiny_processor, tiny_tokenizer, tiny_vision_model
from tests.rollouts.systems import Run, Say, coconut, lvr, mirage, monet


@final
class _Script:
    """Says the given tokens at the given steps, and no `special` one at the others; notes what it heard."""

    def __init__(self, model: Any, said: Mapping[int, int], special: Sequence[int]) -> None:
        self.matrix, self.said, self.special = model.lm_head.weight, said, list(special)
        self.heard: list[Tensor] = []
        self.best: list[float] = []
        self.tokens: list[int] = []

    def __call__(self, hidden: Tensor) -> int:
        logits = self.matrix @ hidden
        logits[self.special] = -torch.inf
        self.tokens.append(self.said.get(len(self.heard), int(logits.argmax())))
        self.heard.append(hidden)
        self.best.append(float(logits.max()))
        return self.tokens[-1]


def steer(
    model: Any, run: Callable[[Any, Say], Run], prompts: Sequence[Any], scripts: Sequence[Mapping[int, int]]
) -> None:
    """Change the output matrix so that, unaided, greedy decoding says each prompt's script.

    A script gives the tokens said at some steps; the row of each such token becomes the smallest that says it there,
    by as much as others have been ahead, and has a logit of 0 everywhere else. What is read depends on what was fed
    only, not on the output matrix, so one pass suffices. Tokens with a row of zeros are never said.
    """
    tokens = sorted({token for script in scripts for token in script.values()})
    silent = (model.lm_head.weight == 0).all(1).nonzero()[:, 0].tolist()
    told = [_Script(model, script, [*tokens, *silent]) for script in scripts]
    for prompt, script in zip(prompts, told, strict=True):
        run(prompt, script)
    states = torch.stack([state for script in told for state in script.heard]).double()
    assert len(states) <= states.shape[1], "more steps than the model is wide: nothing says that a row can be found"
    best = torch.tensor([best for script in told for best in script.best], dtype=torch.float64)
    said = torch.tensor([token for script in told for token in script.tokens])
    for token in tokens:
        wanted = torch.where(said == token, 1.5 * best, 0.0)
        with torch.no_grad():
            model.lm_head.weight[token] = (torch.linalg.pinv(states) @ wanted).float()


@final
@dataclass(frozen=True)
class Scenario:
    """A steered model, prompts of different lengths, and the options with which `system` runs them."""

    system: Callable[..., Run]
    model: Any
    # A processor; of the text-only system, a tokenizer.
    processor: Any
    texts: list[str]
    images: list[list[Image.Image]]
    # Of `system`: numbers of the tokens among them.
    options: dict[str, Any]
    # The tokens as strings, by the same names.
    tokens: dict[str, str]
    # By row: what was to be said at which step.
    scripts: list[dict[int, str]]

    def batch(self, rows: Sequence[int] | None = None) -> dict[str, Tensor]:
        """The processor's outputs for some rows, or all, padded on the left."""
        rows = range(len(self.texts)) if rows is None else rows
        images = {"images": [self.images[row] for row in rows]} if self.images else {}
        texts = [self.texts[row] for row in rows]
        return dict(self.processor(text=texts, **images, padding=True, padding_side="left", return_tensors="pt"))

    def prompt(self, row: int) -> Any:
        """What `system` takes for one row."""
        return self.batch([row]) if self.images else self.batch([row])["input_ids"]

    def run(self, row: int, *, say: Say | None = None, **changes: Any) -> Run:
        return self.system(self.model, self.prompt(row), say=say, **{**self.options, **changes})


def _picture(width: int, height: int) -> Image.Image:
    pixels = torch.randint(256, (height, width, 3), generator=torch.Generator().manual_seed(width + 2 * height))
    return Image.fromarray(pixels.to(torch.uint8).numpy())


# By row, what is said at which step, and so what happens; between these steps, whatever the model says of other words.
_MONET: list[dict[int, str]] = [
    {0: "start"},  # at once; the quota is reached
    {2: "start", 4: "end", 7: "start"},  # closed early, and a second thought
    {},  # never opens
    {1: "start", 3: "eos"},  # the end of sequence within the thought
    {5: "start", 9: "eos", 11: "eos"},  # the end of sequence where the end is forced, and later
    {3: "start", 4: "end", 10: "start"},  # the shortest, and one cut by the limit
]
_LVR: list[dict[int, str]] = [
    {0: "start", 2: "eos"},  # at once; the end of sequence within the thought
    {2: "start", 8: "start"},  # two thoughts, the second cut by the limit
    {},  # never opens
    {1: "start", 2: "eos", 7: "eos"},  # the prompt opens it; a start and an end of sequence within, and one later
    {1: "start", 5: "start"},  # the first token after a thought opens another
    {10: "start"},  # opened, but nothing was fed before the limit
]
_MIRAGE: list[dict[int, str]] = [
    {0: "start"},  # at once; as many as are allowed
    {2: "start", 5: "end"},  # closed early
    {},  # never opens
    {1: "start", 2: "end", 9: "eos"},  # an empty thought; the end of sequence after it
    {4: "start", 6: "eos"},  # the end of sequence within the thought
    {8: "start"},  # cut by the limit
]
_COCONUT: list[dict[int, str]] = [
    {1: "eos"},  # the prompt opens it; the end of sequence within the thought
    {},  # never opens
    {6: "start"},  # a second thought
    {6: "eos"},  # the end of sequence after the thought
    {2: "start"},  # opens by itself
]
_SETTINGS: dict[str, tuple[Callable[..., Run], list[dict[int, str]], dict[str, Any]]] = {
    "monet": (monet, _MONET, {"latent_size": 4}),
    "lvr": (lvr, _LVR, {"steps": 3}),
    "mirage": (mirage, _MIRAGE, {"most": 4}),
    "coconut": (coconut, _COCONUT, {"steps": 3}),
}
_TOKENS = {
    "monet": {"start": "<abs_vis_token>", "end": "</abs_vis_token>", "pad": "<abs_vis_token_pad>"},
    "lvr": {"start": "<|lvr_start|>", "end": "<|lvr_end|>", "pad": "<|lvr|>"},
    "mirage": {"start": "<|latent_start|>", "end": "<|latent_end|>", "pad": "<|latent_pad|>"},
    "coconut": {"start": "<|start-latent|>", "end": "<|end-latent|>", "pad": "<|latent|>"},
}
# Of the tokens, those that the function takes.
_TAKEN = {"monet": ("start", "end"), "lvr": ("start",)}
# Of which the prompt ends with a start token.
_OPENED = {"lvr": (3,), "coconut": (0, 2, 3)}
SYSTEMS: tuple[str, ...] = tuple(_SETTINGS)
_ASKED = [
    "What is it?",
    "Is the first in the second?",
    "?",
    "The city",
    "When was the book in Paris?",
    "Where is Mary?",
]
_SIZES = [[(84, 56)], [(28, 28), (56, 112)], [(56, 56)], [(112, 56)], [(28, 84)], [(56, 28)]]
_LIMIT, _WIDTH = 12, 96
# With which no choice of a token hangs by a thread.
_SEEDS = {"monet": 16, "lvr": 15, "mirage": 15, "coconut": 2}


def build(name: str, scripts: Sequence[Mapping[int, str]] | None = None, *, seed: int = 0, **settings: Any) -> Scenario:
    """A scenario with scripts of one's own (of six rows at most), and other options."""
    system, usual, options = _SETTINGS[name]
    scripts, tokens = usual if scripts is None else scripts, _TOKENS[name]
    texts = [text + tokens["start"] * (row in _OPENED.get(name, ())) for row, text in enumerate(_ASKED[: len(scripts)])]
    images: list[list[Image.Image]] = []
    model: Any
    if name == "coconut":
        processor = tokenizer = tiny_tokenizer()
        tokenizer.add_tokens(list(tokens.values()), special_tokens=True)
        model = tiny_model("llama", seed=seed, hidden_size=_WIDTH, vocab_size=len(tokenizer))
    else:
        processor = tiny_processor("qwen2_5_vl", list(tokens.values()))
        tokenizer = processor.tokenizer
        model = tiny_vision_model("qwen2_5_vl", seed=seed, hidden_size=_WIDTH, vocabulary=len(tokenizer))
        images = [[_picture(*size) for size in sizes] for sizes in _SIZES[: len(scripts)]]
        shown = "<|vision_start|><|image_pad|><|vision_end|>"
        texts = [shown * len(pictures) + text for pictures, text in zip(images, texts, strict=True)]
    ids = {what: tokenizer.convert_tokens_to_ids(token) for what, token in tokens.items()} | {"eos": 2}
    taken = {what: ids[what] for what in _TAKEN.get(name, ("start", "end", "pad"))}
    options = {"max_new_tokens": _LIMIT, "eos": 2, **taken, **options, **settings}
    with torch.no_grad():
        model.lm_head.weight[list(tokenizer.added_tokens_decoder)] = 0
    made = Scenario(system, model, processor, texts, images, options, tokens, [dict(script) for script in scripts])
    prompts = [made.prompt(row) for row in range(len(texts))]
    numbers = [{step: ids[what] for step, what in script.items()} for script in scripts]
    steer(model, lambda prompt, say: system(model, prompt, say=say, **options), prompts, numbers)
    return made


@functools.cache
def scenario(name: str) -> Scenario:
    """The scenario of one of `SYSTEMS`; what happens in its rows is said beside their scripts."""
    return build(name, seed=_SEEDS[name])


def scenarios() -> dict[str, Scenario]:
    return {name: scenario(name) for name in SYSTEMS}
