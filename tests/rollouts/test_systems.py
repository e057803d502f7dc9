"""Monet, LVR, Mirage and a text-only system: the specs against independent restatements of their loops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import mediation as med
from tests.rollouts.scenarios import SYSTEMS, Scenario, scenario

SPECS = {
    "monet": replace(med.specs.MONET, steps=4),
    "lvr": replace(med.specs.LVR, steps=3),
    "mirage": replace(med.specs.MIRAGE, steps=4),
    "coconut": med.LatentSpec("<|start-latent|>", "<|end-latent|>", steps=3, pad="<|latent|>", record="pad"),
}


def _rollout(case: Scenario, rows: list[int], spec: med.LatentSpec, **more) -> med.rollouts.Trajectory:
    n = case.options["max_new_tokens"]
    if case.images:
        model = med.load(case.model, processor=case.processor)
        prompts = [med.Prompt(case.texts[row], case.images[row]) for row in rows]
    else:
        model, prompts = med.load(case.model, case.processor), [case.texts[row] for row in rows]
    return med.rollout(model, prompts, spec, max_new_tokens=n, **more)


def _check(case: Scenario, rows: list[int], found: med.rollouts.Trajectory, **options) -> None:
    for place, row in enumerate(rows):
        expected = case.run(row, **options)
        assert list(found.ids[place]) == expected.ids, row
        positions = [at for start, stop in found.segments[place] for at in range(start, stop)]
        # What stands at the limit is recorded, and not fed any more.
        read = [at for at in positions if at != case.options["max_new_tokens"] - 1]
        assert read == expected.positions, row
        fed = torch.cat(expected.latents) if expected.latents else torch.zeros(0, found.latents[place].shape[1])
        torch.testing.assert_close(found.latents[place][: len(read)], fed, atol=1e-5, rtol=1e-5)
        sizes = [sum(at in read for at in range(start, stop)) for start, stop in found.segments[place]]
        # A thought that opens at the limit itself has nothing in it, and the systems differ in whether they count it.
        assert [size for size in sizes if size] == [len(one) for one in expected.latents if len(one)], row


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
def test_one_by_one(name, backend):
    case = scenario(name)
    for row in range(len(case.texts)):
        _check(case, [row], _rollout(case, [row], SPECS[name], backend=backend))


@pytest.mark.parametrize("name", SYSTEMS)
def test_in_one_ragged_batch(name):
    case = scenario(name)
    rows = list(range(len(case.texts)))
    found = _rollout(case, rows, SPECS[name])
    assert len({len(ids) for ids in found.prompt_ids}) > 1, "prompts should differ in length"
    assert len({spans[0][0] for spans in found.segments if spans}) > 1, "thoughts should open at different steps"
    _check(case, rows, found)


@pytest.mark.parametrize("name", ["monet", "lvr", "mirage"])
def test_the_named_specs_are_those_of_the_systems(name):
    """The steps of a spec are the system's own; the tokens are found by string."""
    spec = {"monet": med.specs.MONET, "lvr": med.specs.LVR, "mirage": med.specs.MIRAGE}[name]
    case = scenario(name)
    assert (spec.start, spec.end, spec.pad) == tuple(case.tokens[what] for what in ("start", "end", "pad"))
    assert spec.steps == {"monet": 10, "lvr": 8, "mirage": 8}[name]


@pytest.mark.parametrize("speaks", [False, True])
def test_a_head_from_the_second_latent_on(speaks):
    """LVR's optional projection: applied while in the mode, so not to what the start token's position puts out."""
    case = scenario("lvr")
    torch.manual_seed(0)
    width = case.model.lm_head.weight.shape[1]
    head = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.Tanh())
    case.model.lvr_head = head
    try:
        spec = replace(SPECS["lvr"], projection="lvr_head", project_first=False, projection_speaks=speaks)
        rows = list(range(len(case.texts)))
        _check(case, rows, _rollout(case, rows, spec), head=head, head_speaks=speaks)
        assert case.run(0).latents[0].shape == case.run(0, head=head).latents[0].shape
        assert not torch.allclose(case.run(0).latents[0][1], case.run(0, head=head, head_speaks=speaks).latents[0][1])
    finally:
        del case.model.lvr_head
