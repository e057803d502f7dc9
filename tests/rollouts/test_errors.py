from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM

import mediation as med
from mediation.testing import tiny_tokenizer
from tests.rollouts.tiny import PROMPTS, decoder


def _rollout(**changes):
    arguments = {"model": decoder("llama"), "inputs": PROMPTS, "max_new_tokens": 3} | changes
    return med.rollout(arguments.pop("model"), arguments.pop("inputs"), **arguments)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: med.LatentSpec("", "w1", steps=2), "start = ''"),
        (lambda: med.LatentSpec("w1", 7, steps=2), "end = 7"),
        (lambda: med.LatentSpec("w1", "w1", steps=2), "two different markers"),
        (lambda: med.LatentSpec("w1", "w2", steps=-1), "at least 0"),
        (lambda: med.LatentSpec("w1", "w2", steps=True), "whole number"),
        (lambda: med.LatentSpec("w1", "w2", steps=1, record="pads"), "Closest: 'pad'"),
        (lambda: med.LatentSpec("w1", "w2", steps=1, record="pad"), "pad is missing"),
        (lambda: med.LatentSpec("w1", "w2", steps=1, pad=""), "pad = ''"),
        (lambda: med.TextSpec("", "x"), "start = ''"),
        (lambda: med.TextSpec("x", "x"), "two different markers"),
    ],
)
def test_wrong_specs(make, says):
    with pytest.raises(med.errors.DesignError) as error:
        make()
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": "one text"}, "[text]"),
        ({"inputs": []}, "at least one prompt"),
        ({"inputs": 3}, "is a int"),
        ({"inputs": med.Pairs(base=[[1], [2]])}, "pairs.base"),
        ({"inputs": [[1, 2], []]}, "unit 1 has no token"),
        ({"inputs": torch.zeros(2, 3)}, "token ids (n, length)"),
        ({"inputs": torch.zeros(3, dtype=torch.long)}, "shape (3,)"),
        ({"inputs": [[1] * 100], "max_new_tokens": 40}, "at most 28 new tokens"),
    ],
)
def test_wrong_inputs(changes, says):
    with pytest.raises(med.errors.DataError) as error:
        _rollout(**changes)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"stop": [""]}, "none of them empty"),
        ({"stop": [3]}, "strings are needed"),
        ({"spec": "w1"}, "give a LatentSpec or a TextSpec"),
        ({"backend": "nnsigt"}, "Closest: 'nnsight'"),
        ({"spec": med.LatentSpec("<think>", "w1", steps=1)}, "'<think>' is not one token"),
        ({"spec": med.LatentSpec("w1 w2", "w3", steps=1)}, "it reads it as 'w1', 'w2'"),
        ({"spec": med.LatentSpec("w1", "w2", steps=1, pad="<pad>", record="pad")}, "pad = '<pad>'"),
        ({"spec": med.TextSpec("<i>", "</i>")}, "cannot be written"),
        ({"assignment": med.Zero()}, "an intervention at a site is needed"),
        ({"assignment": med.Interchange().at(med.residual(1, at="last"))}, "needs Donor("),
        ({"assignment": med.GaussianNoise(1.0).at(med.residual(1, at="last"))}, "needs Noise("),
        ({"model": nn.Sequential(nn.Linear(2, 2))}, "not a causal decoder"),
    ],
)
def test_wrong_questions(changes, says):
    with pytest.raises(med.errors.DesignError) as error:
        _rollout(**changes)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("site", "says"),
    [
        (med.residual(1), "Write residual(1, at='last')"),
        (med.residual(at="each"), "at = 'each'"),
        (med.pattern(1, at="last"), "another width at every step"),
        (med.residual(7, at="last"), "there are 3"),
        (med.Site("model.layers.0.mpl", at="last"), "Closest: 'model.layers.0.mlp'"),
    ],
)
def test_wrong_sites(site, says):
    with pytest.raises(med.errors.SiteError) as error:
        _rollout(assignment=med.Zero().at(site))
    assert says in str(error.value)


def test_an_encoder_is_refused():
    config = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=50)
    with pytest.raises(med.errors.DesignError, match="BertForMaskedLM is not a causal decoder"):
        _rollout(model=BertForMaskedLM(config))


def test_strings_need_a_tokenizer():
    bare = med.load(decoder("llama").module)
    for changes in ({"stop": "x"}, {"spec": med.LatentSpec("a", "b", steps=1)}, {"spec": med.TextSpec("a", "b")}):
        with pytest.raises(med.errors.DesignError, match="has no tokenizer"):
            _rollout(model=bare, **changes)


def test_a_token_without_an_embedding_is_told():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<think>", "</think>"])
    model = med.load(decoder("llama").module, tokenizer=tokenizer)
    with pytest.raises(med.errors.DesignError, match="embeddings for 60 tokens"):
        _rollout(model=model, spec=med.LatentSpec("<think>", "</think>", steps=1))
    with pytest.raises(med.errors.DesignError, match="Closest: '<think>'"):
        _rollout(model=model, spec=med.LatentSpec("<thinks>", "</think>", steps=1))


def test_infinite_logits_end_one_row_and_flag_it():
    arm = (med.Scale(1e30) >> med.Scale(1e30)).at(med.Site("lm_head", at="last"))
    found = _rollout(model=decoder("gpt2"), assignment=arm)
    assert set(found.stopped) == {"nan"}
    assert all(flags == ("nan",) for flags in found.flags)
    assert all(len(ids) == 1 for ids in found.ids), "the prompt's own pass is plain, and says one token"
