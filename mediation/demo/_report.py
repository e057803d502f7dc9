"""The demo's report: what was asked, what was found, in plain words, with every number from the tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..results import Effects
from ..results.text import print_row
from ..units import Pairs
from ._result import DemoResult


def write_report(result: DemoResult, pairs: Pairs, *, seconds: float) -> None:
    """Write ``report.md`` beside the tables and pictures."""
    parts = [
        _question(pairs, result.sweep),
        _sweep(result.sweep),
        _decomposition(result),
        _ablation(result.ablation),
        _provenance(result, seconds),
    ]
    (result.out / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _question(pairs: Pairs, sweep: Effects) -> str:
    known = sweep.provenance
    te = _row(sweep, "te", None)
    return f"""# Who gets the drink? Causal mediation in {known["model"]["architecture"]}

The model reads a sentence such as

> {pairs.source[0]} ...

and should go on with "{pairs.table["answer"][0]}". In the corrupted twin the second mention is the other name:

> {pairs.base[0]} ...

so that the right answer is "{pairs.table["foil"][0]}". **Outcome**: the logit of the clean sentence's answer minus the
logit of the other name. **Units**: {known["pairs"]["n"]} pairs from {known["pairs"]["n_clusters"]} sentence templates;
sentences of one template are not independent, so whole templates are resampled and all intervals are for new templates.
**Base** is the corrupted sentence (0), **source** the clean one (1).

Going from corrupted to clean moves the outcome by {_said(te)}: the **total effect**."""


def _sweep(sweep: Effects) -> str:
    pnie = _estimand(sweep, "pnie")
    found = pnie[(pnie["band_low"] > 0) | (pnie["band_high"] < 0)]
    fixed = pnie[(pnie["estimate"] == 0) & pnie["std_error"].isna()]
    lines = "\n".join(
        f"- {_segment_line(found, position)}"
        for position in dict.fromkeys(pnie["position"])
        if (found["position"] == position).any()
    )
    return f"""## Where the information is: the residual stream

![heat map](heatmap.png)

Each cell: the corrupted sentence runs, and the residual stream after one layer at one segment is replaced by that of
the clean sentence (denoising). The colour is the pure natural indirect effect (PNIE). {len(found)} of {len(pnie)} cells
have a simultaneous 95% band that excludes 0: over the whole map, false marks are expected in at most one study of
twenty. They are at

{lines or "- none"}

{len(fixed)} cells are exactly 0 by construction and have no interval: they lie before the first token in which the two
sentences differ, where a causal model cannot know which one it reads, or in the last block at a token that is not read.
At the changed token the early layers
carry everything, and at the last token the last layers do: that much follows from the design. What is found, not
given, is the layers at which the one hands over to the other."""


def _segment_line(found: pd.DataFrame, position: str) -> str:
    rows = found[found["position"] == position]
    best = rows.iloc[int(rows["estimate"].abs().to_numpy().argmax())]
    layers = sorted(int(layer) for layer in rows["layer"])
    return (
        f"**{position}**: layers {_runs(layers)}; the largest at layer {int(best['layer'])}, {_said(best)} "
        f"(band {_interval(best['band_low'], best['band_high'])})"
    )


def _decomposition(result: DemoResult) -> str:
    effects = result.effects
    rows = {key: _row(effects, key, None) for key in ("te", "pnde", "pnie", "tnie", "int_med", "cde", "pe", "pm")}
    site, pm = rows["te"]["site"], rows["pm"]
    n_components = _estimand(result.components, "pnie").shape[0]
    band = _row(result.components, "pnie", site)
    share = print_row(pm["estimate"], pm["std_error"], pm["conf_low"], pm["conf_high"], method=pm["method"]).interval
    return f"""## How much goes through one component: {site}

![decomposition](decomposition.png)

Of the {n_components} attention and MLP outputs (every layer, at the last token), `{site}` has the
largest indirect effect. It was chosen on these same pairs, so its own interval is a little too hopeful; the
simultaneous band over all {n_components} is not: {_interval(band["band_low"], band["band_high"])}.

