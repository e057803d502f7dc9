"""Checks of the straight-line loops themselves: against `generate`, against a cache, and against their descriptions."""

from __future__ import annotations

import inspect
from itertools import pairwise

import pytest
import torch

from tests.rollouts.scenarios import SYSTEMS, Scenario, build, scenario, scenarios
from tests.rollouts.systems import Run, lvr, mirage, monet

EOS = 2
# By row, the indices at which each thought is fed.
FED = {
    "monet": [[[0, 1, 2, 3]], [[2, 3], [7, 8, 9, 10]], [], [[1, 2]], [[5, 6, 7, 8]], [[3], [10]]],
    "lvr": [[[1, 2, 3]], [[3, 4, 5], [9, 10]], [], [[0, 1, 2]], [[2, 3, 4], [6, 7, 8]], [[]]],
    "mirage": [[[1, 2, 3, 4]], [[3, 4]], [], [[]], [[5, 6, 7, 8]], [[9, 10]]],
    "coconut": [[[0, 1, 2]], [], [[0, 1, 2], [7, 8, 9]], [[0, 1, 2]], [[3, 4, 5]]],
}
LENGTHS = {
    "monet": [12, 12, 12, 4, 12, 12],
    "lvr": [12, 12, 12, 8, 12, 12],
    "mirage": [12, 12, 12, 10, 12, 12],
    "coconut": [12, 12, 12, 7, 12],
}
ROWS = [(name, row) for name in SYSTEMS for row in range(len(LENGTHS[name]))]
each_row = pytest.mark.parametrize(("name", "row"), ROWS)
each_system = pytest.mark.parametrize("name", SYSTEMS)


def heard(case: Scenario, row: int, **changes: object) -> tuple[Run, list[int], list[float]]:
    """A run, the tokens that were said before any was replaced, and by how much each was ahead of the second."""
    said, ahead = [], []

    def say(hidden: torch.Tensor) -> int:
        best = case.model.lm_head(hidden).topk(2)
        said.append(int(best.indices[0]))
        ahead.append(float(best.values[0] - best.values[1]))
        return said[-1]

    return case.run(row, say=say, **changes), said, ahead


@each_row
def test_thoughts_are_fed_where_the_description_says(name, row):
    found = scenario(name).run(row)
    assert found.positions == [position for thought in FED[name][row] for position in thought]
    assert [len(latents) for latents in found.latents] == [len(thought) for thought in FED[name][row]]
    assert all(latents.dtype == torch.float32 and latents.shape[1] == 96 for latents in found.latents)
    assert len(found.ids) == LENGTHS[name][row]


@each_row
def test_the_script_is_said_unaided(name, row):
    case = scenario(name)
    _, said, ahead = heard(case, row)
    tokens = case.processor if name == "coconut" else case.processor.tokenizer
    special = {tokens.convert_tokens_to_ids(token): what for what, token in case.tokens.items()} | {EOS: "eos"}
    assert {step: special[token] for step, token in enumerate(said) if token in special} == case.scripts[row]
    # So that other orders of summation, as in a batch or with a cache, choose the same.
    assert min(ahead) > 1e-3


def test_the_scenarios_are_mixed():
    for name, case in scenarios().items():
        opened = [thoughts[0][0] if thoughts and thoughts[0] else None for thoughts in FED[name]]
        assert None in opened
        assert len(set(opened)) >= 3
        assert len({int(case.batch([row])["attention_mask"].sum()) for row in range(len(opened))}) >= 4
    assert len({tuple(image.size) for row in scenario("lvr").images for image in row}) >= 4


def of(name: str, *whats: str) -> list[int]:
    return [scenario(name).options[what] for what in whats]


def test_monet_closes_early_or_is_closed_and_keeps_what_was_said_within():
    case, (start, end) = scenario("monet"), of("monet", "start", "end")
    full, early, ended, forced = (heard(case, row)[:2] for row in (0, 1, 3, 4))
    assert full[0].ids[0] == start
    assert full[0].ids[1:4] == full[1][1:4]  # as said
    assert full[0].ids[4] == end != full[1][4]  # not as said
    assert [early[0].ids[i] for i in (2, 4, 7, 11)] == [start, end, start, end]
    assert early[1][4] == end != early[1][11]  # said the first time, forced the second
    assert ended[0].ids[-1] == EOS  # within the thought
    assert (forced[1][9], forced[0].ids[9], forced[0].ids[-1]) == (EOS, end, EOS)


