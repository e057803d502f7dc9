"""The command line: run the demo, show a saved result, draw it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ._checks import check_local, one_of
from ._errors import MediationError

app = typer.Typer(
    name="mediation",
    help="Causal mediation analysis of neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_DEMOS = ("ioi", "lvr", "capimagine")
_PICTURES = ("decomposition", "forest", "heatmap", "dose", "compare", "equivalence", "interaction", "specification")


@app.command()
def demo(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(_DEMOS)}.")] = "ioi",
    model: Annotated[str | None, typer.Option(help="Hub id or path; by default SmolLM2-135M-Instruct.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, pictures and report.md.")] = Path("demo-output"),
    n: Annotated[int | None, typer.Option(help="Units; by default 28 pairs of sentences, or 100 pictures.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of pairs, draws and resamples.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Run the main job on real weights (ioi), or a worked example on small models that were trained for it.

    ioi: sweep, decomposition, ablations and a report on a language model. lvr and capimagine: the study of latent and
    of written imagination, script by script (examples/lvr, examples/capimagine); --model names one of the small models.
    """
    from .demo import run, run_scripts

    if quiet:
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with _plain_errors():
        one_of(what, _DEMOS, what="demo")
        check_local(out, "--out")
        if what == "ioi":
            run(model, out, n=28 if n is None else n, seed=seed, progress=not quiet, say=typer.echo)
            return
        options = {"--out": str(out), "--seed": str(seed), "--n": n, "--model": model}
        given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
        run_scripts(what, given, say=typer.echo)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A saved result, such as demo-output/effects.parquet.")],
    tidy: Annotated[bool, typer.Option("--tidy", help="The whole tidy table as CSV, instead of the summary.")] = False,
) -> None:
    """Print a saved result."""
    from .results import read

    with _plain_errors():
        effects = read(path)
        typer.echo(effects.tidy().to_csv(index=False) if tidy else str(effects.summary()))


@app.command()
def plot(
    path: Annotated[Path, typer.Argument(help="A saved result.")],
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(_PICTURES)}.")] = "forest",
    out: Annotated[Path, typer.Option(help="Picture to write; its suffix is the format.")] = Path("figure.png"),
    estimand: Annotated[str, typer.Option(help="Estimand of a heat map.")] = "pnie",
) -> None:
    """Draw a saved result."""
    import matplotlib as mpl

    mpl.use("Agg")
    from . import plot as pictures
    from .results import read

    with _plain_errors():
        one_of(kind, _PICTURES, what="kind")
        check_local(out, "--out")
        effects = read(path)
        ax = pictures.heatmap(effects, estimand) if kind == "heatmap" else getattr(pictures, kind)(effects)
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.savefig(out, dpi=160)
        typer.echo(str(out))


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Print errors of this package as a sentence, without a traceback, and exit with code 1."""
    try:
        yield
    except MediationError as error:
        typer.secho(f"{type(error).__name__}: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
