"""Numerics 1: what a fixed small study gives, from closed forms; and what a stored run is refused by.

A test of the first half that fails means that numbers of an unchanged study have changed. If that is meant, raise
`NUMERICS` in mediation/engine/checkpoint/_code.py and state the new numbers here: runs begun before are then refused,
instead of continued with half of the values of each kind.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import mediation as med
from mediation.engine import Execution, HookBackend, World, make_study
from mediation.engine.checkpoint._code import NUMERICS
from mediation.engine.checkpoint._fingerprint import fingerprint, weights_digest
from mediation.engine.checkpoint._identity import IDENTITY_VERSION, identity_of
from mediation.engine.checkpoint._store import PIECES, STUDY
from mediation.interventions._code import meaning
from mediation.models._tensors import settings_of
from tests.engine.studies import finish

SEED, SITE = 3, med.Site("h")
BASE = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 10], [-1, 0, 2]], dtype=torch.float32)
SOURCE = 8 * BASE + torch.tensor([1.0, 0.0, -1.0])
WEIGHTS = torch.tensor([1.0, 2.0, 4.0])


class Weighted(nn.Module):
    """Y = h1 + 2 h2 + 4 h3, where h is the input: sums of small whole numbers, exact in float32."""

    def __init__(self):
        super().__init__()
        self.h = nn.Identity()

    def forward(self, x):
        return (self.h(x) * WEIGHTS).sum(-1, keepdim=True)


def y(h):
    return (h.double() @ WEIGHTS.double()).tolist()


def one_cycle():
    """Sattolo's permutation for draw 0, as `Swap` says: seeded by (seed, 2, draw)."""
    rng, order = np.random.default_rng(np.random.SeedSequence((SEED, 2, 0))), list(range(4))
    for i in range(3, 0, -1):
        j = int(rng.integers(0, i))
        order[i], order[j] = order[j], order[i]
    return order


def normal(unit):
    """The noise of a unit in draw 0 and stream 0: seeded by (seed, 1, unit, draw, stream)."""
    state = np.random.SeedSequence((SEED, 1, unit, 0, 0)).generate_state(1, np.uint64)[0]
    return torch.randn(3, generator=torch.Generator().manual_seed(int(state >> np.uint64(1))))


def with_first(h, first):
    return torch.cat([first[:, None], h[:, 1:]], dim=1)


NUMBERS = {
    "plain": (None, y(BASE)),
    "interchange": (med.Interchange(), y(SOURCE)),
    "zero": (med.Zero(), [0.0] * 4),
    "constant": (med.Constant(2.0), [14.0] * 4),
    "add": (med.Add([1.0, 0.0, -1.0]), y(BASE + torch.tensor([1.0, 0.0, -1.0]))),
    "scale": (med.Scale(3.0), y(3 * BASE)),
    "mean": (med.Mean(), y(BASE.mean(0).expand(4, 3))),
    "blend": (med.Blend(med.Zero(), 0.25), y(0.75 * BASE)),
    "masked": (med.Masked(med.Zero(), [True, False, False]), y(with_first(BASE, torch.zeros(4)))),
    "then": (med.Add(1.0) >> med.Scale(2.0), y(2 * (BASE + 1))),
    "subspace": (med.Subspace([[1.0, 0.0, 0.0]], med.Interchange()), y(with_first(BASE, SOURCE[:, 0]))),
    "swap": (med.Swap(), y(BASE[one_cycle()])),
    "index": (med.Swap("index", index=(1, 0, 3, 2)), y(BASE[[1, 0, 3, 2]])),
    "noise": (med.GaussianNoise(0.5), y(BASE + 0.5 * torch.stack([normal(unit) for unit in range(4)]))),
}


@pytest.mark.parametrize("case", NUMBERS)
@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
def test_the_numbers_of_numerics_1(case, backend):
    assert NUMERICS == 1
    what, expected = NUMBERS[case]
    world = World("base", None if what is None else what.at(SITE))
    model, pairs = med.load(Weighted()), med.Pairs(base=BASE, source=SOURCE)
    found = finish(model, pairs, [world], med.testing.first_output, seed=SEED, backend=backend).values[0, :, 0]
    assert found.tolist() == pytest.approx(expected, abs=0 if case != "noise" else 2e-6)


def stored(folder):
    model, pairs = med.load(Weighted()), med.Pairs(base=BASE, source=SOURCE)
    world = World("base", med.Scale(3.0).at(SITE))
    return finish(model, pairs, [world], med.testing.first_output, seed=SEED, backend="hooks", out=folder)


def rewrite(folder, **changes):
    from mediation.engine.checkpoint._identity import digest_of

    account = json.loads((folder / STUDY).read_text())
    account["identity"] |= changes
    account["digest"] = digest_of(account["identity"])
    (folder / STUDY).write_text(json.dumps(account))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"numerics": 0}, "numerics 0 then, 1 now"),
        ({"code of mediation": "of another"}, "its code was edited since"),
        ({"format": IDENTITY_VERSION - 1}, "another version of mediation"),
    ],
)
def test_other_numerics_are_refused(tmp_path, changes, words):
    expected = stored(tmp_path).values
    assert stored(tmp_path).values.tobytes() == expected.tobytes()
    rewrite(tmp_path, **changes)
    before = (tmp_path / PIECES).read_bytes()
    with pytest.raises(med.errors.DesignError, match=words):
        stored(tmp_path)
    assert (tmp_path / PIECES).read_bytes() == before


