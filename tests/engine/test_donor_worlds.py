"""Activations of patched worlds as donors, to any depth, against nested plain hooks."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import torch

import mediation as med
from mediation import GaussianNoise, Interchange, LogitDiff, Mean, Scale, Swap, World, Zero, attention, mlp, residual
from mediation.engine.oracle import _reference
from mediation.engine.plan._sample import ALONE
from mediation.engine.study import donor_units, noise
from mediation.interventions import Donor
from mediation.testing import FAMILIES, MIXTURES, first_output, tiny_model
from tests.engine.studies import finish, token_pairs, values
from tests.rollouts.replay import BASE, exact

PAIRS, OUTCOME, SEED = token_pairs((5, 7, 7, 9)), LogitDiff(5, 6), 3
FIRST, SECOND, THIRD = mlp(0, at="last"), attention(1, at="last"), residual(2, at="last")
RUNS = ("base", "source")


def inner(run: str, what=None) -> World:
    """M1 of the other input is put into `run`."""
    return World(run, (what or Interchange()).at(FIRST))


def outer(run: str, given: World) -> World:
    return World(run, Interchange(world=given).at(SECOND))


# ------------------------------------------------------------------------------------------------ nested plain hooks
class Hooked:
    """A decoder whose blocks' parts are read and replaced at the last token by hooks of this file alone."""

    def __init__(self, model: med.Model) -> None:
        self.model, self.places = model, {site: med.sites.resolve(site, model) for site in (FIRST, SECOND, THIRD)}

    @torch.no_grad()
    def run(self, run: str, unit: int, put=None, read=None):
        """Return the outcome, or the activation at `read`, with `put` (site -> function of what is there)."""
        seen = []
        with ExitStack() as stack:
            for site, change in (put or {}).items():
                stack.callback(self._hook(site, lambda h, change=change: change(h)).remove)
            if read is not None:
                stack.callback(self._hook(read, lambda h: seen.append(h.clone())).remove)
            ids = PAIRS.inputs(run)[unit][None]
            logits = self.model.module(ids).logits[0, -1]
        return seen[0] if read is not None else float(logits[5] - logits[6])

    def _hook(self, site, change):
        place = self.places[site]
        module = self.model.module.get_submodule(place.path)

        def after(_, args, output):
            tensor = output[0] if isinstance(output, tuple) else output
            flat = tensor.ndim == 2
            rows = tensor if flat else tensor[0]
            new = change(rows[-1])
            if new is None:
                return None
            rows = rows.clone()
            rows[-1] = new
            rows = rows if flat else rows[None]
            return (rows, *output[1:]) if isinstance(output, tuple) else rows

        assert place.io == "output"
        return module.register_forward_hook(after)


def replaced(value):
    return lambda _: value


def other(run: str) -> str:
    return RUNS[1 - RUNS.index(run)]


@pytest.mark.parametrize("family", [*(one for one in FAMILIES if "bert" not in one), *MIXTURES])
@pytest.mark.parametrize("fan_out", [True, False])
def test_a_mediator_of_a_mediator_is_that_of_nested_hooks(family, fan_out):
    """Y(x, M2(x', M1(x''))) for all eight combinations of base and source."""
    model = med.load(tiny_model(family, layers=3))
    hooked = Hooked(model)
    worlds, expected = [], []
    for run in RUNS:
        for within in RUNS:
            for what in (Interchange("base"), Interchange("source")):
                worlds.append(outer(run, inner(within, what)))
                row = []
                for unit in range(len(PAIRS)):
                    m1 = hooked.run(what.run, unit, read=FIRST)
                    m2 = hooked.run(within, unit, put={FIRST: replaced(m1)}, read=SECOND)
                    row.append(hooked.run(run, unit, put={SECOND: replaced(m2)}))
                expected.append(row)
    done = finish(model, PAIRS, worlds, OUTCOME, fan_out=fan_out)
    found = np.stack([done.of(world)[:, 0] for world in worlds])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert done.report["sample"]["cells"] == 3