def test_lvr_forces_no_end_and_does_not_stop_within():
    case, (start,) = scenario("lvr"), of("lvr", "start")
    for row in range(6):
        found, said, _ = heard(case, row)
        assert found.ids == said
    assert case.run(0).ids[2] == EOS
    inner = case.run(3)
    assert case.prompt(3)["input_ids"][0, -1] == start
    assert (inner.ids[1:3], inner.ids[-1]) == ([start, EOS], EOS)
    assert case.run(4).ids[5] == start  # the first token after a thought


def test_mirage_pads_and_closes():
    case, (start, end, pad) = scenario("mirage"), of("mirage", "start", "end", "pad")
    full, early, empty, padded = (heard(case, row)[:2] for row in (0, 1, 3, 4))
    assert full[0].ids[:6] == [start, pad, pad, pad, pad, end]
    assert full[1][5] != end  # forced
    assert early[0].ids[2:6] == [start, pad, pad, end]
    assert early[1][5] == end
    assert empty[0].ids[1:3] == [start, end]
    assert (padded[1][6], padded[0].ids[6]) == (EOS, pad)
    assert inspect.signature(mirage).parameters["most"].default == 8
    assert len(case.run(0, most=8).latents[0]) == 8


def test_mirage_goes_on_from_a_start_within_and_takes_a_later_one_for_a_word():
    case, (start, end, pad) = scenario("mirage"), of("mirage", "start", "end", "pad")
    script = iter([start, 50, start, 51, end, 52, start, 53, end, 54, 55, 56])
    found = case.run(2, say=lambda _: next(script))
    assert found.ids == [start, pad, start, pad, end, 52, start, 53, end, 54, 55, 56]
    assert found.positions == [1, 3]
    assert [len(latents) for latents in found.latents] == [2]


def test_coconut_reads_the_end_after_its_steps():
    case, (start, end, pad) = scenario("coconut"), of("coconut", "start", "end", "pad")
    assert case.prompt(0)[0, -1] == start != case.prompt(1)[0, -1]
    found, said, _ = heard(case, 0)
    assert found.ids[:4] == [pad, pad, pad, end]
    assert said[1] == EOS
    assert case.run(0, pad=None).ids == [*said[:3], end, *found.ids[4:]]
    assert case.run(3).ids[-1] == EOS


@each_row
def test_a_cache_gives_the_same(name, row):
    """Each latent is the state that predicted the token in whose place it is fed; the others are embeddings."""
    case = scenario(name)
    found, said, _ = heard(case, row)
    latents = dict(zip(found.positions, torch.cat([*found.latents, torch.zeros(0, 96)]), strict=True))
    model, prompt = case.model, case.prompt(row)
    prompt = {"input_ids": prompt} if name == "coconut" else prompt
    shift = 0
    with torch.no_grad():
        out = model(**prompt, use_cache=True, output_hidden_states=True)
        if name != "coconut":
            shift = int(model.model.rope_deltas)
        for index, token in enumerate(found.ids):
            state = out.hidden_states[-1][0, -1]
            assert int(out.logits[0, -1].argmax()) == said[index]
            fed = model.get_input_embeddings().weight[token]
            if index in latents:
                fed = latents[index]
                torch.testing.assert_close(fed, state, rtol=0, atol=1e-5)
            position = torch.full((1, 1), out.past_key_values.get_seq_length() + shift)
            out = model(
                inputs_embeds=fed[None, None],
                position_ids=position if name == "coconut" else position.expand(3, 1, 1),
                past_key_values=out.past_key_values,
                use_cache=True,
                output_hidden_states=True,
            )


@each_system
def test_without_a_start_each_is_generate(name):
    case = build(name, [{}, {}, {4: "eos"}, {}, {}], seed=3, start=-1)
    for row in range(5):
        prompt = case.prompt(row)
        prompt = {"input_ids": prompt, "attention_mask": torch.ones_like(prompt)} if name == "coconut" else prompt
        width = prompt["input_ids"].shape[1]
        new = case.model.generate(**prompt, do_sample=False, max_new_tokens=12, eos_token_id=EOS, pad_token_id=0)
        found = case.run(row)
        assert found.ids == new[0, width:].tolist()
        assert len(found.ids) == (5 if row == 2 else 12)
        assert (found.latents, found.positions) == ([], [])


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_monet_overrides_the_start_and_one_less_than_its_size_after_it(size):
    script = iter([40, 41, of("monet", "start")[0], *range(42, 60)])
    found = scenario("monet").run(2, latent_size=size, say=lambda _: next(script))
    assert found.positions == list(range(2, 2 + size))
    assert found.ids[2 + size] == of("monet", "end")[0]
    assert found.ids[3 : 2 + size] == list(range(42, 41 + size))


