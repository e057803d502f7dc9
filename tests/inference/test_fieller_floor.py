"""Critical values of a bootstrapped ratio are at least Student's at either end, whichever way the sample is skewed."""

from __future__ import annotations

import numpy as np
import pytest

from mediation.inference import Inference, ratio_intervals

B = 999


def skewed(sign: float, seed: int, n: int = 14) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    top = sign * (rng.exponential(1.0, n) ** 1.5 - 0.6)
    return top[:, None], rng.normal(5.0, 0.3, n)[:, None]


@pytest.mark.parametrize("weights", [None, np.linspace(1.0, 3.0, 14)], ids=["", "weights"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_set_holds_fiellers_own_at_both_ends(sign, weights):
    shorter = []
    for seed in range(8):
        pair = skewed(sign, seed)
        found, student, bare = (
            ratio_intervals(*pair, weights=weights, settings=settings)
            for settings in (
                Inference(n_resamples=B),
                Inference(method="t"),
                Inference(n_resamples=B, floor=False),
            )
        )
        slack = 1e-9 * abs(student.conf_high[0] - student.conf_low[0])
        assert found.conf_low[0] <= student.conf_low[0] + slack
        assert found.conf_high[0] >= student.conf_high[0] - slack
        # Without the floor, the end on the short tail's side lies inside Student's: there the floor decides.
        inside = (bare.conf_low[0] > student.conf_low[0], bare.conf_high[0] < student.conf_high[0])
        shorter.append(inside)
        for end, within in zip(("conf_low", "conf_high"), inside, strict=True):
            expected = student if within else bare
            assert getattr(found, end)[0] == pytest.approx(getattr(expected, end)[0], rel=1e-6), (seed, end)
    assert np.any(shorter, axis=0)[0 if sign > 0 else 1]  # the mirrored sample decides at the other end