@pytest.mark.parametrize("backend", ["hooks", "nnsight", "reference"])
def test_three_deep_and_beside_other_changes(backend):
    model = med.load(tiny_model("llama", layers=3, seed=1))
    hooked = Hooked(model)
    middle = World("source", Interchange(world=inner("base")).at(SECOND) | Scale(0.5).at(FIRST))
    world = World("base", Interchange(world=middle).at(THIRD))
    expected = []
    for unit in range(len(PAIRS)):
        m1 = hooked.run("source", unit, read=FIRST)
        m2 = hooked.run("base", unit, put={FIRST: replaced(m1)}, read=SECOND)
        m3 = hooked.run("source", unit, put={FIRST: lambda h: 0.5 * h, SECOND: replaced(m2)}, read=THIRD)
        expected.append(hooked.run("base", unit, put={THIRD: replaced(m3)}))
    found = finish(model, PAIRS, [world, World("base")], OUTCOME, backend=backend)
    np.testing.assert_allclose(found.of(world)[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_what_is_read_is_there_after_what_is_done_there():
    """A donor world that changes the very site gives the changed activation."""
    model = med.load(tiny_model("llama", layers=3))
    hooked = Hooked(model)
    world = World("base", Interchange(world=World("source", Scale(3.0).at(SECOND))).at(SECOND))
    expected = [
        hooked.run("base", unit, put={SECOND: replaced(3 * hooked.run("source", unit, read=SECOND))})
        for unit in range(len(PAIRS))
    ]
    np.testing.assert_allclose(values(model, PAIRS, [world], OUTCOME)[0, :, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_noise_and_random_donors_inside_keep_their_draws(batch_size):
    """Draw d of the outer world reads draw d of the inner one."""
    model = med.load(tiny_model("llama", layers=3))
    hooked, draws = Hooked(model), 3
    noisy = outer("source", World("base", GaussianNoise(0.5).at(FIRST)))
    swapped = outer("base", World("source", Swap(run="same").at(FIRST)))
    done = finish(model, PAIRS, [noisy, swapped], OUTCOME, seed=SEED, n_draws=draws, batch_size=batch_size)
    for draw in range(draws):
        donors = donor_units(Donor("same", "derangement"), PAIRS, seed=SEED, draw=draw)
        for unit in range(len(PAIRS)):
            drawn = 0.5 * noise((1, 16), seed=SEED, unit=unit, draw=draw, stream=0)[0]
            m2 = hooked.run("base", unit, put={FIRST: lambda h, drawn=drawn: h + drawn}, read=SECOND)
            expected = hooked.run("source", unit, put={SECOND: replaced(m2)})
            assert done.of(noisy)[unit, draw] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            m1 = hooked.run("source", int(donors[unit]), read=FIRST)
            m2 = hooked.run("source", unit, put={FIRST: replaced(m1)}, read=SECOND)
            expected = hooked.run("base", unit, put={SECOND: replaced(m2)})
            assert done.of(swapped)[unit, draw] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert len({*done.of(noisy)[0]}) == draws


def test_who_gave_inside_is_known_to_intervals():
    """Units depend on one another by who gave: the frame names the donor, as it does for a swap in the outer world."""
    model = med.load(tiny_model("llama", layers=3))
    arm = Interchange(world=World("source", Swap(run="same").at(FIRST))).at(SECOND)
    asked = {"run": "base", "rng": SEED, "n_draws": 2, "n_resamples": 49, "progress": False}
    units = med.ablate(model, PAIRS, arm, OUTCOME, **asked).units
    expected = med.ablate(model, PAIRS, Swap(run="same").at(FIRST), OUTCOME, **asked).units
    assert units["donor"].tolist() == expected["donor"].tolist()
    assert (units["donor"] >= 0).all()


@pytest.mark.parametrize("seed", range(4))  # the first cell that is drawn may be of either world
def test_a_mean_of_many_inside_takes_no_pass_for_each_unit(monkeypatch, seed):
    """The naive path takes captured activations for it, once some of them are seen to be right."""
    many, passes, call = token_pairs((5, 6) * 15), [], _reference.call
    world = outer("base", World("source", Mean(over="tokens").at(FIRST)))
    monkeypatch.setattr(_reference, "call", lambda *given: passes.append(1) or call(*given))
    done = finish(med.load(tiny_model("llama", layers=3)), many, [world], OUTCOME, seed=seed)
    assert done.report["sample"]["cells"] == 3
    assert len(passes) <= ALONE + 3 * 3 + 1 < len(many)


def test_a_mean_inside():
    model = med.load(tiny_model("gpt2", layers=3))
    hooked = Hooked(model)
    world = outer("base", World("source", Mean(over="tokens").at(FIRST)))
    mean = torch.stack([hooked.run("source", unit, read=FIRST) for unit in range(len(PAIRS))]).mean(0)
    expected = []
    for unit in range(len(PAIRS)):
        m2 = hooked.run("source", unit, put={FIRST: replaced(mean)}, read=SECOND)
        expected.append(hooked.run("base", unit, put={SECOND: replaced(m2)}))
    np.testing.assert_allclose(values(model, PAIRS, [world], OUTCOME)[0, :, 0], expected, rtol=1e-4, atol=1e-5)


def test_plain_modules():
    """Y = c(h2) with h1 = ax, h2 = bh1 + dx: the path through h1 alone, in numbers that can be worked out."""

    class Chain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Identity(), torch.nn.Identity()

        def forward(self, x):
            return 5 * self.second(3 * self.first(2 * x) + 7 * x) + 11 * x

    base, source = torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0], [30.0]])
    pairs = med.Pairs(base=base, source=source)
    world = World("base", Interchange(world=World("base", Interchange().at(med.Site("first")))).at(med.Site("second")))
    found = values(med.load(Chain()), pairs, [world], first_output)[0, :, 0]
    np.testing.assert_array_equal(found, (5 * (3 * 2 * source + 7 * base) + 11 * base)[:, 0])


def test_a_donor_that_nothing_was_done_to_is_the_plain_run():
    model = med.load(tiny_model("llama", layers=3))
    plain, same = World("source", Interchange("base").at(SECOND)), outer("source", World("base"))
    done = finish(model, PAIRS, [plain, same], OUTCOME)
    np.testing.assert_array_equal(done.of(plain), done.of(same))
    own = outer("source", World("source", Interchange("same").at(FIRST)))
    done = finish(model, PAIRS, [own, World("source")], OUTCOME)
    np.testing.assert_allclose(done.of(own), done.of(World("source")), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cut", [0, 2, 4, 7])
def test_a_run_that_is_continued_has_the_same_bits(tmp_path, cut):
    model = med.load(tiny_model("llama", layers=3))
    worlds = [outer(run, inner(within)) for run in RUNS for within in RUNS]
    whole = values(model, PAIRS, worlds, OUTCOME, batch_size=3)
    assert values(model, PAIRS, worlds, OUTCOME, batch_size=3, out=tmp_path).tobytes() == whole.tobytes()
    pieces = tmp_path / "pieces.jsonl"
    lines = pieces.read_bytes().splitlines(keepends=True)
    pieces.write_bytes(b"".join(lines[:cut]))
    again = finish(model, PAIRS, worlds, OUTCOME, batch_size=3, out=tmp_path)
    assert again.values.tobytes() == whole.tobytes()


def test_ablate_takes_them_and_a_sweep_is_priced_as_it_runs():
    model = med.load(tiny_model("llama", layers=3))
    arm = Interchange(world=inner("base")).at(SECOND)
    asked = (model, PAIRS, arm, OUTCOME)
    found = med.ablate(*asked, run="base", rng=0, n_resamples=49, progress=False)
    y = values(model, PAIRS, [outer("base", inner("base")), World("base")], OUTCOME)
    np.testing.assert_allclose(found.units["ym"], y[0, :, 0], rtol=1e-5, atol=1e-6)
    plan = med.ablate(*asked, run="base", rng=0, dry_run=True, calibrate=False)
    done = found.provenance["plan"]
    outcomes = sum(one.outcomes for kind, one in plan.passes.items() if kind in ("plain", "rows"))
    assert outcomes == done["rows"]


def test_words():
    world = inner("base")
    again = eval(repr(Interchange(world=world)), vars(med) | {"World": World})
    assert again == Interchange(world=world)
    assert hash(again) == hash(Interchange(world=world))
    with pytest.raises(med.errors.DesignError, match=r"Leave run out"):
        Interchange("base", world=world)
    with pytest.raises(med.errors.DesignError, match=r"a world is needed"):
        Interchange(world="base")
    with pytest.raises(med.errors.DesignError, match=r"Leave run and unit out"):
        Donor("base", world=world)


def test_what_cannot_be_run_is_refused_before_a_batch():
    model = med.load(tiny_model("llama", layers=3))
    ragged = med.Pairs(base=[torch.tensor([3, 4, 5])] * 2, source=[torch.tensor([3, 4, 5, 6])] * 2)
    world = World("base", Interchange(world=World("source", Zero().at(mlp(0)))).at(mlp(1)))
    with pytest.raises(med.errors.DataError, match="misaligned"):
        values(model, ragged, [world], OUTCOME)
    missing = World("base", Interchange(world=World("base", Zero().at(mlp(9)))).at(mlp(1)))
    with pytest.raises(med.errors.SiteError, match="9"):
        values(model, PAIRS, [missing], OUTCOME)
    alone = med.Pairs(base=PAIRS.inputs("base"))
    with pytest.raises(med.errors.DataError, match="source"):
        values(model, alone, [outer("base", World("source", Zero().at(FIRST)))], OUTCOME)
    spec = med.LatentSpec("w5", "w6", steps=2)
    with pytest.raises(med.errors.DesignError, match="a thought is rolled out"):
        med.ablate(exact(), med.Pairs(base=BASE), Interchange(world=world).at(med.latents()), OUTCOME, spec=spec, rng=0)
    with pytest.raises(med.errors.DesignError, match="what the worlds differ in"):
        med.mediate(model, PAIRS, SECOND, OUTCOME, donor=Interchange(world=world), rng=0)
