"""The command line: run the demo, show a saved result, draw it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any, final

import typer
from typer.core import TyperGroup

from ._checks import one_of, suggestion
from ._paths import check_local
from ._printable import printable
from .errors import DesignError, MediationError


@final
class _OneLine(TyperGroup):
    """Tells every error in one line on standard error, without a traceback; the exit code is never 0 then."""

    def main(self, *args: Any, **options: Any) -> Any:
        standalone_mode = options.pop("standalone_mode", True)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # an encoding that lacks a letter is no reason to fail
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().main(*args, **{**options, "standalone_mode": False})
        except Exception as error:
            if isinstance(error, ValueError) and "null byte" in str(error):
                _tell("A path holds a null byte. Give another path.")
                sys.exit(2)
            if not hasattr(error, "format_message"):  # of the words of the command itself
                raise
            place = getattr(getattr(error, "ctx", None), "command_path", "mediation")
            if message := error.format_message():  # none where the help was printed
                _tell(f"{message.rstrip('.')}. See '{place} --help'.")
            result = getattr(error, "exit_code", 2)
        if not standalone_mode:
            return result
        sys.exit(result if isinstance(result, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        with _plain_errors():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


app = typer.Typer(
    name="mediation",
    cls=_OneLine,
    help="Causal mediation analysis of neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_DEMOS = ("ioi", "lvr", "capimagine")
_FORMATS = ("png", "pdf", "svg", "jpg", "jpeg", "webp", "tif", "tiff", "eps", "ps")
_MOST_UNITS = 1_000_000
_PICTURES = ("decomposition", "forest", "heatmap", "dose", "compare", "equivalence", "interaction", "specification")


def _version(asked: bool) -> None:
    if asked:
        _say(f"mediation {version_of('mediation')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Causal mediation analysis of neural networks."""


@app.command()
def demo(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(_DEMOS)}.")] = "ioi",
    model: Annotated[str | None, typer.Option(help="Hub id or path; by default SmolLM2-135M-Instruct.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for tables, pictures and report.md.")] = Path("demo-output"),
    n: Annotated[
        int | None,
        typer.Option(min=1, max=_MOST_UNITS, help="Units; by default 28 pairs of sentences, or 100 pictures."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of pairs, draws and resamples.")] = 0,
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
    one_of(what, _DEMOS, what="demo")
    check_local(out, "--out")
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(13, "Nothing can be written there", str(out))
    if what == "ioi":
        run(model, out, n=28 if n is None else n, seed=seed, progress=not quiet, say=_say)
        return
    options = {"--out": str(out), "--seed": str(seed), "--n": n, "--model": model}
    given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    run_scripts(what, given, say=_say)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="A saved result, such as demo-output/effects.parquet.")],
    tidy: Annotated[bool, typer.Option("--tidy", help="The whole tidy table as CSV, instead of the summary.")] = False,
) -> None:
    """Print a saved result."""
    from .results import read

    effects = read(path)
    _say(effects.tidy().to_csv(index=False, lineterminator="\n") if tidy else str(effects.summary()))


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

    one_of(kind, _PICTURES, what="kind")
    check_local(out, "--out")
    suffix = out.suffix[1:].lower()
    if suffix not in _FORMATS:
        known = suggestion(suffix, _FORMATS)
        raise DesignError(f"--out {str(out)!r}: {out.suffix!r} is no format of pictures that can be written. {known}")
    effects = read(path)
    ax = pictures.heatmap(effects, estimand) if kind == "heatmap" else getattr(pictures, kind)(effects)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(out, dpi=160)
    _say(str(out))


def _say(text: str) -> None:
    typer.echo(printable(text))


def _tell(text: str) -> None:
    """Print an error in one line."""
    typer.secho(printable(" ".join(text.split())), err=True, fg=typer.colors.RED)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Print what goes wrong for a reason of the user's in one line, and exit with another code than 0."""
    try:
        yield
    except MediationError as error:
        _tell(f"{type(error).__name__}: {error}")
        raise typer.Exit(1) from error
    except BrokenPipeError as error:
        # What is still held for the reader would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _tell("Stopped: the reader of the output has closed it.")
        raise typer.Exit(1) from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _tell(f"{error.strerror or error}{where}. Give another path, or make this one readable and writable.")
        raise typer.Exit(1) from error
    except MemoryError as error:
        _tell("Out of memory. Ask for fewer units (--n), or for a smaller model.")
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        _tell("Interrupted.")
        raise typer.Exit(130) from error
