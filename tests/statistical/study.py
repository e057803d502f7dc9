"""The whole coverage study: writes its tables into docs/inference/coverage.md.

    python -m tests.statistical.study [--calls 100] [--studies 1000] [--only means,ratios,...] [--out FILE]

Each section is a list of cells that are simulated in processes of their own, one thread each. The seeds are fixed, so a
study of the same size gives the same tables.
"""

from __future__ import annotations

import argparse
import os
import re
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is loaded here and in the processes

import numpy as np  # noqa: E402

import mediation.inference.intervals._means as means  # noqa: E402
from mediation.errors import DegenerateWarning  # noqa: E402
from tests.statistical import (  # noqa: E402
    coverage,
    designs,
    donors,
    equivalence,
    families,
    hierarchy,
    probing,
    sections,
    two_way,
)
from tests.statistical.sections import Size, table  # noqa: E402

means.n_threads = lambda: 1
PAGE = Path(__file__).resolve().parents[2] / "docs" / "inference" / "coverage.md"
SIZES = (20, 50, 200)
METHODS = ("t", "normal", "percentile", "basic", "expanded-percentile", "bca", "classical bootstrap-t", "bootstrap-t")


def _share(value: float) -> str:
    return f"{value:.3f}"


def means_cell(args: tuple[str, int, Size]) -> list[str]:
    """One row of the table of means: coverage by method."""
    name, n, size = args
    family, row = families.BY_NAME[name], []
    for method in METHODS:
        floor, asked = method == "bootstrap-t", method.removeprefix("classical ")
        span = 1.0 if floor and "tern" in name else None  # as med.effects does for answers
        found = coverage.coverage_of_means(family, n, asked, calls=size.calls, floor=floor, span=span)
        misses = f" ({found.truth_above:.3f} / {found.truth_below:.3f})" if floor else ""
        row.append(f"{_share(found.share)}{misses}")
    price = coverage.coverage_of_means(family, n, "bonett-price", calls=size.calls) if "tern" in name else None
    return [name, *row, _share(price.share) if price else ""]


def means_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Coverage of nominal 95% intervals of means, by outcome family and method."""
    texts = []
    for n in SIZES:
        rows = run(means_cell, [(family.name, n, size) for family in families.FAMILIES])
        texts.append(f"n = {n}\n\n{table(['outcome', *METHODS, 'bonett-price'], rows)}")
    return "\n\n".join(texts)


def cluster_cell(args: tuple[int, float, Size]) -> list[str]:
    """One row of the table of clusters."""
    n_clusters, icc, size = args
    row = []
    for method, floor, label in (
        ("percentile", True, False), ("percentile", True, True), ("bca", True, True),
        ("expanded-percentile", True, True), ("t", True, True), ("bootstrap-t", False, True),
        ("bootstrap-t", True, True),
    ):  # fmt: skip

        def draw(rng: np.random.Generator, label: bool = label) -> tuple[np.ndarray, np.ndarray | None]:
            values, labels = families.clustered(rng, n_clusters, icc, coverage.STUDIES)
            return values, labels if label else None

        found = coverage.coverage_of_clusters(draw, method, calls=size.calls, floor=floor)
        row.append("no interval" if found.none == 1 else _share(found.share))
    return [f"J = {n_clusters}, ICC {icc:g}", *row]


def cluster_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Coverage of nominal 95% intervals of means of clustered units."""
    head = [
        "",
        "percentile, clusters left out",
        "percentile",
        "bca",
        "expanded-percentile",
        "t",
        "classical bootstrap-t",
    ]
    cells = [(n_clusters, icc, size) for n_clusters in (5, 10, 20, 50) for icc in (0.0, 0.1, 0.3, 0.6)]
    return table([*head, "bootstrap-t"], run(cluster_cell, cells))


def ratio_cell(args: tuple[str, int, Size]) -> list[str]:
    """One row of the table of ratios."""
    name, n, size = args
    answers = None
    if name.startswith("clusters"):
        strength, ratio = 1.5 if "strong" in name else 0.35, 0.5
        draw: Any = lambda rng: families.clustered_ratio(rng, n, strength, coverage.STUDIES)  # noqa: E731
    else:
        case = next(one for one in (*families.RATIOS, families.FEW_ANSWERS) if one.name == name)
        answers = case.answers
        draw, ratio = coverage.ratio_draw(case, n), case.ratio
    where, row = f"J = {n}" if name.startswith("clusters") else f"n = {n}", []
    for method in ("t", "bootstrap-t"):
        known = answers if method == "bootstrap-t" else None
        found, unbounded = coverage.coverage_of_ratios(draw, ratio, method=method, calls=size.calls, answers=known)
        row += [_share(found.share), f"{unbounded:.2f}"]
    return [name, where, *row]


