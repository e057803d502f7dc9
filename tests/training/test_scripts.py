"""The scripts that train the small models: they run, and their files are what the package loads."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mediation as med
from mediation.datasets import synthetic
from mediation.demo import TRAINED, find_trained

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "training"
NAMES = ("build", "net", "batches", "objectives", "variants", "weights", "train", "evaluate")


@pytest.fixture(scope="module")
def scripts():
    """The modules of examples/training, which import each other by their bare names."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def net(scripts):
    tokenizer = scripts["build"].make_tokenizer()
    return scripts["net"].Net(scripts["build"].make_model(tokenizer, 0).eval(), tokenizer)


@pytest.fixture(scope="module")
def sampler(scripts, net):
    return scripts["batches"].Sampler(net.tokenizer, np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["colour", "planning"])
def test_prompts_are_those_of_the_processor(scripts, net, sampler, kind):
    """Features, embeddings and positions made by hand give the logits of the class itself."""
    batch = sampler.draw(3, planning=0, kind=kind)
    processor = scripts["build"].make_processor(net.tokenizer)
    text = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{}<|im_end|>\n<|im_start|>assistant\n"
    asked = [text.format(net.tokenizer.decode(ids[ids >= 0])) for ids in batch.question]
    images = [[Image.fromarray(pixels.numpy())] for pixels in batch.pixels]
    with torch.no_grad():
        wanted = net.model(**processor(text=asked, images=images, return_tensors="pt")).logits
        found = net.logits(net.run(*net.prompt(net.features(batch.pixels), batch.question)))
    assert torch.allclose(found, wanted, atol=1e-5)


def test_latents_that_are_fed_with_a_cache_are_those_of_whole_sequences(scripts, net, sampler):
    batch = sampler.draw(3, planning=0, kind="colour")
    objectives, steps = scripts["objectives"], scripts["objectives"].STEPS
    with torch.no_grad():
        embeds, positions = net.prompt(net.features(batch.pixels), batch.question)
        start = net.token("<|latent_start|>")
        _, latents, _, _ = objectives._thinks(net, embeds, positions, start)
        fed = net.embed(torch.full((3, 1), start))
        for step in range(steps + 1):
            state = objectives._run(net, embeds, positions, fed)[:, -1]
            assert torch.allclose(latents[:, step], state, atol=1e-4)
            fed = torch.cat([fed, state[:, None]], dim=1)


def test_joined_puts_padding_last(scripts):
    joined = scripts["objectives"].joined
    rows = joined(torch.tensor([[1, -1], [2, 3]]), 9, torch.tensor([[4, 5], [6, -1]]))
    assert rows.tolist() == [[1, 9, 4, 5], [2, 3, 9, 6]]


def test_answers_are_found_behind_thoughts_of_any_length(scripts, net, sampler):
    """The states that `_tails` picks predict the tokens of the answer."""
    batch = sampler.draw(6, planning=1)
    objectives = scripts["objectives"]
    targets = objectives.joined(batch.imagined, batch.answer)
    places = torch.arange(targets.shape[1], dtype=torch.float32)[None, :, None].expand(len(targets), -1, 1)
    picked, answer = objectives._tails(places, targets, batch.answer)
    told = targets.gather(1, picked[:, :, 0].long())
    assert torch.equal(told[answer >= 0], answer[answer >= 0])


def test_every_word_is_one_token(net):
    for word in (*synthetic.COLOURS, *synthetic.GROUNDS, *synthetic.SHAPES, *synthetic.NUMBERS, *synthetic.MOVES):
        assert len(net.tokenizer(f" {word}")["input_ids"]) == 1


def test_every_model_is_trained_and_loaded(scripts, tmp_path, monkeypatch, capsys):
    """Two steps a stage: too few to learn anything, enough to run all of the code."""
    for name in scripts["variants"].VARIANTS:
        for stage in scripts["variants"].VARIANTS[name].stages:
            assert set(stage.mix) <= {*scripts["objectives"].STAGES, "distilled"}
        monkeypatch.setattr(sys, "argv", ["train.py", name, "--out", str(tmp_path), "--steps", "0.001"])
        scripts["train"].main()
        log = json.loads((tmp_path / name / "training.json").read_text())
        assert len(log["log"]) == len(scripts["variants"].VARIANTS[name].stages)
        assert 1e6 < log["parameters"] < 4e6
        model = find_trained(name, tmp_path)
        assert model.dtype == torch.float32
        assert model.spec == TRAINED[name]
        assert (tmp_path / name / "model.safetensors").stat().st_size < 2.7e6
    assert set(TRAINED) == set(scripts["variants"].VARIANTS)
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "mirage", "--models", str(tmp_path), "--n", "4"])
    scripts["evaluate"].main()
    assert "planning" in (tmp_path / "mirage" / "README.md").read_text()
    assert "mirage" in capsys.readouterr().out


def test_missing_weights_are_said_in_words(tmp_path):
    with pytest.raises(med.errors.BackendError, match="make models"):
        find_trained("lvr", tmp_path)
    with pytest.raises(med.errors.DesignError, match="capimagine"):
        find_trained("capimagin", tmp_path)


def test_a_listing_names_every_object_once_shape_first(net, sampler):
    tokenizer = net.tokenizer
    batch = sampler.draw(4, planning=0, kind="colour")
    for things, ids in zip(batch.things, batch.listing, strict=True):
        clauses = tokenizer.decode(ids[ids >= 0]).split(";")
        expected = [
            f"{one.shape} {one.colour} {one.ground} {synthetic.NUMBERS[one.row]} {synthetic.NUMBERS[one.column]}"
            for one in things
        ]
        assert sorted(clause.strip() for clause in clauses) == sorted(expected)


def test_sparser_scenes_hold_the_object_that_is_asked_about(net, sampler):
    tokenizer = net.tokenizer
    sizes = set()
    for _ in range(12):
        batch = sampler.draw(3, planning=0, kind="colour", few=1.0)
        sizes.add(len(batch.things[0]))
        for things, question in zip(batch.things, batch.question, strict=True):
            asked = tokenizer.decode(question[question >= 0])
            assert sum(f" {one.shape}?" in asked for one in things) == 1
            assert len(things) == len(batch.things[0])
    assert sizes <= {1, 2, 3, 4, 5}
    assert len(sizes) > 1
