"""How the p-values of a table are adjusted, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..account import is_two_way, screened_tests, section
from ..text import meaning_of
from ._abstract import AbstractKind

_BANDS = {  # what bands come from: how the bands and the adjusted p-values are called
    "max-t": ("max-t", "step-down max-t"),
    "Bonferroni t": ("Bonferroni's with Student's t", "Holm with Student's t"),
    "Bonferroni t, skewed": ("Bonferroni's with the t of skewed values", "Holm with the t of skewed values"),
}


def first_of_its_test(table: pd.DataFrame) -> pd.Series:
    """Return, for each row, the label of the row that stands for its test.

    An estimand that has the same estimate and p-value at every site, as TE has, is one test and not one a site.
    """
    first = table.index.to_series()
    for _, rows in table.groupby([name for name in ("outcome", "estimand") if name in table], sort=False):
        if len(rows.drop_duplicates(["estimate", "std_error", "p_value"])) == 1:
            first[rows.index] = rows.index[0]
    return first


def adjustment_note(kind: AbstractKind, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return the footnote that says how the p-values of all rows of `table` are adjusted; empty when they are not."""
    if "p_adjusted" not in table or table["p_adjusted"].isna().all():
        return ""
    stated = section(provenance, "adjustment")
    screened = screened_tests(provenance)
    if screened:
        return _screened_note(stated.get("method", "max-t"), screened)
    if not stated and not kind.banded:
        return ""
    shared = is_two_way(provenance)  # then the first bands are Bonferroni's
    method, family = stated.get("method", "holm" if shared else "max-t"), stated.get("family", "estimand")
    origin = _BANDS[stated.get("by") or _origin(table, provenance)]
    bands = "Bonferroni" if shared else origin[0]
    how = {
        "bh": "Benjamini-Hochberg (false discovery rate)",
        "holm": "Holm (family-wise error)",
        "max-t": f"{origin[1]} (family-wise error)",
    }[method]
    tests = table.loc[first_of_its_test(table).unique()]
    counts = tests["p_adjusted"].notna().groupby(tests["estimand"], sort=False).sum()
    said = f"p (adj.): {how} over the {_over(kind.rows_adjusted, family, counts)}"
    without = int(table["p_value"].isna().sum())
    if without:
        said += "; rows without a p-value are not counted"
    if kind.banded_later and "band_low" in table:
        said += "; band_low and band_high in tidy() are bands over the same rows" if method == "max-t" else ""
    elif "band_low" in table and method != "max-t":
        over = "all of them" if stated.get("bands") == "all" else "the sites of each estimand"
        said += f"; bands are {bands} over {over}"
    return f"{said}."


def _origin(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return what the bands of the table's first estimand but TE come from."""
    known = section(section(provenance, "inference"), "bands")
    found = [known[key] for key in dict.fromkeys(table["estimand"]) if key in known and key != "te"]
    return str(found[0]) if found else "max-t"


def _screened_note(method: str, tests: int) -> str:
    """Return the footnote of a sweep whose sites were chosen by the units that report them."""
    bands = (
        f"max-t over the scores of all {tests:,} sites, Bonferroni's t for as many, or max-t over the patched sites, "
        "whichever is widest"
    )
    if method == "max-t":
        return f"Bands and p (adj.): {bands}; so they account for choosing the sites by these same units."
    name = "Benjamini-Hochberg" if method == "bh" else "Holm"
    return f"p (adj.): {name} over {tests:,} sites, those that were not patched counted as p = 1; bands: {bands}."


def _over(rows: str, family: str, counts: pd.Series) -> str:
    if len(counts) == 1:
        return f"{int(counts.iloc[0]):,} {rows}"
    if family == "all":
        once = ", ".join(meaning_of(str(key)).symbol for key in counts.index[counts == 1])
        alike = f" ({once}, the same at every site, counts once)" if once and counts.max() > 1 else ""
        return f"{int(counts.sum()):,} tests of the table together{alike}"
    return f"{int(counts.max()):,} {rows} of each estimand"
