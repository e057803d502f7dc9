"""Prompts: their question among the words of a chat template, and what pictures become."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import mediation as med
from tests.rollouts.vision import thinker


def test_a_question_is_found_though_the_template_says_the_same_word():
    model = thinker("qwen2_5_vl")
    (prompt,) = med.prompts(model, ["user"], [np.zeros((28, 28, 3), dtype=np.uint8)])
    assert prompt.text[prompt.offset :].startswith("user<|im_end|>")
    other = prompt.asking("Is it red?")
    assert other.text == prompt.text.replace("user<|im_end|>", "Is it red?<|im_end|>")
    assert other.asking("user").text == prompt.text


def test_a_question_may_become_one_that_stands_there_already_and_even_none():
    prompt = med.Prompt("Say is: Is it red?", question="Is it red?")
    assert prompt.asking("is").text == "Say is: is"
    assert prompt.asking("is").asking("").asking("so").text == "Say is: so"
    assert prompt.with_(text="Is it red? Yes.").offset == 0
    with pytest.raises(med.errors.DataError, match="occurs 2 times"):
        med.Prompt("is is", question="is")
    assert med.Prompt("is is", question="is", offset=3).asking("was").text == "is was"
    with pytest.raises(med.errors.DataError, match="does not begin at character 1"):
        med.Prompt("is is", question="is", offset=1)
    with pytest.raises(med.errors.DataError, match="does not say which part"):
        med.Prompt("is it").asking("so")


def test_pictures_are_the_same_whatever_they_came_as(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    given = [pixels, pixels / 255, torch.tensor(pixels), Image.fromarray(pixels), tmp_path / "picture.png"]
    prompt = med.Prompt("x", given)
    for picture in prompt.images:
        assert picture.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(picture), pixels)
    grey = med.Prompt("x", [Image.fromarray(pixels[..., 0])]).images[0]
    np.testing.assert_array_equal(np.asarray(grey), np.repeat(pixels[..., :1], 3, axis=2))
    assert med.Prompt("x", [pixels]).digest() == med.Prompt("x", given[-1:]).digest()
    assert med.Prompt("x", [pixels]).digest() != med.Prompt("x", [pixels[::-1].copy()]).digest()


def test_a_system_message_and_how_the_answer_begins():
    model = thinker("qwen2_5_vl")
    (prompt,) = med.prompts(model, ["Is it red?"], system="Be brief.", answer="<t>")
    assert prompt.text.startswith("<|im_start|>system\nBe brief.<|im_end|>")
    assert prompt.text.endswith("<|im_start|>assistant\n<t>")
    assert prompt.images == ()
