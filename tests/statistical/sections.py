"""Sections of the coverage study on what limits intervals and bands: imbalance, rare flips, few units, screens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.statistical import balance, bands, rare, screens
from tests.statistical.found import TAILS, row

Run = Callable[..., list[Any]]


@dataclass(frozen=True)
class Size:
    """How much is simulated: calls of 100 studies that share resamples, and studies one by one."""

    calls: int
    studies: int


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _with_widths(methods: tuple[str, ...]) -> list[str]:
    return [text for method in methods for text in (method, "width")]


def clusters_cell(args: tuple[str, int, float, str, Size]) -> list[str]:
    """One row of the table of unequal clusters."""
    kind, j, icc, tails, size = args
    effective, found = balance.clusters(kind, j, icc, tails, calls=size.calls)
    return [f"J = {j}, {kind}", f"{effective:.1f}", f"{icc:g}", tails, *row(found, balance.METHODS)]


def weights_cell(args: tuple[float, int, str, Size]) -> list[str]:
    """One row of the table of unequal weights."""
    sigma, n, tails, size = args
    effective, found = balance.weighted(sigma, n, tails, calls=size.calls)
    return [f"n = {n}, weights lognormal({sigma:g})", f"{effective:.1f}", tails, *row(found, balance.METHODS)]


def unequal_table(size: Size, run: Run) -> str:
    """Clusters of unequal size, then units of unequal weight."""
    tails = TAILS[:2]
    designs = [(kind, j) for kind in balance.SIZES for j in (6, 12, 20)]
    cells = [(*design, icc, t, size) for design in designs for icc in (0.0, 0.3, 0.6) for t in tails]
    head = _with_widths(balance.METHODS)
    first = table(["clusters", "effective", "ICC", "effects", *head], run(clusters_cell, cells))
    weights = [(sigma, n, t, size) for n in (20, 50) for sigma in (0.5, 1.0, 1.5) for t in tails]
    return f"{first}\n\n{table(['weights', 'effective', 'effects', *head], run(weights_cell, weights))}"


def flips_cell(args: tuple[str, Size]) -> list[str]:
    """One row of the table of rare flips."""
    name, size = args
    return [name, *row(rare.coverage(rare.BY_NAME[name], calls=size.calls), rare.METHODS, given=True)]


def flips_table(size: Size, run: Run) -> str:
    """Rare flips of answers."""
    head = [text for method in rare.METHODS for text in (f"{method}: interval", "coverage", "width")]
    return table(["flips", *head], run(flips_cell, [(case.name, size) for case in rare.CASES]))


def screens_cell(args: tuple[int, str, float, Size]) -> list[str]:
    """One row of the table of screens."""
    n, tails, noise, size = args
    found = screens.screened(n, tails, noise, studies=size.studies)
    scores = f"effects + noise, sd {noise:g}" if noise else "the effects"
    return [tails, str(n), scores, *(f"{one:.3f}" for one in found[:3]), f"{found.width:.2f}"]


def screens_table(size: Size, run: Run) -> str:
    """Bands after a screen."""
    cells = [(n, tails, noise, size) for tails in TAILS for n in (20, 50, 100) for noise in (0.0, 1.0)]
    head = ["effects", "n", "scores", "default", "Bonferroni t or max-t over the chosen", "max-t over the chosen"]
    return table([*head, "width of the default over the second"], run(screens_cell, cells))


def bands_cell(args: tuple[int, int, str, Size]) -> list[str]:
    """Three columns of the table of bands."""
    n, sites, tails, size = args
    found = bands.bands(n, sites, tails, studies=size.studies)
    return [f"{found.error:.3f}", f"{found.reach:.1f}", f"{found.over_bonferroni:.2f}"]


def bands_table(size: Size, run: Run) -> str:
    """Bands of few units or clusters."""
    where = [(n, sites) for n in (5, 6, 8, 12, 20, 50) for sites in (10, 90, 270)]
    found = run(bands_cell, [(n, sites, tails, size) for n, sites in where for tails in TAILS])
    rows = [
        [str(n), str(sites), *found[3 * k], *found[3 * k + 1], *found[3 * k + 2]] for k, (n, sites) in enumerate(where)
    ]
    head = [text for tails in TAILS for text in (f"{tails}: error", "reach", "over Bonferroni's")]
    return table(["units or clusters", "sites", *head], rows)


def width_cell(args: tuple[str, str, Size]) -> list[str]:
    """One row of the table of widths."""
    design, tails, size = args
    found = bands.widths(design, tails, calls=size.calls)
    default, t = found["default"], found["t"]
    widths = [f"{default.width:.3f}", f"{default.median / t.median:.3f}"]
    capped = row(found, tuple(f"at most {cap:g} t" for cap in bands.CAPS))
    return [design, tails, f"{default.share:.3f}", *widths, *capped, f"{t.share:.3f}"]


def width_table(size: Size, run: Run) -> str:
    """Width of the default over Student's t."""
    head = ["default", "mean width over t", "of medians"]
    head += [text for cap in bands.CAPS for text in (f"critical values at most {cap:g} t", "mean width over t")]
    cells = [(design, tails, size) for design in bands.DESIGNS for tails in TAILS]
    return table(["units", "effects", *head, "Student's t"], run(width_cell, cells))


SECTIONS: dict[str, Callable[[Size, Run], str]] = {
    "unequal": unequal_table,
    "flips": flips_table,
    "screens": screens_table,
    "bands": bands_table,
    "width": width_table,
}