def ratio_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Coverage of Fieller's sets."""
    cells = [(case.name, n, size) for case in (*families.RATIOS, families.FEW_ANSWERS) for n in SIZES]
    cells += [(f"clusters, {name}", n, size) for name in ("strong", "weak") for n in (10, 20, 50)]
    head = ["case", "", "Fieller, Student's t", "unbounded", "Fieller, bootstrap-t (default)", "unbounded"]
    return table(head, run(ratio_cell, cells))


def sites_cell(args: tuple[int, bool, int, Size]) -> list[str]:
    """One row of the table of many sites."""
    n, skew, effects, size = args
    found = coverage.family_wise_error(n, skew=skew, effects=effects, studies=size.studies)
    power = f"{found.power:.2f}" if effects else ""
    kind = "skewed" if skew else "normal"
    return [f"{kind}, n = {n}", str(effects), *map(_share, found[:3]), power]


def sites_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """False rejections over 200 sites."""
    cells = [(n, skew, effects, size) for effects in (0, 20) for n in SIZES for skew in (False, True)]
    head = ["units", "true effects", "bands", "step-down p", "pointwise intervals", "power of step-down p"]
    return table(head, run(sites_cell, cells))


def hierarchy_cell(args: tuple[str, int, bool, Size]) -> list[str]:
    """One row of the table of layers and sites."""
    truth, n, skewed, size = args
    found = hierarchy.rates(truth, n, skewed=skewed, n_studies=size.studies)
    kind = "skewed" if skewed else "normal"
    layers, heads = f"{found.layers_found:.2f}", f"{found.heads_found:.2f}"
    flat = f"{found.flat_layers_found:.2f}", f"{found.flat_heads_found:.2f}"
    return [truth, f"{kind}, n = {n}", _share(found.false_any), layers, heads, _share(found.flat_false), *flat]


def hierarchy_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Layers, then sites, against all sites at once."""
    head = ["truth", "units", "FWER", "layers found", "heads found", "flat: FWER", "flat: layers", "flat: heads"]
    cells = [(truth, n, skewed, size) for truth in hierarchy.TRUTHS for n in SIZES for skewed in (False, True)]
    return table(head, run(hierarchy_cell, cells))


def draws_cell(args: tuple[int, int, Size]) -> list[str]:
    """One row of the table of shared draws."""
    n, n_draws, size = args
    found = designs.crossed_coverage(n, n_draws, 100 * size.calls, np.random.default_rng(0))
    return [f"n = {n}, {n_draws} draws", *map(_share, found.values())]


def draws_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Draws that all units share."""
    cells = [(n, n_draws, size) for n in SIZES for n_draws in (3, 10)]
    return table(["", "two-way t", "draws averaged, units resampled"], run(draws_cell, cells))


def donors_cell(args: tuple[str, int, Size]) -> list[str]:
    """One row of the table of random donors: coverage, width and coverage of receivers alone, by number of draws."""
    name, n, size = args
    found = [donors.coverage(donors.BY_NAME[name], n, n_draws, 100 * size.calls) for n_draws in (1, 2, 8)]
    return [
        name,
        str(n),
        *(text for one in found for text in (_share(one.share), f"{one.width:.2f}", _share(one.alone))),
    ]


def donors_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Random donors at 1, 2 and 8 draws a unit."""
    cells = [(case.name, n, size) for case in donors.CASES for n in (20, 40, 100)]
    head = [name for draws in ("1 draw", "2 draws", "8 draws") for name in (draws, "width", "receivers only")]
    return table(["outcome", "n", *head], run(donors_cell, cells))


def crossed_cell(args: tuple[tuple[int, int], two_way.Case, Size]) -> list[str]:
    """One row of the table of clusters of two kinds."""
    where, case, size = args
    means = two_way.coverage_of_means(where, case, calls=size.calls)
    ratio, unbounded = two_way.coverage_of_ratios(where, case, calls=size.calls)
    shown = [f"{_share(one.share)} ({one.width:.2f})" for one in means.values()]
    return [f"{where[0]} x {where[1]}", case.name, *shown, f"{_share(ratio)} ({unbounded:.2f})"]


def crossed_flips_cell(args: tuple[tuple[int, int], float, Size]) -> list[str]:
    """One row of the table of rare flips in clusters of two kinds."""
    where, share, size = args
    found, bare, rare = two_way.coverage_of_flips(where, share, two_way.Case(0.2, 0.2), calls=size.calls)
    return [
        f"{where[0]} x {where[1]}", f"{share:g}", f"{_share(found.share)} ({found.width:.2f})", f"{rare:.2f}",
        _share(bare.share),
    ]  # fmt: skip


def crossed_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Clusters of two kinds: means and ratios, then rare flips."""
    names = ["two-way t", "t, items alone", "t, templates alone", "t, neither", "two-way Fieller (unbounded)"]
    cells = [(where, case, size) for where in two_way.SIZES for case in two_way.CASES]
    flips = [(where, share, size) for where in two_way.SIZES for share in (0.02, 0.05, 0.1, 0.3)]
    means = table(["items x templates", "effects", *names], run(crossed_cell, cells))
    head = ["items x templates", "share that flips", "default (width)", "given Bonett-Price", "two-way t alone"]
    return f"{means}\n\n{table(head, run(crossed_flips_cell, flips))}"


