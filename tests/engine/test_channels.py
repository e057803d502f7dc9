"""Units of modules that put channels first: axis 1, or refused where that cannot be told."""

import pytest
import torch
from torch import nn

import mediation as med
from mediation import Pairs, Site

QUICK = {"n_resamples": 99, "rng": 0, "progress": False}


@med.outcome
def second(output):
    return output.flatten(1)[:, 1] - output.flatten(1)[:, 0]


class Net(nn.Module):
    """A first part, and a rest that is linear in all that it gives."""

    def __init__(self, part, shape):
        super().__init__()
        torch.manual_seed(0)
        self.part = part
        with torch.no_grad():
            out = self.part(torch.zeros(2, *shape))
        self.rest = nn.Linear(out[0].numel(), 2)

    def forward(self, x):
        return self.rest(self.part(x).tanh().flatten(1))


class Block(nn.Module):
    """A residual block of two convolutions, whose last step is a sum."""

    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)

    def forward(self, x):
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + x).relu()


class Tokens(nn.Module):
    """A block on (rows, tokens, features)."""

    def __init__(self, features):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(features), nn.Linear(features, 12), nn.Linear(12, features)

    def forward(self, x):
        return x + self.down(self.up(self.norm(x)).relu())


class Patches(nn.Module):
    """Patches of a picture as tokens: (rows, tokens, features) from a convolution."""

    def __init__(self, size):
        super().__init__()
        self.projection = nn.Conv2d(1, 4, size, stride=size)

    def forward(self, x):
        return self.projection(x).flatten(2).transpose(1, 2)


def sequential(*parts):
    return nn.Sequential(*parts)


PICTURE, LINE, VOLUME = (3, 6, 6), (3, 7), (3, 4, 4, 4)
CHANNELS = {
    "conv1d": (nn.Conv1d(3, 5, 3), LINE, "part"),
    "conv2d": (nn.Conv2d(3, 5, 3), PICTURE, "part"),
    "conv2d of equal axes": (nn.Conv2d(3, 4, 3), PICTURE, "part"),
    "conv3d": (nn.Conv3d(3, 5, 2), VOLUME, "part"),
    "depthwise": (nn.Conv2d(3, 6, 3, groups=3), PICTURE, "part"),
    "transposed 1d": (nn.ConvTranspose1d(3, 5, 3), LINE, "part"),
    "transposed 2d": (nn.ConvTranspose2d(3, 5, 3), PICTURE, "part"),
    "batch norm 1d": (nn.BatchNorm1d(3), LINE, "part"),
    "batch norm 2d": (nn.BatchNorm2d(3), PICTURE, "part"),
    "batch norm 3d": (nn.BatchNorm3d(3), VOLUME, "part"),
    "instance norm": (nn.InstanceNorm2d(3), PICTURE, "part"),
    "group norm": (nn.GroupNorm(1, 3), PICTURE, "part"),
    "max pool": (nn.MaxPool2d(2), PICTURE, "part"),
    "average pool": (nn.AvgPool1d(2), LINE, "part"),
    "adaptive pool": (nn.AdaptiveAvgPool2d(2), PICTURE, "part"),
    "dropout of channels": (nn.Dropout2d(0.1), PICTURE, "part"),
    "upsampling": (nn.Upsample(scale_factor=2), PICTURE, "part"),
    "after a convolution": (sequential(nn.Conv2d(3, 4, 3), nn.GELU()), PICTURE, "part.1"),
    "in place": (sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)), PICTURE, "part.1"),
    "a sequence": (sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU()), PICTURE, "part"),
    "sequences": (sequential(sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), nn.Dropout(0.1)), PICTURE, "part"),
    "a residual block": (Block(3), PICTURE, "part"),
}  # fmt: skip


def by_hand(net, base, source, path, change):
    """y01, y10 by two plain passes: `change(base's activation, source's)` is put in."""
    module, seen, found = net.get_submodule(path), {}, []
    for run, x in (("base", base), ("source", source)):
        handle = module.register_forward_hook(lambda _, __, out, run=run: seen.update({run: out.clone()}))
        with torch.no_grad():
            net(x)
        handle.remove()
    for run, other, x in (("base", "source", base), ("source", "base", source)):
        handle = module.register_forward_hook(
            lambda _, __, out, run=run, other=other: change(seen[run].clone(), seen[other])
        )
        with torch.no_grad():
            out = net(x).flatten(1)
        handle.remove()
        found.append((out[:, 1] - out[:, 0]).tolist())
    return found


def asked(net, base, source, site, **more):
    done = med.mediate(net, Pairs(base=base, source=source), site, second, estimands=["pnie", "tnie"], **QUICK, **more)
    return done.units["y01"].tolist(), done.units["y10"].tolist()


@pytest.mark.parametrize("case", CHANNELS)
def test_a_channel_is_axis_1(case):
    part, shape, path = CHANNELS[case]
    net = Net(part, shape).eval()
    base, source = torch.randn(4, *shape), torch.randn(4, *shape)

    def change(own, other):
        own[:, [0, 2]] = other[:, [0, 2]]
        return own

    expected = by_hand(net, base, source, path, change)
    for backend in ("nnsight", "hooks", "reference"):
        found = asked(net, base, source, Site(path, units=(0, 2)), backend=backend)
        for one, wanted in zip(found, expected, strict=True):
            assert one == pytest.approx(wanted, abs=1e-5)


