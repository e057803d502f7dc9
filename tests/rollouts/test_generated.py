"""Generations after a patched prompt, against ``generate`` with plain hooks that act while the prompt is read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import mediation as med
from mediation import Interchange, Swap, World, Zero
from mediation.engine import Execution, HookBackend, Visit, backend_for, make_study, progress_for, run_study
from mediation.engine.study import donor_units
from mediation.outcomes import Cued, Told
from mediation.rollouts import Generated, Settings
from mediation.testing import tiny_model
from tests.models.families import built
from tests.rollouts.tiny import decoder, words
from tests.rollouts.vision import FAMILIES as VISION, asked, thinker

N, SEED = 8, 5
FAMILIES = ("llama", "gpt2", "qwen2", "gemma2")
SPANS = {"subject": ([(0, 2), (3, 5), (1, 3), (7, 9), (0, 2)], [(1, 3), (0, 2), (5, 7), (2, 4), (4, 6)])}
RUNS = ("base", "source")


def ragged(**given: Any) -> med.Pairs:
    """Prompts of different lengths."""
    generator = torch.Generator().manual_seed(2)
    base, source = ([torch.randint(3, 59, (n,), generator=generator) for n in (5, 7, 7, 9, 6)] for _ in RUNS)
    return med.Pairs(base=base, source=source, spans=SPANS, **given)


PAIRS = ragged()


@med.outcomes.judge
def text(told: Told) -> float:
    """A number for each text."""
    return float(zlib.crc32(told.text.encode()))


def number(ids: Sequence[int]) -> float:
    return float(zlib.crc32(" ".join(f"w{one}" for one in ids).encode()))


def run(
    model: med.Model,
    worlds: Sequence[World],
    outcome: Any = text,
    *,
    pairs: med.Pairs = PAIRS,
    backend: Any = "nnsight",
    n_draws: int = 1,
    settings: dict[str, Any] | None = None,
    **how: Any,
) -> np.ndarray:
    """Outcomes ``(worlds, units, draws)``; worlds are distinct."""
    read = Generated(outcome, Settings(**{"max_new_tokens": N, "seed": SEED, **(settings or {})}))
    study = make_study(model, pairs, worlds, read, seed=SEED, n_draws=n_draws)
    return run_study(study, Execution(backend=backend_for(backend), **how), progress_for(False)).values


# ------------------------------------------------------------------------------------------- generate with plain hooks
class Hooked:
    """``generate`` of one unpadded prompt at a time, changed by hooks of this file in the pass of the prompt alone."""

    def __init__(self, model: med.Model) -> None:
        self.net, kind = model.module, model.module.config.model_type
        self.blocks = "transformer.h" if kind == "gpt2" else "model.layers"
        self.heads = "attn.c_proj" if kind == "gpt2" else "self_attn.o_proj"

    @torch.no_grad()
    def says(self, prompt: Tensor, changes: Sequence[tuple[med.Site, Sequence[int], Tensor | float]] = ()) -> list[int]:
        with ExitStack() as stack:
            for site, where, new in changes:
                stack.callback(self._hook(site, lambda h, w=where, new=new: self._put(h, w, new), len(prompt)))
            found = self.net.generate(
                prompt[None],
                attention_mask=torch.ones(1, len(prompt)),
                do_sample=False,
                max_new_tokens=N,
                pad_token_id=0,
            )
        return found[0, len(prompt) :].tolist()

    @torch.no_grad()
    def holds(self, site: med.Site, prompt: Tensor, where: Sequence[int]) -> Tensor:
        seen: list[Tensor] = []
        with ExitStack() as stack:
            stack.callback(self._hook(site, lambda h: seen.append(h[0, list(where)].clone()), len(prompt)))
            self.net(prompt[None])
        return seen[0]

    @staticmethod
    def _put(hidden: Tensor, where: Sequence[int], new: Tensor | float) -> None:
        hidden[0, list(where)] = new

    def _hook(self, site: med.Site, act: Callable[[Tensor], None], length: int) -> Callable[[], None]:
        block = self.net.get_submodule(f"{self.blocks}.{site.layer}")

        def now(hidden: Tensor) -> Tensor:
            hidden = hidden.clone()
            if hidden.shape[1] == length:
                act(hidden)
            return hidden

        if site.kind == "attention":
            wide = slice(4 * site.head, 4 * site.head + 4)

            def before(_: Any, args: Any) -> Any:
                whole = args[0].clone()
                whole[..., wide] = now(whole[..., wide])
                return (whole, *args[1:])

            return block.get_submodule(self.heads).register_forward_pre_hook(before).remove

        def after(_: Any, __: Any, out: Any) -> Any:
            return (now(out[0]), *out[1:]) if isinstance(out, tuple) else now(out)

        return (block if site.kind == "residual" else block.mlp).register_forward_hook(after).remove


def where(site: med.Site, run: str, unit: int, pairs: med.Pairs = PAIRS) -> list[int]:
    """Return the tokens of a site, spelled out."""
    if site.at == "subject":
        return list(range(*SPANS["subject"][RUNS.index(run)][unit]))
    return [len(pairs.inputs(run)[unit]) - 1]


def exchanged(hooked: Hooked, sites: Sequence[med.Site], run: str, unit: int, donor: int | None = None) -> list[int]:
    other, donor = RUNS[run == "base"], unit if donor is None else donor
    given = PAIRS.inputs(other)[donor]
    changes = [(site, where(site, run, unit), hooked.holds(site, given, where(site, other, donor))) for site in sites]
    return hooked.says(PAIRS.inputs(run)[unit], changes)


SITES = [
    (med.residual(1, at="subject"),),
    (med.residual(0, at="last"),),
    (med.mlp(1, at="subject"),),
    (med.attention(1, head=2, at="last"),),
    (med.mlp(0, at="subject"), med.attention(1, head=0, at="subject"), med.residual(2, at="last")),
]


@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
@pytest.mark.parametrize("family", FAMILIES)
def test_worlds_say_what_generate_says_with_hooks_in_the_prompt(family, backend):
    model = decoder(family)
    hooked, units = Hooked(model), range(len(PAIRS))
    joined = [med.SiteSet(sites) for sites in SITES]
    worlds = [World(run) for run in RUNS] + [World(run, Interchange().at(one)) for one in joined for run in RUNS]
    expected = [[number(hooked.says(PAIRS.inputs(run)[unit])) for unit in units] for run in RUNS]
    expected += [[number(exchanged(hooked, one, run, unit)) for unit in units] for one in SITES for run in RUNS]
    found = run(model, worlds, backend=backend)[:, :, 0]
    np.testing.assert_array_equal(found, expected)
    plain = np.array(expected)[[0, 1] * len(SITES)]
    assert (found[2:] != plain).any(axis=1).sum() >= 7, "patching should change what is said"


@pytest.mark.parametrize("batch_size", [1, 2])
def test_rows_do_not_depend_on_their_batch(batch_size):
    model = decoder("llama")
    worlds = [World("base"), World("source", Interchange().at(SITES[0][0])), World("base", Swap().at(SITES[1][0]))]
    np.testing.assert_array_equal(run(model, worlds, batch_size=batch_size, n_draws=3), run(model, worlds, n_draws=3))


def test_zeros_and_donors_drawn_at_random():
    model, site = decoder("llama"), med.mlp(1, at="subject")
    hooked, n = Hooked(model), len(PAIRS)
    found = run(model, [World("source", Zero().at(site)), World("base", Swap(run="source").at(site))], n_draws=3)
    for unit in range(n):
        zeroed = hooked.says(PAIRS.inputs("source")[unit], [(site, where(site, "source", unit), 0.0)])
        assert found[0, unit].tolist() == [number(zeroed)] * 3
        for draw in range(3):
            donor = int(donor_units(next(iter(Swap(run="source").needs())), PAIRS, seed=SEED, draw=draw)[unit])
            assert found[1, unit, draw] == number(exchanged(hooked, (site,), "base", unit, donor))


OTHERS = ("Bloom", "Mpt", "GPTNeo", "GPTJ", "Falcon", "Olmo2", "Granite", "DiffLlama", "Qwen2Moe", "GptOss")


@pytest.mark.parametrize("family", OTHERS)
def test_other_families_say_what_passes_without_a_cache_say(family):
    model = med.load(built(family))
    site = med.residual(0, at="subject") | med.mlp(1, at="last")
    worlds = [World("base"), World("source", Interchange().at(site)), World("base", Swap().at(site))]
    expected = run(model, worlds, backend="reference", n_draws=2)
    np.testing.assert_array_equal(run(model, worlds, backend="hooks", n_draws=2), expected)
    assert (expected[0] != expected[2]).any()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_attention_patterns_noise_and_means(family):
    module = tiny_model(
        family, seed=1, layers=3, attention="eager", vocab_size=60, bos_token_id=None, eos_token_id=None
    )
    model = med.load(module, tokenizer=words())
    generator = torch.Generator().manual_seed(4)
    base, source = ([torch.randint(3, 59, (6,), generator=generator) for _ in range(4)] for _ in RUNS)
    pairs = med.Pairs(base=base, source=source)
    worlds = [
        World("base", Interchange().at(med.pattern(1, head=1, at="last"))),
        World("base", med.GaussianNoise(2.0).at(med.residual(0, at=2))),
        World("source", med.Mean().at(med.mlp(1, at="last"))),
        World("source", Interchange(world=World("base", Zero().at(med.mlp(0, at=1)))).at(med.residual(1, at="last"))),
    ]
    expected = run(model, worlds, pairs=pairs, backend="reference", n_draws=2)
    np.testing.assert_array_equal(run(model, worlds, pairs=pairs, n_draws=2), expected)
    plain = run(model, [World("base")], pairs=pairs)
    assert (expected[:2, :, :1] != plain[:1]).any()


@pytest.mark.parametrize("family", VISION)
def test_prompts_with_pictures(family):
    model = thinker(family)
    pairs = med.Pairs(base=asked(model, seed=1), source=asked(model, seed=60))
    worlds = [World("base"), World("base", Interchange().at(med.residual(0, at="all")))]
    found = run(model, worlds, pairs=pairs, settings={"max_new_tokens": 6})
    expected = run(model, worlds, pairs=pairs, settings={"max_new_tokens": 6}, backend="reference")
    np.testing.assert_array_equal(found, expected)
    assert (found[0] != found[1]).any()


# ---------------------------------------------------------------------------------------------------------- decoding
def test_sampling_has_random_numbers_of_each_unit_and_draw_that_worlds_share():
    model, site = decoder("llama"), med.residual(1, at="subject")
    worlds = [World("base"), World("base", Interchange("same").at(site)), World("base", Interchange().at(site))]
    drawn = {"sampling": med.rollouts.Sampling(2.0)}
    found = run(model, worlds, n_draws=3, settings=drawn)
    np.testing.assert_array_equal(found, run(model, worlds, n_draws=3, settings=drawn, backend="reference"))
    np.testing.assert_array_equal(found[0], found[1])
    assert all(len(set(unit)) > 1 for unit in found[0].tolist())
    assert (found[2] != found[0]).any()
    one = med.rollout(model, PAIRS.base, max_new_tokens=N, sampling=drawn["sampling"], rng=SEED)
    assert found[0, :, 0].tolist() == [number(ids) for ids in one.ids]


def test_a_generation_ends_where_generate_ends_it():
    plain = med.rollout(decoder("llama"), PAIRS.base, max_new_tokens=N)
    eos = plain.ids[0][3]
    model, site = decoder("llama", eos=eos), med.mlp(1, at="subject")
    length = med.outcomes.judge(lambda told: told.tokens + 100 * (told.stopped == "eos"))
    found = run(model, [World("base"), World("base", Interchange().at(site))], length)[:, :, 0]
    for unit in range(len(PAIRS)):
        for world, ids in enumerate(
            [Hooked(model).says(PAIRS.base[unit]), exchanged(Hooked(model), (site,), "base", unit)]
        ):
            assert found[world, unit] == len(ids) + 100 * (eos in ids)
    assert (found > 100).any()
    stop = " ".join(f"w{one}" for one in plain.ids[1][2:4])
    stopped = med.outcomes.judge(lambda told: told.stopped == "stop" and told.text.endswith(stop))
    assert run(decoder("llama"), [World("base")], stopped, settings={"stop": (stop,)})[0, 1, 0] == 1


def test_an_answer_may_be_compared_with_the_plain_one_of_the_base():
    model = decoder("llama")
    changed = Interchange().at(SITES[0][0])
    worlds = [World("base"), World("source"), World("base", changed), World("source", Swap(run="base").at(SITES[0][0]))]

    class Differs(med.outcomes.AbstractOutcome):
        def prepare(self, pairs, model):
            inner = text.prepare(pairs, model)
            return med.outcomes.Prepared(
                label="differs", reduce=inner.reduce, judge=lambda told, unit, plain: float(told.text != plain.text)
            )

    said, found = run(model, worlds), run(model, worlds, Differs())
    np.testing.assert_array_equal(found, (said != said[:1]).astype(float))
    alone = run(model, worlds[3:], Differs())
    np.testing.assert_array_equal(alone[0], found[3])


@pytest.mark.parametrize("inner", [med.LogitDiff("w4", "w9"), med.KL(), med.LogProb("w4 w5")])
@pytest.mark.parametrize("eos", [False, True])
def test_logits_after_a_cue_that_follows_the_generation(inner, eos):
    ends = med.rollout(decoder("llama"), PAIRS.base, max_new_tokens=N).ids[1][4] if eos else None
    model, site = decoder("llama", eos=ends), med.mlp(1, at="subject")
    worlds = [World("base"), World("source"), World("base", Interchange().at(site))]
    found = run(model, worlds, Cued(inner, "w7 w8"))[:, :, 0]
    np.testing.assert_allclose(found, run(model, worlds, Cued(inner, "w7 w8"), backend="reference")[:, :, 0], atol=1e-5)
    hooked = Hooked(model)
    expected = np.zeros((3, len(PAIRS)))
    for unit in range(len(PAIRS)):
        logs = []
        for run_, patched in (("base", False), ("source", False), ("base", True)):
            prompt = PAIRS.inputs(run_)[unit]
            given = hooked.holds(site, PAIRS.source[unit], where(site, "source", unit))
            changes = [(site, where(site, run_, unit), given)] if patched else []
            said = [one for one in hooked.says(prompt, changes) if one != ends]
            ids = torch.tensor([*prompt.tolist(), *said, 7, 8, *([4] if isinstance(inner, med.LogProb) else [])])
            with ExitStack() as stack, torch.no_grad():
                for one, at, new in changes:
                    stack.callback(hooked._hook(one, lambda h, at=at, new=new: hooked._put(h, at, new), len(ids)))
                logs.append(hooked.net(ids[None]).logits[0].log_softmax(-1))
        for world, log in enumerate(logs):
            expected[world, unit] = {
                "LogitDiff": lambda log: log[-1, 4] - log[-1, 9],
                "LogProb": lambda log: log[-2, 4] + log[-1, 5],
                "KL": lambda log, first=logs[0]: (first[-1].exp() * (first[-1] - log[-1])).sum(),
            }[type(inner).__name__](log)
    np.testing.assert_allclose(found, expected, atol=1e-5)


# ------------------------------------------------------------------------------------------------------------ checks
class Spoiling(med.engine.AbstractBackend):
    """Plain hooks that change something else as well, in passes that are told."""

    def __init__(self, when: Callable[[Sequence[Visit]], bool]) -> None:
        self.when = when

    @property
    def name(self) -> str:
        return "spoiling"

    def forward(self, model, inputs, visits, finish):
        if not self.when(visits):
            return HookBackend().forward(model, inputs, visits, finish)
        spoilt = Visit("model.layers.2", "output", lambda hidden: hidden.roll(1, -1))
        return HookBackend().forward(model, inputs, [*visits, spoilt], finish)


def test_a_backend_that_does_not_put_back_what_it_found_is_found_out():
    worlds = [World("base"), World("source", Interchange().at(med.residual(1, at="subject")))]
    spoiling = Spoiling(lambda visits: any(visit.see.__name__ == "see" and visit.see.__closure__ for visit in visits))
    with pytest.raises(med.errors.BackendError, match="one plain forward pass alone goes on with"):
        run(decoder("llama"), worlds, backend=spoiling, checks=0)


def test_a_sample_of_rows_is_followed_by_plain_passes_without_a_cache():
    calls: list[int] = []
    first = float("inf")

    def late(visits: Sequence[Visit]) -> bool:
        calls.append(len(visits))
        return len(calls) > first

    worlds = [World("base"), World("source", Interchange().at(med.residual(1, at="subject")))]
    run(decoder("llama"), worlds, backend=Spoiling(late), batch_size=1, checks=0)
    first = len(calls) - 2 * N
    calls.clear()
    with pytest.raises(med.errors.BackendError, match="one plain forward pass alone goes on with"):
        run(decoder("llama"), worlds, backend=Spoiling(late), batch_size=1, checks=10)


def test_prompts_that_leave_no_room_are_refused_before_anything_runs():
    module = tiny_model("gpt2", vocab_size=60, n_positions=12, bos_token_id=None, eos_token_id=None)
    with pytest.raises(med.errors.DataError, match="max_new_tokens = 8, together more than the model's 12"):
        run(med.load(module), [World("base")])
