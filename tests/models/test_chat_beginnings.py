"""What a tokenizer puts around a text that has it already: one BOS, as transformers feeds it."""

from __future__ import annotations

import pytest
import torch
from tokenizers.processors import TemplateProcessing

import mediation as med
from mediation.units import encode

BOS_TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}[assistant]"
BARE_TEMPLATE = BOS_TEMPLATE.replace("{{ bos_token }}", "")


def _tokenizer(around: str = "<s> $A", template: str | None = None):
    tokenizer = med.testing.tiny_tokenizer()
    if around:
        tokenizer._tokenizer.post_processor = TemplateProcessing(
            single=around, pair=f"{around} $B", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    tokenizer.chat_template = template
    return tokenizer


def _fed(tokenizer, text) -> list[int]:
    model = med.load(med.testing.tiny_model("llama"), tokenizer)
    return encode(med.Pairs(base=[text]), model).runs["base"][0].ids.tolist()


@pytest.mark.parametrize("as_prompt", [False, True])
def test_a_rendered_template_with_bos_gets_no_second_one(as_prompt):
    tokenizer = _tokenizer(template=BOS_TEMPLATE)
    model = med.load(med.testing.tiny_model("llama"), tokenizer)
    (prompt,) = med.prompts(model, ["The capital of Italy is"])
    messages = [{"role": "user", "content": "The capital of Italy is"}]
    wanted = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert wanted.count(1) == 1
    assert tokenizer(prompt.text)["input_ids"] == [1, *wanted]
    assert _fed(tokenizer, prompt if as_prompt else prompt.text) == wanted


def test_a_template_without_bos_keeps_that_of_the_tokenizer():
    tokenizer = _tokenizer(template=BARE_TEMPLATE)
    model = med.load(med.testing.tiny_model("llama"), tokenizer)
    (prompt,) = med.prompts(model, ["The capital of Italy is"])
    assert _fed(tokenizer, prompt) == tokenizer(prompt.text)["input_ids"]
    assert _fed(tokenizer, prompt)[0] == 1


@pytest.mark.parametrize(
    ("around", "text", "wanted"),
    [
        ("<s> $A", "<s><s>a", [1, 1, "a"]),  # doubled on purpose: as it is written
        ("<s> $A", "a<s>", [1, "a", 1]),
        ("", "<s>a", [1, "a"]),
        ("$A </s>", "a", ["a", 2]),  # as T5
        ("$A </s>", "a</s>", ["a", 2]),
        ("<s> $A </s>", "<s>a", [1, "a", 2]),
        ("<s> $A </s>", "<s>a</s>", [1, "a", 2]),
        ("<s> $A </s>", "a</s>", [1, "a", 2]),
    ],
)
def test_what_the_text_writes_itself_is_not_added(around, text, wanted):
    letter = med.testing.tiny_tokenizer()("a")["input_ids"][0]
    assert _fed(_tokenizer(around), text) == [letter if one == "a" else one for one in wanted]


def test_spans_stay_with_their_tokens():
    tokenizer = _tokenizer()
    text = "<s>The capital of Italy is"
    model = med.load(med.testing.tiny_model("llama"), tokenizer)
    for given in (text, med.Prompt(text)):
        one = encode(med.Pairs(base=[given], spans={"s": (["Italy"], None)}), model).runs["base"][0]
        assert "".join(one.tokens[i] for i in one.spans["s"]).strip() == "Italy"


def test_a_rollout_reads_one_bos():
    tokenizer = _tokenizer()
    model = med.load(med.testing.tiny_model("llama"), tokenizer)
    text = "<s>The capital of Italy is"
    found = med.rollout(model, [text], max_new_tokens=4, backend="hooks")
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(found.prompt_ids[0]) == bare
    ids = model.module.generate(torch.tensor([bare]), max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert list(found.ids[0]) == ids[0, len(bare) :].tolist()


def test_a_processor_puts_no_second_bos_in_front():
    processor = med.testing.tiny_processor("llava")
    tokenizer = processor.tokenizer
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    model = med.load(med.testing.tiny_vision_model("llava"), processor=processor, tokenizer=tokenizer)
    from PIL import Image

    picture = Image.new("RGB", (56, 56), (200, 30, 30))
    for text, options in (("<s><image> is", {"add_special_tokens": False}), ("<image> is", {})):
        wanted = processor(text=[text], images=[[picture]], return_tensors="pt", **options)["input_ids"][0].tolist()
        assert wanted.count(1) == 1
        assert _ids_of(model, med.Prompt(text, [picture])) == wanted


def _ids_of(model, prompt) -> list[int]:
    return encode(med.Pairs(base=[prompt]), model).runs["base"][0].ids.tolist()


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_an_answer_has_no_bos():
    """LogitDiff reads the answer's own token where the tokenizer adds BOS to every text."""
    tokenizer = _tokenizer()
    net = med.testing.tiny_model("llama")
    model = med.load(net, tokenizer)
    texts = ["The capital of Italy is", "The capital of Spain is"]
    paris, rome = (tokenizer(one, add_special_tokens=False)["input_ids"] for one in (" Paris", " Rome"))
    assert len(paris) == len(rome) == 1
    for outcome, of in (
        (med.LogitDiff(" Paris", " Rome"), lambda x: x[paris[0]] - x[rome[0]]),
        (med.LogProb(" Paris"), lambda x: x.log_softmax(-1)[paris[0]]),
    ):
        for inputs in (texts, [tokenizer(text)["input_ids"] for text in texts]):
            pairs = med.Pairs(base=inputs, source=inputs[::-1])
            found = med.mediate(model, pairs, med.residual(0, at="last"), outcome, n_resamples=99, rng=0).units.y00
            for text, value in zip(texts, found, strict=True):
                with torch.no_grad():
                    logits = net(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1]
                assert value == pytest.approx(float(of(logits)), abs=1e-5)


def test_a_run_that_fed_other_tokens_says_so(monkeypatch):
    from mediation.units._reader import TextReader

    monkeypatch.setattr(TextReader, "own_part", lambda self, text, whole: slice(0, len(whole)))
    model = med.load(med.testing.tiny_model("llama"), _tokenizer())
    pairs = med.Pairs(base=["<s>The capital of Italy is"] * 2, source=["<s>The capital of Spain is"] * 2)
    with pytest.raises(med.errors.BackendError, match="is fed the tokens '<s>', '<s>', 'The'"):
        med.mediate(model, pairs, med.residual(0, at="last"), med.LogitDiff(" Paris", " Rome"), n_resamples=99, rng=0)