def test_each_channel_is_a_site_of_its_own():
    net = Net(nn.Conv2d(3, 5, 3), PICTURE).eval()
    base, source = torch.randn(3, *PICTURE), torch.randn(3, *PICTURE)
    done = med.mediate(
        net, Pairs(base=base, source=source), Site("part", units="each"), second, estimands="pnie", **QUICK
    )
    assert done.tidy()["site"].tolist() == [f"part.units[{i}]" for i in range(5)]
    with pytest.raises(med.errors.SiteError, match="there are 5 features"):
        asked(net, base, source, Site("part", units=(5,)))  # fmt: skip


def test_the_input_of_a_convolution_has_channels_first_too():
    net = Net(nn.Conv2d(3, 5, 3), PICTURE).eval()
    base, source = torch.randn(4, *PICTURE), torch.randn(4, *PICTURE)
    mixed = base.clone()
    mixed[:, 1] = source[:, 1]
    with torch.no_grad():
        out = net(mixed)
    found, _ = asked(net, base, source, Site("part", io="input", units=(1,)))
    assert found == pytest.approx((out[:, 1] - out[:, 0]).tolist(), abs=1e-5)


def test_a_vector_at_units_is_one_number_a_channel():
    net = Net(nn.Conv2d(3, 4, 3), PICTURE).eval()
    base = torch.randn(4, *PICTURE)

    def change(own, _):
        own[:, [0, 3]] += torch.tensor([1.0, -2.0])[:, None, None]
        return own

    expected = by_hand(net, base, base, "part", change)[0]
    arm = med.Add([1.0, -2.0]).at(Site("part", units=(0, 3)))
    found = med.ablate(net, Pairs(base=base), arm, second, **QUICK).units["ym"].tolist()
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("part", "path"), [(Tokens(8), "part"), (sequential(nn.Linear(8, 6), nn.ReLU()), "part.1")])
def test_features_of_tokens_stay_last(part, path):
    net = Net(part, (5, 8)).eval()
    base, source = torch.randn(4, 5, 8), torch.randn(4, 5, 8)

    def change(own, other):
        own[..., [1, 2]] = other[..., [1, 2]]
        return own

    expected = by_hand(net, base, source, path, change)
    found = asked(net, base, source, Site(path, units=(1, 2)))
    assert found[0] == pytest.approx(expected[0], abs=1e-5)
    assert found[1] == pytest.approx(expected[1], abs=1e-5)


class Swapped(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2) * 2


REFUSED = {
    "nothing says it": (sequential(Swapped()), (5, 8), "part"),
    "equal axes after a sum": (Block(6), (6, 6, 6), "part"),
    "patches as tokens": (Patches(3), (1, 6, 6), "part"),
    "as many patches as features": (Patches(3), (1, 6, 6), "part"),
    "a norm of several axes": (nn.LayerNorm([3, 6, 6]), PICTURE, "part"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_axis_that_cannot_be_told_is_refused(case):
    part, shape, path = REFUSED[case]
    net = Net(part, shape).eval()
    base, source = torch.randn(3, *shape), torch.randn(3, *shape)
    with pytest.raises(med.errors.SiteError, match=r"which of its axes holds features \(channels\) cannot be told"):
        asked(net, base, source, Site(path, units=(1,)))
    asked(net, base, source, Site(path))  # the whole activation needs no axis


def test_positions_of_channels_are_refused():
    net = Net(nn.Conv1d(3, 3, 3, padding=1), (3, 3)).eval()
    base, source = torch.randn(3, 3, 3), torch.randn(3, 3, 3)
    with pytest.raises(med.errors.SiteError, match="its axis 1 holds channels"):
        asked(net, base, source, Site("part", at=1))


def test_residual_units_of_a_language_model_stay_last_where_axes_are_equal():
    """16 features and 16 tokens: tokens come first."""
    model = med.load(med.testing.tiny_model("llama"))
    ids = [torch.randint(3, 200, (3, 16), generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    pairs = Pairs(base=ids[0], source=ids[1])
    done = med.mediate(model, pairs, med.residual(0, units=(3,)), med.LogitDiff(5, 6), estimands="pnie", **QUICK)
    seen = []
    block = model.module.model.layers[0]
    for x in ids:
        handle = block.register_forward_hook(lambda _, __, out: seen.append(out.clone()))
        with torch.no_grad():
            model.module(input_ids=x)
        handle.remove()
    seen[0][..., 3] = seen[1][..., 3]
    handle = block.register_forward_hook(lambda _, __, out: seen[0])
    with torch.no_grad():
        logits = model.module(input_ids=ids[0]).logits[:, -1]
    handle.remove()
    assert done.units["y01"].tolist() == pytest.approx((logits[:, 5] - logits[:, 6]).tolist(), abs=1e-5)
