"""Simulated sweeps over layers and heads: errors and power of the hierarchical tests and of flat max-t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mediation.inference import Inference, hierarchical_max_t, mean_intervals

Floats = NDArray[np.float64]
N_LAYERS, N_HEADS = 12, 12


def complete_null(size: float) -> Floats:
    """No head has an effect."""
    return np.zeros((N_LAYERS, N_HEADS))


def strong_heads(size: float) -> Floats:
    """Two heads in each of three layers have an effect."""
    means = complete_null(size)
    means[[2, 2, 5, 5, 9, 9], [1, 7, 0, 4, 3, 11]] = size
    return means


def weak_layers(size: float) -> Floats:
    """All heads of three layers have a weak effect of one sign, 0.4 of a strong one."""
    means = complete_null(size)
    means[[2, 5, 9]] = 0.4 * size
    return means


def mixed_signs(size: float) -> Floats:
    """All heads of three layers have a weak effect, half of them of the other sign."""
    means = weak_layers(size)
    means[:, 1::2] *= -1
    return means


TRUTHS: dict[str, Callable[[float], Floats]] = {
    "no effect": complete_null,
    "2 heads in each of 3 layers": strong_heads,
    "all heads of 3 layers, weak": weak_layers,
    "the same, half with the other sign": mixed_signs,
}


@dataclass(frozen=True)
class Rates:
    """Shares over the studies: any false rejection of a layer, of a head, of either; true ones found, of those there.

    `flat` are those of step-down max-t over all heads, where a layer is found when one of its heads is.
    """

    false_layer: float
    false_head: float
    false_any: float
    layers_found: float
    heads_found: float
    flat_false: float
    flat_layers_found: float
    flat_heads_found: float
    n_studies: int


def units(rng: np.random.Generator, n: int, means: Floats, *, skewed: bool) -> Floats:
    """Effects of n units, (n, 144): unit variance, a fifth of it shared by the heads of a layer and a tenth by all."""

    def noise(*shape: int) -> Floats:
        return rng.exponential(size=shape) - 1.0 if skewed else rng.normal(size=shape)

    shared = np.sqrt(0.1) * noise(n, 1, 1) + np.sqrt(0.2) * noise(n, N_LAYERS, 1)
    return (means + shared + np.sqrt(0.7) * noise(n, N_LAYERS, N_HEADS)).reshape(n, -1)


def rates(
    truth: str, n: int, *, skewed: bool, n_studies: int, n_resamples: int = 999, alpha: float = 0.05, seed: int = 0
) -> Rates:
    """Simulate `n_studies` studies of n units; strong effects are 0.6 sqrt(50 / n) standard deviations."""
    means = TRUTHS[truth](0.6 * np.sqrt(50 / n))
    heads = means.ravel() != 0
    layer_of = np.repeat(np.arange(N_LAYERS), N_HEADS)
    layers = means.any(axis=1)
    rng = np.random.default_rng(seed)
    counts = np.zeros(8)
    for study in range(n_studies):
        values = units(rng, n, means, skewed=skewed)
        settings = Inference(n_resamples=n_resamples, seed=study)
        found = hierarchical_max_t(values, layer_of.tolist(), settings=settings)
        flat = mean_intervals(values, settings=settings, bands=True).p_adjusted <= alpha
        layer, head = found.group_p_adjusted <= alpha, found.column_p_adjusted <= alpha
        flat_layer = np.bincount(layer_of, weights=flat) > 0
        false = [layer[~layers].any(), head[~heads].any()]
        counts += [
            *false, any(false), _share(layer, layers), _share(head, heads),
            flat[~heads].any(), _share(flat_layer, layers), _share(flat, heads),
        ]  # fmt: skip
    return Rates(*(counts / n_studies).tolist(), n_studies)


def _share(rejected: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float(rejected[true].mean()) if true.any() else 0.0
