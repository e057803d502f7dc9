"""Tiny random transformers of the real classes, and a tokenizer, made without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from .._checks import one_of, positive_int, seed_number

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_SIZES = {
    "vocab_size": 512,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": 128,
}
_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_LLAMA = {**_SIZES, **_SPECIAL, "num_key_value_heads": 2}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "decoder_sparse_step": 1}
_GPT2 = {"vocab_size": 512, "n_embd": 16, "n_head": 4, "n_positions": 128, "bos_token_id": 1, "eos_token_id": 2}
_OPT = {
    **_SPECIAL,
    "vocab_size": 512,
    "hidden_size": 16,
    "ffn_dim": 32,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "word_embed_proj_dim": 16,
}
_DISTILBERT = {"vocab_size": 512, "dim": 16, "hidden_dim": 32, "n_heads": 4, "max_position_embeddings": 128}

# Family -> class of the model, class of its configuration, name of the number of layers, and sizes.
_FAMILIES: dict[str, tuple[str, str, str, dict[str, int]]] = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", "num_hidden_layers", _LLAMA),
    "mistral": ("MistralForCausalLM", "MistralConfig", "num_hidden_layers", {**_LLAMA, "head_dim": 4}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", "num_hidden_layers", _LLAMA),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", "num_hidden_layers", {**_LLAMA, "head_dim": 4}),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", "num_hidden_layers", {**_LLAMA, "head_dim": 4}),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", "num_hidden_layers", {**_LLAMA, "head_dim": 4}),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", "num_hidden_layers", _LLAMA),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", "n_layer", _GPT2),
    "gpt_neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", "num_hidden_layers", {**_SIZES, **_SPECIAL}),
    "opt": ("OPTForCausalLM", "OPTConfig", "num_hidden_layers", _OPT),
    "bert": ("BertForMaskedLM", "BertConfig", "num_hidden_layers", {**_SIZES, **_SPECIAL}),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", "num_hidden_layers", {**_SIZES, **_SPECIAL}),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", "n_layers", _DISTILBERT),
}

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
"""Families that `tiny_model` makes, mixtures of experts apart."""

# Their blocks have no one matrix whose input are the neurons of the MLP.
_MIXTURES: dict[str, tuple[str, str, str, dict[str, int]]] = {
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", "num_hidden_layers", {**_LLAMA, "num_local_experts": 4}),
    "qwen2_moe": ("Qwen2MoeForCausalLM", "Qwen2MoeConfig", "num_hidden_layers", {**_LLAMA, **_EXPERTS}),
    "qwen3_moe": ("Qwen3MoeForCausalLM", "Qwen3MoeConfig", "num_hidden_layers", {**_LLAMA, **_EXPERTS, "head_dim": 4}),
}

MIXTURES: tuple[str, ...] = tuple(_MIXTURES)
"""Mixtures of experts that `tiny_model` makes."""

# Random weights as the families draw them give nearly the same logits for every input; these do not.
_GAIN, _SPREAD = 4.0, 0.1
MOST_LAYERS, _MOST_SIZE = 100, 10**5

_WORDS = (
    *("The", "When", " the", " of", " in", " is", " to", " and", " a", " city", " capital", " went", " gave", " book"),
    *(" Paris", " Rome", " Berlin", " Madrid", " France", " Italy", " Germany", " Spain", " Mary", " John", " cat"),
)


def tiny_model(
    family: str, *, seed: int = 0, layers: int = 2, attention: Literal["eager", "sdpa"] = "eager", **config: Any
) -> PreTrainedModel:
    """Return a random transformer of the real class, small enough to run in a millisecond.

    Width 16, 4 heads (2 of keys and values where the family can share them), 512 tokens, 128 positions.

    Parameters
    ----------
    family
        One of `FAMILIES` or `MIXTURES`.
    seed
        Of the weights; torch's global generator is left as it was.
    layers
        Number of blocks.
    attention
        ``"eager"`` computes attention probabilities in the open, which pattern sites need; or ``"sdpa"``.
    **config
        Further arguments of the family's configuration, such as ``sliding_window=4``.

    Returns
    -------
    transformers.PreTrainedModel
        In evaluation mode, float32, on CPU.

    Raises
    ------
    DesignError
        If the family is not known.

    Examples
    --------
    >>> import mediation as med
    >>> med.load(tiny_model("llama"))
    <Model LlamaForCausalLM, 2 layers, float32 on cpu>
    """
    import transformers

    one_of(family, (*FAMILIES, *MIXTURES), what="family")
    layers = positive_int(layers, what="layers", most=MOST_LAYERS)
    seed_number(seed, what="seed")
    one_of(attention, ("eager", "sdpa"), what="attention")
    for name, value in config.items():
        if name in _SIZES:
            config[name] = positive_int(value, what=f"tiny_model: {name}", most=_MOST_SIZE)
    model_class, config_class, depth, sizes = {**_FAMILIES, **_MIXTURES}[family]
    settings = getattr(transformers, config_class)(
        **{**sizes, depth: layers, "attn_implementation": attention, **config}
    )
    return random_model(getattr(transformers, model_class), settings, seed)


def random_model(made_of: Any, settings: Any, seed: int) -> PreTrainedModel:
    """Return a model of a class and a configuration, in evaluation mode, whose random weights matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = made_of(settings)
        with torch.no_grad():
            for parameter in model.parameters():
                # Vectors, which are all 0 or all 1 at first, are told apart; matrices are made to matter.
                parameter.mul_(_GAIN) if parameter.ndim > 1 else parameter.add_(_SPREAD * torch.randn_like(parameter))
    return cast("PreTrainedModel", model.eval())


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Return a fast tokenizer for `tiny_model`, with character offsets: some common words, and bytes for the rest.

    Token 0 pads, 1 begins and 2 ends a text; none is added to a text on its own. A word with a space before it is
    another token than the word alone, as in the byte-level tokenizers of most language models.

    Returns
    -------
    transformers.PreTrainedTokenizerFast

    Examples
    --------
    >>> tokenizer = tiny_tokenizer()
    >>> [tokenizer.decode([i]) for i in tokenizer("The capital of Peru")["input_ids"]]
    ['The', ' capital', ' of', ' P', 'e', 'r', 'u']
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["<pad>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges: dict[tuple[str, str], None] = {}
    for word in _WORDS:
        left = word[0].replace(" ", "Ġ")
        for letter in word[1:]:
            merges[(left, letter)] = None
            left += letter
    vocabulary += ["".join(pair) for pair in merges]
    numbers = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrap: Any = PreTrainedTokenizerFast
    return cast(
        "PreTrainedTokenizerFast",
        wrap(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=128),
    )
