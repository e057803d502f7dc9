"""Results whose units were run on different inputs are not taken for paired unless that is said."""

import pytest
import torch

import mediation as med


class Half(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mediator = torch.nn.Identity()

    def forward(self, x):
        return self.mediator(x).sum(dim=1, keepdim=True) + 0.5 * x[:, :1]


@med.outcome
def first(output):
    return output[:, 0]


def run(seed):
    generator = torch.Generator().manual_seed(seed)
    base, source = torch.randn(12, 2, generator=generator), torch.randn(12, 2, generator=generator)
    pairs = med.Pairs(base=base, source=source)
    options = {"rng": 0, "n_resamples": 99, "progress": False, "estimands": ["te", "pnie"]}
    return med.mediate(med.load(Half()), pairs, med.Site("mediator"), first, **options)


def test_other_inputs_need_a_word_on_pairing():
    one, other = run(0), run(1)
    with pytest.raises(med.errors.DesignError, match="run on different inputs"):
        one.compare(other)
    assert "two independent groups" in str(one.compare(other, paired=False).summary()).lower()
    paired = one.compare(other, paired=True).tidy().set_index("estimand").loc["te"]
    difference = one.units["y11"] - one.units["y00"] - other.units["y11"] + other.units["y00"]
    assert paired["estimate"] == pytest.approx(difference.mean())


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")  # the same run twice: no difference at all
def test_the_same_inputs_are_paired_without_a_word():
    assert (run(0).compare(run(0)).tidy()["estimate"] == 0).all()