ONE = '''
class A:
    """Says something."""

    def double(self, x):
        """Return twice x."""
        # by two
        return x * 2
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Says something.", "Says another thing.", True),
        ('    """Says something."""\n', "", True),
        ("        # by two\n", "", True),
        ("x * 2", "(x\n            * 2)", True),
        ("x * 2", "x * 2  # twice", True),
        ("x * 2", "x * 3", False),
        ("x * 2", "2 * x", False),
        ("return x * 2", "return str(x * 2)", False),
        ("def double(self, x)", "def double(self, x, y=1)", False),
    ],
)  # fmt: skip
def test_what_code_means(old, new, same):
    assert old in ONE
    assert (meaning(ONE.replace(old, new)) == meaning(ONE)) == same


def test_a_file_with_other_comments_is_the_same_package(tmp_path):
    """The digest of a copy of the package, comments and docstrings changed, and then one number."""
    package = Path(med.__file__).parent
    copy = tmp_path / "mediation"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def digest():
        command = "import mediation.engine.checkpoint._code as code; print(code.package_code())"
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    before, file = digest(), copy / "interventions" / "_affine.py"
    text = file.read_text()
    file.write_text("# a remark\n" + text.replace('"""', '"""Well: ', 1).replace("\n\n", "\n\n\n"))
    assert digest() == before
    file.write_text(text.replace('what="Scale")', 'what="Scale") * 1.5'))
    assert digest() != before


def function(source, name="clip", **known):
    """A function of a file of the user's own."""
    import linecache

    file = f"<{hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = {"__name__": "users_own", **known}
    exec(compile(source, file, "exec"), space)
    return space[name]


CLIP = "def clip(hidden, limit=3.0):\n    return hidden.clamp(-limit, limit)\n"


def test_an_intervention_of_the_user_is_its_code():
    plain = fingerprint(med.intervention(function(CLIP))(), "it")
    commented = CLIP.replace("):\n", "):\n    '''Clip it.'''\n    # within limits\n")
    assert fingerprint(med.intervention(function(commented))(), "it") == plain
    assert fingerprint(med.intervention(function(CLIP.replace("-limit", "0")))(), "it") != plain
    assert fingerprint(med.intervention(function(CLIP))(limit=2.0), "it") != plain


def test_lambdas_of_one_line_are_two():
    double, triple = (lambda hidden: hidden * 2), (lambda hidden: hidden * 3)
    assert fingerprint(double, "it") != fingerprint(triple, "it")


OWN = """
class Base:
    def __call__(self, x):
        return x * FACTOR
class Own(Base):
    pass
"""


def test_an_object_is_the_code_of_its_classes_and_what_they_read():
    before = fingerprint(function(OWN, "Own", FACTOR=2.0)(), "it")
    assert fingerprint(function(OWN, "Own", FACTOR=2.0)(), "it") == before
    assert fingerprint(function(OWN, "Own", FACTOR=3.0)(), "it") != before


class Adapted(nn.Module):
    """A linear map with an adapter that can be switched off, scaled or merged."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.base, self.scale, self.active, self._merged = nn.Linear(3, 2), 0.5, True, ()
        self.calls = 0

    @property
    def merged_adapters(self):
        return self._merged

    def forward(self, x):
        self.calls += 1
        return self.base(x) * (1 + self.scale * self.active)


def identity(module):
    model = med.Model(module)
    study = make_study(model, med.Pairs(base=BASE), [World("base")], med.testing.first_output, seed=0)
    return identity_of(study, Execution(backend=HookBackend()))


CHANGES = {
    "switched off": lambda module: setattr(module, "active", False),
    "scaled": lambda module: setattr(module, "scale", 0.25),
    "merged": lambda module: setattr(module, "_merged", ("default",)),
    "training": lambda module: module.train(),
    "one part training": lambda module: module.base.train(),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_state_of_adapters_and_the_mode_belong_to_the_model(case):
    module = Adapted().eval()
    before, digest = settings_of(module), med.Model(module).digest
    module(BASE)  # a counter is no setting
    assert settings_of(module) == before
    CHANGES[case](module)
    assert settings_of(module) != before
    assert med.Model(module).digest != digest


def test_settings_are_in_the_identity():
    module = Adapted().eval()
    before = identity(module)
    module.active = False
    after = identity(module)
    assert [name for name in before if before[name] != after[name]] == ["model.settings"]


class Repacking(nn.Linear):
    """Like a quantised map whose `state_dict` repacks its weights."""

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        raise AssertionError("state_dict was called")


class Buffers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Repacking(3, 1)
        self.tied = self.first
        self.register_buffer("kept", torch.ones(3))
        self.register_buffer("frequencies", torch.ones(3), persistent=False)

    def forward(self, x):
        return self.tied(x * self.kept * self.frequencies)


def test_digests_ask_no_module_for_its_state():
    torch.manual_seed(0)
    module = Buffers().eval()
    digests = weights_digest(module), med.Model(module).digest
    pairs = med.Pairs(base=BASE, source=SOURCE)
    med.plan_sweep(module, pairs, med.Site("first"), med.testing.first_output)
    finish(med.load(module), pairs, [World("base", med.Zero().at(med.Site("first")))], med.testing.first_output)
    assert (weights_digest(module), med.Model(module).digest) == digests
    for tensor in (module.first.weight, module.kept, module.frequencies):
        with torch.no_grad():
            tensor.view(-1)[0] += 1
        assert weights_digest(module) != digests[0]
        assert med.Model(module).digest != digests[1]
        with torch.no_grad():
            tensor.view(-1)[0] -= 1


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_weights_that_torch_packs_count():
    def packed(seed):
        torch.manual_seed(seed)
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)).eval(), {nn.Linear})

    assert weights_digest(packed(0)) == weights_digest(packed(0))
    assert weights_digest(packed(0)) != weights_digest(packed(1))