def test_the_first_latent_of_monet_is_the_first_read_and_that_of_the_others_is_not():
    """With the start token said at once: Monet's latent is the prompt's last state, the others' that of the start."""
    case = scenario("monet")
    with torch.no_grad():
        first = case.model(**case.prompt(0), output_hidden_states=True).hidden_states[-1][0, -1]
    torch.testing.assert_close(case.run(0).latents[0][0], first, rtol=0, atol=1e-5)
    start, end = of("monet", "start", "end")
    common = {"start": start, "max_new_tokens": 4}
    by_lvr = lvr(case.model, case.prompt(0), steps=2, **common)
    by_mirage = mirage(case.model, case.prompt(0), end=end, pad=0, **common)
    assert (by_lvr.ids[0], by_mirage.ids[0]) == (start, start)
    torch.testing.assert_close(by_lvr.latents[0][0], by_mirage.latents[0][0])
    assert float((by_lvr.latents[0][0] - first).norm()) > 0.1


@each_system
def test_latents_differ_from_each_other_and_from_input_to_input(name):
    case = scenario(name)
    runs = [case.run(row) for row in range(len(case.texts))]
    latents = [vector for run in runs for thought in run.latents for vector in thought]
    assert all(float((one - other).norm()) > 0.1 for one, other in pairwise(latents))


def test_an_image_is_seen():
    case = scenario("monet")
    changed = case.prompt(0)
    changed["pixel_values"] = changed["pixel_values"].flip(0)
    start = case.options["start"]
    before, after = (
        monet(case.model, inputs, **case.options, say=lambda _: start) for inputs in (case.prompt(0), changed)
    )
    assert float((before.latents[0][0] - after.latents[0][0]).norm()) > 1e-2


def test_the_head_of_lvr_starts_at_the_second_latent_and_is_what_the_output_matrix_reads():
    case = scenario("lvr")
    bare, (start,) = case.run(0), of("lvr", "start")
    flipped = case.run(0, head=torch.neg)
    torch.testing.assert_close(flipped.latents[0][0], bare.latents[0][0], rtol=0, atol=0)
    torch.testing.assert_close(flipped.latents[0][1], -bare.latents[0][1], rtol=0, atol=0)
    assert not torch.allclose(flipped.latents[0][2].abs(), bare.latents[0][2].abs(), atol=1e-2)
    least = int((case.model.lm_head(bare.latents[0][1])).argmin())
    assert (flipped.ids[0], flipped.ids[1], flipped.ids[2]) == (start, bare.ids[1], least)
    silent = case.run(0, head=torch.neg, head_speaks=False)
    assert silent.ids[:3] == bare.ids[:3]
    for with_head, without in zip(flipped.latents[0], silent.latents[0], strict=True):
        torch.testing.assert_close(with_head, without, rtol=0, atol=0)


def test_lvr_may_overrun_its_limit_to_finish_a_thought():
    case = scenario("lvr")
    short, long = case.run(5), case.run(5, overrun=True)
    assert (len(short.ids), len(long.ids)) == (12, 15)  # the start at 10, three latents, one token
    assert long.positions == [11, 12, 13]
    assert long.ids[:12] == short.ids


def test_quotas_of_nothing():
    case = scenario("lvr")
    plain = case.model.generate(**case.prompt(3), do_sample=False, max_new_tokens=12, eos_token_id=EOS, pad_token_id=0)
    none = case.run(3, steps=0)
    assert none.ids == plain[0, case.prompt(3)["input_ids"].shape[1] :].tolist()
    assert none.latents == []
    zero, one = (scenario("monet").run(0, latent_size=size) for size in (0, 1))
    assert zero.ids == one.ids
    assert zero.ids[1] == of("monet", "end")[0]
    assert zero.positions[0] == 0
    assert 1 not in zero.positions