{effects.summary().as_markdown()}

In words: of a total effect of {_said(rows["te"])},

- putting only this component's clean output into the corrupted sentence gives {_said(rows["pnie"])} (PNIE);
- taking it away from the clean sentence, by putting in the corrupted output, costs {_said(rows["tnie"])} (TNIE);
- the two differ by {_said(rows["int_med"])} (INTmed): {_interaction(rows["int_med"])};
- everything that does not pass through it gives {_said(rows["pnde"])} (PNDE), and {_said(rows["cde"])} with the
  component held at its mean in both sentences (CDE);
- the proportion mediated, TNIE / TE, is {pm["estimate"]:.2f}, Fieller set {share}."""


def _interaction(row: pd.Series[Any]) -> str:
    if row["conf_low"] <= 0 <= row["conf_high"]:
        return "not told from 0 here, so the data do not show that the component's work depends on the rest"
    return "what the component does depends on the rest of the sentence"


def _ablation(ablation: Effects) -> str:
    table = ablation.tidy()
    lost = table.iloc[int(table["estimate"].abs().to_numpy().argmax())]
    dose = f" at dose {lost['dose']:g}" if pd.notna(lost["dose"]) else ""
    return f"""## What the clean sentence loses without it

![ablations](ablation.png)

There is no second input here, so these are ablation effects, neither direct nor indirect: the outcome as it is, minus
the outcome with the component replaced. Noise and swaps are averaged over
{int(table["n_draws"].max())} draws within each sentence.

{ablation.summary().as_markdown()}

The largest is {lost["arm"]}{dose}: {_said(lost)}. Where the arms disagree, the answer hangs on what "without it" means;
zero and constant put the model where it has never been, the mean and the swaps keep closer to what it has seen."""


def _provenance(result: DemoResult, seconds: float) -> str:
    known: dict[str, Any] = result.sweep.provenance
    model, plan, check = known["model"], known["plan"], known["checks"]
    inference = known["inference"]
    versions = ", ".join(f"{name} {number}" for name, number in known["versions"].items())
    return f"""## Provenance

- Model {model["id"]}: {model["architecture"]}, {model["n_layers"]} layers, {model["dtype"]} on {model["device"]},
  digest {model["digest"]}.
- Seed {known["seed"]}; {inference["method"]}, B = {inference["n_resamples"]:,}, level {inference["confidence_level"]}.
- Sweep: {plan["worlds"]} worlds in {plan["passes"]} forward passes ({plan["backend"]}, fan-out {plan["fan_out"]});
  {plan["null_rows"]} runs were not needed, because the patch would have changed nothing.
- Checks: patching {check["consistency"]["cells"]} cells with their own activations changed the outcome by at most
  {check["consistency"]["max_abs_difference"]:.1e}; {check["sample"]["cells"]} random cells, run again one by one,
  differed by at most {check["sample"]["max_abs_difference"]:.1e}.
- {versions}.
- {seconds:.0f} seconds.

The tables are `sweep.parquet`, `components.parquet`, `effects.parquet` and `ablation.parquet` (the numbers of every
sentence are in `*.units.parquet`, their origin in `*.json`): `mediation.read("sweep.parquet")`."""


def _estimand(effects: Effects, key: str) -> pd.DataFrame:
    table = effects.tidy()
    return table[table["estimand"] == key]


def _row(effects: Effects, key: str, site: str | None) -> pd.Series[Any]:
    rows = _estimand(effects, key)
    return (rows if site is None else rows[rows["site"] == site]).iloc[0]


def _said(row: pd.Series[Any]) -> str:
    interval = "no interval" if pd.isna(row["conf_low"]) else _interval(row["conf_low"], row["conf_high"])
    return f"{row['estimate']:.2f} {interval}"


def _interval(low: float, high: float) -> str:
    return f"[{low:.2f}, {high:.2f}]"


def _runs(numbers: list[int]) -> str:
    """Return numbers with runs shortened, such as ``0-3, 7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
