"""The demo's study: a sweep, the decomposition at one site, and ablations there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypedDict, final

from .._paths import check_local
from ..analysis import ablate, doses, mediate
from ..errors import DegenerateWarning
from ..interventions import Constant, GaussianNoise, Mean, Swap, Zero
from ..outcomes import LogitDiff
from ..results import Effects
from ..sites import Site, attention, mlp, residual
from ..units import Pairs
from ._ioi import indirect_object_pairs, segments
from ._result import DemoResult
from ._weights import find_model

if TYPE_CHECKING:
    from ..models import Model

_N_DRAWS = 8
_SCALES = (0.25, 0.5, 1.0, 2.0)
# The token that predicts the answer. (At the changed token the first MLP carries everything: it reads the name.)
_PLACE = "end"
Say = Callable[[str], None]


@final
class _Options(TypedDict):
    """Arguments that every question of the demo shares."""

    rng: int
    progress: bool | None


def run(
    model: str | None = None,
    out: str | Path = "demo-output",
    *,
    n: int = 28,
    seed: int = 0,
    progress: bool | None = None,
    say: Say = print,
) -> DemoResult:
    """Run the demo and write its tables, pictures and report to `out`.

    Parameters
    ----------
    model
        Hub id or path; None for the default model (see `find_model`).
    out
        Folder; made if need be.
    n
        Pairs of sentences.
    seed
        Seed of pairs, draws and resamples.
    progress
        Show progress bars; None shows them on a terminal.
    say
        Called with each table and headline.

    Raises
    ------
    DataError
        If the tokenizer does not allow `n` aligned pairs.
    BackendError
        If there are no weights.
    """
    from ._report import write_report

    began = perf_counter()
    check_local(out, "out")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    loaded = find_model(model)
    pairs = make_pairs(loaded, n=n, seed=seed)
    answer, foil = pairs.table["answer"][0], pairs.table["foil"][0]
    say(f"{loaded!r}\n{len(pairs)} pairs of sentences, such as\n  clean      {pairs.source[0]!r}")
    say(f"  corrupted  {pairs.base[0]!r}\n  outcome    logit({answer!r}) - logit({foil!r})\n")
    outcome, options = LogitDiff("answer", "foil"), _Options(rng=seed, progress=progress)
    with _quiet():
        say("1. Residual stream, every layer and segment, both directions of patching")
        sweep = mediate(loaded, pairs, residual(at="spans"), outcome, **options)
        say(f"\n{sweep.summary()}\n")
        say("2. Attention and MLP outputs of every layer, at the last token: clean into corrupted alone")
        parts = attention(at=_PLACE) | mlp(at=_PLACE)
        components = mediate(loaded, pairs, parts, outcome, estimands=["te", "pnie"], **options)
        site = strongest(components)
        say(f"\n{components.summary()}\n")
        say(f"3. The whole decomposition at the strongest component, {site}")
        effects = mediate(loaded, pairs, site, outcome, ablation=Mean(over="tokens"), **options)
        say(f"\n{effects.summary()}\n")
        say(f"4. Ablations of {site} in the clean sentence")
        ablation = ablate(loaded, pairs, _arms(site, pairs), outcome, n_draws=_N_DRAWS, **options)
        say(f"\n{ablation.summary()}\n")
    result = DemoResult(sweep, components, effects, ablation, folder)
    save(result)
    write_report(result, pairs, seconds=perf_counter() - began)
    say(
        f"Tables and pictures are in {folder.resolve()}:\n  "
        + "\n  ".join(sorted(one.name for one in folder.iterdir()))
    )
    say(f"Begin with {folder / 'report.md'}. {perf_counter() - began:.0f} seconds in all.")
    return result


def make_pairs(model: Model, *, n: int, seed: int) -> Pairs:
    """Return indirect-object pairs for the model's tokenizer; cluster = template, spans = segments."""
    frame = indirect_object_pairs(model.tokenizer, n=n, seed=seed)
    spans = {name: (f"{name}_base", f"{name}_source") for name in segments()}
    return Pairs.from_frame(frame, base="corrupted", source="clean", cluster="template", spans=spans)


def strongest(components: Effects) -> Site:
    """Return the site with the largest pure indirect effect in absolute value."""
    table = components.tidy()
    rows = table[table["estimand"] == "pnie"]
    best = rows.iloc[int(rows["estimate"].abs().to_numpy().argmax())]
    build = attention if str(best["site"]).startswith("attention") else mlp
    site = build(int(best["layer"]), at=str(best["position"]))
    assert isinstance(site, Site)
    return site


def save(result: DemoResult) -> None:
    """Write tables and pictures."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from .. import plot

    for name in ("sweep", "components", "effects", "ablation"):
        getattr(result, name).save(result.out / f"{name}.parquet")
    pictures: dict[str, tuple[Callable[..., Any], Effects]] = {
        "heatmap": (plot.heatmap, result.sweep),
        "decomposition": (plot.decomposition, result.effects),
        "ablation": (plot.forest, result.ablation),
    }
    with mpl.rc_context({"savefig.dpi": 160}):
        for name, (draw, effects) in pictures.items():
            ax = None
            if name == "heatmap":  # wide enough for the words of every segment to lie flat
                _, ax = plt.subplots(figsize=(10.0, 6.0), layout="constrained")
            figure = draw(effects, ax=ax).get_figure()
            figure.savefig(result.out / f"{name}.png")
            plt.close(figure)


def _arms(site: Site, pairs: Pairs) -> dict[Any, Any]:
    noise = doses(
        lambda scale: GaussianNoise(scale, relative=True).at(site), _SCALES, name="Gaussian noise (x its own sd)"
    )
    arms: dict[Any, Any] = {
        "zero": Zero().at(site),
        "mean": Mean(over="tokens").at(site),
        "constant (0.1)": Constant(0.1).at(site),
        **noise,
        "swap (other sentence)": Swap("derangement").at(site),
    }
    if pairs.table["template"].value_counts().min() > 1:
        arms["swap (same template)"] = Swap("matched", column="template").at(site)
    return arms


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out warnings of cells that cannot have an interval; the report counts them instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        yield