def groups_cell(args: tuple[str, Size]) -> list[str]:
    """One row of the table of two groups."""
    name, size = args
    found = designs.group_coverage(name, 100 * size.calls, np.random.default_rng(0))
    return [name, *map(_share, found.values())]


def groups_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Two independent groups."""
    return table(
        ["groups", "bootstrap-t", "t (Welch)", "percentile"], run(groups_cell, [(n, size) for n in designs.TWO_GROUPS])
    )


def equivalence_cell(args: tuple[float, Size]) -> list[tuple[str, int, float, float]]:
    """All sizes at one level."""
    alpha, size = args
    return list(equivalence.table(alpha=alpha, calls=size.calls))


def equivalence_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Size of the equivalence test, the default and the customary level."""
    half, whole = run(equivalence_cell, [(0.025, size), (0.05, size)])
    rows = [[a[0], str(a[1]), _share(a[2]), _share(b[2])] for a, b in zip(half, whole, strict=True)]
    return table(["effect on the margin", "n", "alpha = .025 (default)", "alpha = .05"], rows)


def probing_cell(args: tuple[str, int, str, str, int, Size]) -> list[str]:
    """One row of a table of similarity of states."""
    measure, n, tails, kind, per, size = args
    found = probing.coverage(measure, n, tails, kind, per, times=size.studies)
    where = f"n = {n}" if per == 1 else f"n = {n}, clusters of {per}"
    misses = f"{_share(found.share)} ({found.below:.3f} / {found.above:.3f})"
    row = [tails, kind, where, misses, f"{found.width:.2f}", _share(found.plain), f"{found.plain_width:.2f}"]
    return [*row, f"{found.warned:.2f}"] if measure == "effective rank" else row


def probing_table(size: Size, run: Callable[..., list[Any]]) -> str:
    """Effective rank, then centred cosines within units."""
    sizes = [(20, 1), (40, 1), (100, 1), (40, 2)]
    texts = []
    for measure, kinds, plain in (
        ("effective rank", list(probing.SPECTRA), "jackknife t"),
        ("intra centred cosine", list(probing.OWN), "jackknife t on Fisher's z"),
    ):
        cells = [(measure, n, t, s, per, size) for s in kinds for t in probing.TAILS for n, per in sizes]
        head = ["tails", "states", "", "default", "width", plain, "width"]
        rows = run(probing_cell, cells)
        texts.append(f"{measure}\n\n{table([*head, 'warned'] if len(rows[0]) > len(head) else head, rows)}")
    return "\n\n".join(texts)


SECTIONS: dict[str, Callable[[Size, Callable[..., list[Any]]], str]] = {
    "means": means_table,
    "clusters": cluster_table,
    "ratios": ratio_table,
    "sites": sites_table,
    "hierarchy": hierarchy_table,
    "draws": draws_table,
    "donors": donors_table,
    "crossed": crossed_table,
    "groups": groups_table,
    "equivalence": equivalence_table,
    "probing": probing_table,
    **sections.SECTIONS,
}


def written(page: str, section: str, text: str) -> str:
    """Return the page with `text` between the marks of `section`."""
    start, end = f"<!-- study: {section} -->", f"<!-- end: {section} -->"
    found = re.search(re.escape(start) + ".*?" + re.escape(end), page, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"The page has no marks for the section {section!r}.")
    return page[: found.start()] + f"{start}\n\n{text}\n\n{end}" + page[found.end() :]


def _quiet() -> None:
    """Samples without an interval are counted, not told of one by one."""
    warnings.simplefilter("ignore", DegenerateWarning)


def main() -> None:
    """Run the sections and write them into the page."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--calls", type=int, default=100, help="calls of 100 studies each")
    ask.add_argument("--studies", type=int, default=1000, help="studies of many sites")
    ask.add_argument("--only", default=",".join(SECTIONS))
    ask.add_argument("--out", type=Path, default=PAGE)
    ask.add_argument("--workers", type=int, default=os.cpu_count())
    args = ask.parse_args()
    page, size = args.out.read_text("utf-8"), Size(args.calls, args.studies)
    with ProcessPoolExecutor(args.workers, initializer=_quiet) as pool:
        for name in args.only.split(","):
            start = time.monotonic()
            text = SECTIONS[name](size, lambda function, cells: list(pool.map(function, cells)))
            page = written(page, name, text)
            args.out.write_text(page, "utf-8")
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
