"""Spans over characters of several tokens: bytes, emoji, combining characters, by every way of naming them."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

import mediation as med
from mediation.rollouts._spans import text_segments, written_thoughts
from mediation.testing import tiny_model, tiny_processor, tiny_tokenizer, tiny_vision_model
from mediation.units import encode
from mediation.units._spans import running_offsets

TEXTS = [
    ("a 東京 is", "東京"),
    ("a 東京 is", "京"),
    ("a 🎉🎉 b", "🎉🎉"),
    ("x e\u0301 y", "e\u0301"),
    ("né, or", "é"),
    ("東", "東"),
]


def fallback(kind: str) -> PreTrainedTokenizerFast:
    """SentencePiece with bytes for what it does not know."""
    known = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz,"]
    if kind == "unigram":
        inner = Tokenizer(models.Unigram([(one, -1.0) for one in known], unk_id=0, byte_fallback=True))
    else:
        numbers = {one: i for i, one in enumerate(known)}
        inner = Tokenizer(models.BPE(vocab=numbers, merges=[], byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


class Slow:
    """A tokenizer that gives no character offsets."""

    is_fast = False

    def __init__(self, inner):
        self._inner = inner

    def __call__(self, text, **options):
        return self._inner(text, **options)

    def __getattr__(self, name):
        return getattr(self._inner, name)


TOKENIZERS = {
    "bytes": tiny_tokenizer,
    "unigram": lambda: fallback("unigram"),
    "bpe": lambda: fallback("bpe"),
    "byt5": ByT5Tokenizer,
    "slow bytes": lambda: Slow(tiny_tokenizer()),
    "slow bpe": lambda: Slow(fallback("bpe")),
}


def _bytes(tokenizer, ids) -> bytes:
    """What tokens stand for, apart from how they are decoded."""
    pieces = tokenizer.convert_ids_to_tokens(list(ids))
    if isinstance(tokenizer, ByT5Tokenizer):
        return b"".join(piece.encode("latin-1") for piece in pieces if piece != "</s>")
    if "<0x41>" in tokenizer.get_vocab():
        found = (
            bytes([int(one[3:5], 16)]) if one.startswith("<0x") else one.replace("▁", " ").encode() for one in pieces
        )
        return b"".join(found)
    return b"".join(_byte_level(piece) for piece in pieces)


def _byte_level(piece: str) -> bytes:
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [i for i in range(256) if i not in printed]
    table = {chr(i): i for i in printed} | {chr(256 + n): i for n, i in enumerate(others)}
    return bytes(table[letter] for letter in piece)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize(("text", "piece"), TEXTS)
def test_a_span_has_all_tokens_of_its_characters(name, text, piece):
    tokenizer = TOKENIZERS[name]()
    model = med.load(tiny_model("llama", vocab_size=500), tokenizer)
    start = text.index(piece)
    for given in (text, med.Prompt(text)):
        for span in (piece, (start, start + len(piece))):
            one = encode(med.Pairs(base=[given], spans={"s": ([span], None)}), model).runs["base"][0]
            places = one.spans["s"]
            assert places == tuple(range(places[0], places[-1] + 1))
            assert _bytes(tokenizer, one.ids[list(places)].tolist()).decode().strip() == piece


@pytest.mark.parametrize("name", ["bytes", "bpe", "byt5"])
def test_a_thought_has_all_tokens_of_its_characters(name):
    tokenizer, spec = TOKENIZERS[name](), med.TextSpec("aa", "bb")
    ids = tokenizer("x aa 東京🎉 bb y", add_special_tokens=False)["input_ids"]
    ((start, stop),) = text_segments(tokenizer, [], ids, spec)
    assert _bytes(tokenizer, ids[start:stop]).decode().strip() == "東京🎉"
    (text,), (body,) = written_thoughts(tokenizer, [], ids, spec)
    assert text.strip() == "東京🎉"
    assert _bytes(tokenizer, body).decode().strip() == "東京🎉 bb"


def test_offsets_of_tokens_that_end_one_character_and_begin_another():
    class Odd:
        """Three tokens of two characters: the second has the end of the one and the beginning of the other."""

        def decode(self, ids):
            return b"".join(
                {1: "東".encode()[:2], 2: "東京".encode()[2:4], 3: "京".encode()[1:]}[i] for i in ids
            ).decode(errors="replace")

        def convert_ids_to_tokens(self, ids):
            return [str(i) for i in ids]

    assert running_offsets(Odd(), [1, 2, 3]) == ("東京", [(0, 1), (0, 2), (1, 2)])


def test_spans_beside_images():
    from PIL import Image

    processor = tiny_processor("llava")
    model = med.load(tiny_vision_model("llava"), processor=processor)
    text = "<image>京 and 東京 or 東京 is"
    prompt = med.Prompt(text, [Image.new("RGB", (56, 56))])
    for piece, start in (("東京", text.index("東京")), ("東京", text.rindex("東京")), ("京", text.index("京"))):
        pairs = med.Pairs(base=[prompt], spans={"s": ([(start, start + len(piece))], None)})
        one = encode(pairs, model).runs["base"][0]
        places = one.spans["s"]
        assert _bytes(model.tokenizer, one.ids[list(places)].tolist()).decode().strip() == piece
        after = _bytes(model.tokenizer, one.ids[places[-1] + 1 :].tolist()).decode()
        assert after == text[start + len(piece) :]


@pytest.mark.parametrize("make", [lambda x: [x], lambda x: [med.Prompt(x)]])
def test_half_a_character_is_refused(make):
    with pytest.raises(med.errors.DataError, match="lone surrogate"):
        med.Pairs(base=make("a \ud83d b"))
    with pytest.raises(med.errors.DesignError, match="lone surrogate"):
        med.TextSpec("<a>", "\udc00")
    with pytest.raises(med.errors.DesignError, match="lone surrogate"):
        med.rewrites.ReplaceText("\udc00")
