"""Tiny random vision-language models of the real classes, and their processors, made without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast, final

from .._checks import elements, is_unicode, one_of, positive_int, seed_number, shown
from ..errors import DesignError
from ..models import image_only
from ._tiny import MOST_LAYERS, random_model, tiny_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

# What a user adds to the tokenizer, such as the latent tokens of a system, must find a row in the embeddings.
_ROOM = 16
_POSITIONS = 1024
_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_TEXT = {
    **_SPECIAL,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": _POSITIONS,
}
# The lower the base, the more alike the frequencies: at the usual ones, the last axis of these few would not count.
_THETA = 10.0
_TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
_PATCHES = {**_TOWER, "image_size": 28, "patch_size": 14}
_QWEN_TOWER = {"depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2}
_PINPOINTS = [[28, 28], [28, 56], [56, 28], [56, 56]]

_QWEN_TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
_TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
_IDEFICS_TOKENS = (
    "<|im_start|>",
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
    "<global-img>",
    *_TILES,
)

_PARTS = (
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}IMAGE{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}"
)
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}BREAK" + _PARTS + "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_QWEN_CHAT = _CHATML.replace("BREAK", "\n").replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
_ONEVISION_CHAT = _CHATML.replace("BREAK", "\n").replace("IMAGE", "<image>\n")
_LLAVA_CHAT = (
    "{% for message in messages %}{% if message.role != 'system' %}{{ message.role | upper }}: {% endif %}"
    + _PARTS.replace("IMAGE", "<image>\n")
    + "{% if message.role == 'assistant' %}</s>{% else %} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
_IDEFICS_CHAT = (
    "<|im_start|>{% for message in messages %}{{ message.role | capitalize }}:"
    "{% if message.content is string or message.content[0].type != 'image' %} {% endif %}"
    + _PARTS.replace("IMAGE", "<image>")
    + "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


@final
@dataclass(frozen=True, slots=True)
class _Family:
    """What differs between the families; names are those of classes of transformers."""

    name: str
    image_processor: tuple[str, str]
    images: Mapping[str, Any]
    tokens: Sequence[str]
    chat: str
    vision: Mapping[str, Any]
    # Names of token ids in the configuration, and their tokens.
    ids: Mapping[str, str]
    text: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    processor: Mapping[str, Any] = field(default_factory=dict)


_QWEN_IDS = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
_ANYRES = {"image_grid_pinpoints": _PINPOINTS}
_SPLIT = {"size": {"longest_edge": 56}, "max_image_size": {"longest_edge": 28}}

_FAMILIES = {
    "qwen2_5_vl": _Family(
        name="Qwen2_5_VL",
        image_processor=("qwen2_vl", "Qwen2VLImageProcessor"),
        images={"patch_size": 14, "merge_size": 2, "size": {"shortest_edge": 28 * 28, "longest_edge": 56 * 112}},
        tokens=_QWEN_TOKENS,
        chat=_QWEN_CHAT,
        # Windows of 2 x 2 tokens in the first block, none in the second.
        vision={**_QWEN_TOWER, "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]},
        ids=_QWEN_IDS,
    ),
    "qwen3_vl": _Family(
        name="Qwen3VL",
        image_processor=("qwen2_vl", "Qwen2VLImageProcessor"),
        images={"patch_size": 16, "merge_size": 2, "size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 128}},
        tokens=_QWEN_TOKENS,
        chat=_QWEN_CHAT,
        vision={**_QWEN_TOWER, "patch_size": 16, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        ids=_QWEN_IDS,
        text={"head_dim": 8},
    ),
    "llava": _Family(
        name="Llava",
        image_processor=("clip", "CLIPImageProcessor"),
        images={"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}},
        tokens=("<image>",),
        chat=_LLAVA_CHAT,
        vision={**_PATCHES, "model_type": "clip_vision_model", "projection_dim": 16},
        ids={"image_token_index": "<image>"},
        text={"model_type": "llama"},
        settings={"image_seq_length": 4},
        processor={"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1},
    ),
    "llava_onevision": _Family(
        name="LlavaOnevision",
        image_processor=("llava_onevision", "LlavaOnevisionImageProcessor"),
        images={"size": {"height": 28, "width": 28}, **_ANYRES},
        tokens=("<|im_start|>", "<|im_end|>", "<image>", "<video>"),
        chat=_ONEVISION_CHAT,
        vision={**_PATCHES, "model_type": "siglip_vision_model", "vision_use_head": False},
        ids={"image_token_index": "<image>", "video_token_index": "<video>"},
        text={"model_type": "qwen2"},
        settings=_ANYRES,
        processor={"num_image_tokens": 4, "vision_feature_select_strategy": "full"},
    ),
    "idefics3": _Family(
        name="Idefics3",
        image_processor=("idefics3", "Idefics3ImageProcessor"),
        images=_SPLIT,
        tokens=_IDEFICS_TOKENS,
        chat=_IDEFICS_CHAT,
        vision=_PATCHES,
        ids={"image_token_id": "<image>"},
        text={"model_type": "llama"},
        settings={"scale_factor": 2, "pad_token_id": 0},
        processor={"image_seq_len": 1},
    ),
}
# The same model, with other classes around it and a token for videos.
_FAMILIES["smolvlm"] = replace(
    _FAMILIES["idefics3"],
    name="SmolVLM",
    image_processor=("smolvlm", "SmolVLMImageProcessor"),
    tokens=(*_IDEFICS_TOKENS, "<video>"),
)

VISION_FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
"""Families that `tiny_vision_model` and `tiny_processor` make."""


def tiny_vision_model(
    family: str,
    *,
    seed: int = 0,
    layers: int = 2,
    attention: Literal["eager", "sdpa"] = "eager",
    vocabulary: int | None = None,
    **text_config: Any,
) -> PreTrainedModel:
    """Return a random vision-language model of the real class, small enough to run in a few milliseconds.

    The language model has width 32, 4 heads (2 of keys and values) and 1024 positions; the vision tower has width 16
    and 2 blocks. Sizes and token ids are those of ``tiny_processor(family)``, so that the model takes its batches.

    Parameters
    ----------
    family
        One of `VISION_FAMILIES`.
    seed
        Of the weights; torch's global generator is left as it was.
    layers
        Number of blocks of the language model.
    attention
        ``"eager"`` computes attention probabilities in the open, which pattern sites need; or ``"sdpa"``.
    vocabulary
        Number of rows of the embeddings; by default those of the processor's tokenizer and 16 more.
    **text_config
        Further arguments of the language model's configuration, such as ``hidden_size=16``.

    Returns
    -------
    transformers.PreTrainedModel
        In evaluation mode, float32, on CPU.

    Raises
    ------
    DesignError
        If the family is not known, or the vocabulary is smaller than the tokenizer of the family.

    Examples
    --------
    >>> from PIL import Image
    >>> model, processor = tiny_vision_model("llava"), tiny_processor("llava")
    >>> batch = processor(text=["<image> is a"], images=[[Image.new("RGB", (84, 56))]], return_tensors="pt")
    >>> batch["input_ids"].shape, model(**batch).logits.shape
    (torch.Size([1, 6]), torch.Size([1, 6, 366]))
    """
    import transformers

    one_of(family, VISION_FAMILIES, what="family")
    layers = positive_int(layers, what="layers", most=MOST_LAYERS)
    seed_number(seed, what="seed")
    one_of(attention, ("eager", "sdpa"), what="attention")
    kind, tokenizer = _FAMILIES[family], _tokenizer(family)
    rows = len(tokenizer) + _ROOM if vocabulary is None else positive_int(vocabulary, what="vocabulary")
    if rows < len(tokenizer):
        raise DesignError(
            f"tiny_vision_model({family!r}, vocabulary={rows}): its tokenizer has {len(tokenizer)} tokens. "
            "Give as many or more."
        )
    text = {**_TEXT, "num_hidden_layers": layers, "vocab_size": rows, **kind.text, **text_config}
    vision = dict(kind.vision)
    if "depth" in vision:
        vision["out_hidden_size"] = text["hidden_size"]
        text.setdefault("rope_parameters", _mrope(text))
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in kind.ids.items()}
    settings = getattr(transformers, f"{kind.name}Config")(
        text_config=text, vision_config=vision, attn_implementation=attention, **ids, **kind.settings
    )
    return random_model(getattr(transformers, f"{kind.name}ForConditionalGeneration"), settings, seed)


def tiny_processor(family: str, extra_tokens: Sequence[str] = ()) -> ProcessorMixin:
    """Return the processor of a family's class, for ``tiny_vision_model(family)``: tiny images, and a tokenizer.

    The tokenizer is `tiny_tokenizer` with the family's special tokens under their real names. The chat template
    renders messages with images and text in the manner of the family. An image of 56 x 84 pixels becomes 4 to 14
    tokens; but for LLaVA, the number goes by the size of the image.

    Parameters
    ----------
    family
        One of `VISION_FAMILIES`.
    extra_tokens
        Special tokens to add, such as the latent tokens of a system; the default model has room for 16.

    Returns
    -------
    transformers.ProcessorMixin
        Of the real class, without its part for videos.

    Raises
    ------
    DesignError
        If the family is not known.
    BackendError
        If ``num2words``, which SmolVLM's processor needs, is not installed.

    Examples
    --------
    >>> processor = tiny_processor("qwen2_5_vl", ["<think>"])
    >>> message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}
    >>> print(processor.apply_chat_template([message], add_generation_prompt=True))
    <|im_start|>user
    <|vision_start|><|image_pad|><|vision_end|>What is it?<|im_end|>
    <|im_start|>assistant
    """
    import importlib

    import transformers

    one_of(family, VISION_FAMILIES, what="family")
    for token in elements(extra_tokens, what="extra_tokens", needed="a list of texts"):
        if not isinstance(token, str) or not is_unicode(token):
            raise DesignError(f"tiny_processor: an extra token is {shown(token)}; a text is needed.")
    kind = _FAMILIES[family]
    module, name = kind.image_processor
    # Of Pillow also where torchvision is installed, so that the numbers are the same everywhere.
    images = importlib.import_module(f"transformers.models.{module}.image_processing_pil_{module}")
    return cast(
        "ProcessorMixin",
        image_only(
            getattr(transformers, f"{kind.name}Processor"),
            getattr(images, f"{name}Pil")(**kind.images),
            _tokenizer(family, extra_tokens),
            chat_template=kind.chat,
            **kind.processor,
        ),
    )


def _tokenizer(family: str, extra: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = _POSITIONS
    tokenizer.add_tokens([*_FAMILIES[family].tokens, *extra], special_tokens=True)
    return tokenizer


def _mrope(text: Mapping[str, Any]) -> dict[str, Any]:
    """Shares of the rotary frequencies that go by time, height and width: half of a head's size in all."""
    half = text.get("head_dim", text["hidden_size"] // text["num_attention_heads"]) // 2
    section = [half - 2 * (half // 3), half // 3, half // 3]
    return {"rope_type": "default", "rope_theta": _THETA, "mrope_section": section}
