"""What holds for every figure."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mediation import plot
from mediation.errors import DesignError
from mediation.results import Effects
from tests.plot.artists import title
from tests.results.comparisons import make_comparison
from tests.results.equivalences import make_equivalence, make_power
from tests.results.interactions import make_interactions
from tests.results.results_factory import make_ablation, make_controls, make_effects, make_sweep
from tests.results.specification_factory import make_specification

LONG = (("attention(23, at='end')", "attention[23]@end", 3.6),)
TINY = make_sweep(layers=(0, 1), positions=(8,))
FEW, MANY = ("probability", "log probability"), tuple(f"choice {i} of 6" for i in range(6))
CASES = {
    "decomposition": (plot.decomposition, make_effects()),
    "decomposition unbounded": (plot.decomposition, make_effects(te=0.1, n=20, n_clusters=10)),
    "decomposition below 0": (plot.decomposition, make_effects(te=-2.0)),
    "forest": (plot.forest, make_effects()),
    "forest of a sweep": (plot.forest, make_sweep()),
    "forest of an ablation": (plot.forest, make_ablation()),
    "forest of long names": (plot.forest, make_ablation(sites=LONG, noise="Gaussian noise (x its own sd)")),
    "forest of controls": (plot.forest, make_controls()),
    "forest of controls at sites": (plot.forest, make_controls(estimands=("pnie", "tnie"), sites=("mlp[3]", "mlp[4]"))),
    "heatmap": (plot.heatmap, make_sweep()),
    "heatmap 2 x 1": (plot.heatmap, TINY),
    "heatmap 1 x 1": (plot.heatmap, make_sweep(layers=(3,), positions=(8,))),
    "heatmap 1 x 9": (plot.heatmap, make_sweep(layers=(3,))),
    "heatmap of heads": (plot.heatmap, make_sweep(layers=range(12), positions=(8,), heads=range(9))),
    "heatmap 30 x 40": (plot.heatmap, make_sweep(positions=range(40), tokens=[f" token{i}" for i in range(40)])),
    "interaction": (plot.interaction, make_interactions(4)),
    "interaction of 2": (plot.interaction, make_interactions(2)),
    "interaction in context": (
        functools.partial(plot.interaction, estimand="shapley_interaction"),
        make_interactions(3),
    ),
    "interaction of 12": (plot.interaction, make_interactions(12, sampled=True)),
    "forest of interactions": (plot.forest, make_interactions(4)),
    "dose": (plot.dose, make_ablation()),
    "equivalence": (plot.equivalence, make_equivalence("effects")),
    "equivalence of a sweep": (plot.equivalence, make_equivalence()),
    "equivalence of arms": (plot.equivalence, make_equivalence("arms")),
    "compare": (plot.compare, make_comparison()),
    "compare groups": (plot.compare, make_comparison("groups")),
    "compare sweeps": (plot.compare, make_comparison("sweep")),
    "compare arms": (plot.compare, make_comparison("arms")),
    "forest of a comparison": (plot.forest, make_comparison()),
    "forest of a comparison of arms": (plot.forest, make_comparison("arms")),
    "power": (plot.power, make_power()),
    "power of effects": (functools.partial(plot.power, show="effects"), make_power()),
    "specification": (plot.specification, make_specification()),
    "specification of 2": (plot.specification, make_specification(outcomes=FEW, corruptions=FEW[:1], arms=())),
    "specification of 40": (plot.specification, make_specification(outcomes=MANY[:4], corruptions=MANY)),
}
FIGURES = {"decomposition": make_effects(), "forest": make_effects(), "heatmap": TINY, "dose": make_ablation()}
FIGURES["specification"] = make_specification()
FIGURES["equivalence"] = make_equivalence("effects")
FIGURES["compare"] = make_comparison()


@functools.cache
def drawn(name: str) -> Axes:
    draw, effects = CASES[name]
    ax = draw(effects)
    ax.get_figure().canvas.draw()
    return ax


def off_axis(figure: Figure) -> set[int]:
    """Labels of ticks beyond the limits, which are never drawn."""
    found = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                found |= {id(tick.label1), id(tick.label2)}
    return found


@pytest.mark.parametrize("name", CASES)
def test_all_text_is_inside_the_figure(name):
    figure = drawn(name).get_figure()
    width, height = figure.canvas.get_width_height()
    hidden = off_axis(figure)
    texts = [text for ax in figure.axes for text in ax.findobj(mpl.text.Text) if text.get_visible() and text.get_text()]
    shown = [text for text in texts if id(text) not in hidden]
    assert len(shown) > 5
    for text in shown:
        box = text.get_window_extent()
        assert box.x0 >= -2, text
        assert box.y0 >= -2, text
        assert box.x1 <= width + 2, text
        assert box.y1 <= height + 2, text


@pytest.mark.parametrize("name", CASES)
def test_tick_labels_do_not_overlap(name):
    ax = drawn(name)
    hidden = off_axis(ax.get_figure())
    side = [text.get_window_extent() for text in ax.get_yticklabels() if id(text) not in hidden]
    below = [t.get_window_extent() for t in ax.get_xticklabels() if id(t) not in hidden and t.get_rotation() in {0, 90}]
    for low, high in itertools.pairwise(sorted(side, key=lambda box: box.y0)):
        assert low.y1 <= high.y0 + 1
    for left, right in itertools.pairwise(sorted(below, key=lambda box: box.x0)):
        assert left.x1 <= right.x0 + 1


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("heatmap", "dose"))])
def test_the_legend_is_between_title_and_data(name):
    ax = drawn(name)
    box = ax.get_legend().get_window_extent()
    assert box.y0 >= ax.get_window_extent().y1 - 2
    heading = next(text for text in ax.findobj(mpl.text.Text) if text.get_text() == title(ax))
    assert box.y1 <= heading.get_window_extent().y0 + 4


@pytest.mark.parametrize("name", FIGURES)
def test_ax_is_honoured_and_returned(name):
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    before = len(right.get_children())
    assert getattr(plot, name)(FIGURES[name], ax=left) is left
    assert len(right.get_children()) == before
    assert len(plt.get_fignums()) == 1
    figure.canvas.draw()


@pytest.mark.parametrize("name", FIGURES)
def test_without_ax_there_is_one_new_figure(name):
    ax = getattr(plot, name)(FIGURES[name])
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.get_figure().number]
    assert type(ax.get_figure().get_layout_engine()).__name__ == "ConstrainedLayoutEngine"


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_drawn_twice_is_the_same(name):
    first, second = (getattr(plot, name)(FIGURES[name]).get_figure() for _ in range(2))
    drawn = []
    for figure in (first, second):
        figure.canvas.draw()
        drawn.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    assert np.array_equal(*drawn)
    assert len(np.unique(drawn[0].reshape(-1, 4), axis=0)) > 10


@pytest.mark.parametrize("name", FIGURES)
def test_wrong_things_are_refused_in_words(name):
    draw = getattr(plot, name)
    with pytest.raises(DesignError, match=f"{name} draws the Effects .* found DataFrame"):
        draw(FIGURES[name].tidy())
    _, panels = plt.subplots(1, 2)
    with pytest.raises(DesignError, match=rf"{name}\(ax=...\) must be one matplotlib Axes, found ndarray"):
        draw(FIGURES[name], ax=panels)


@pytest.mark.parametrize(
    ("name", "effects", "said"),
    [
        ("decomposition", TINY, "a result of kind 'sweep'; it draws 'effects'. Nearest: heatmap"),
        ("decomposition", make_ablation(), "kind 'ablation'; it draws 'effects'. Nearest: forest"),
        ("heatmap", make_effects(), "kind 'effects'; it draws 'sweep'. Nearest: decomposition"),
        ("dose", make_effects(), "kind 'effects'; it draws 'ablation'"),
    ],
)
def test_a_figure_of_another_kind_says_which_one_to_use(name, effects, said):
    with pytest.raises(DesignError) as caught:
        getattr(plot, name)(effects)
    assert said in str(caught.value)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "specification"])  # its names: its own tests
def test_text_of_the_user_is_printed_as_it_is(name):
    effects = FIGURES[name]
    table = effects.tidy()
    if "arm" in table:
        table["arm"] = [arm.replace("mlp", "$x_$y$") for arm in table["arm"]]
    labels = {"8": " $5\t"}
    odd = Effects(table.assign(site=[f"$a$_{i % 2 if name == 'heatmap' else 0}" for i in range(len(table))])
                  if name != "heatmap" else table, effects.units,
                  {"outcome": "cost in $ of $x", "position_labels": labels})  # fmt: skip
    ax = getattr(plot, name)(odd)
    ax.get_figure().canvas.draw()
    shown = [text.get_text() for each in ax.get_figure().axes for text in each.findobj(mpl.text.Text)]
    assert any(r"\$ of \$x" in text for text in shown)
    if name == "heatmap":
        assert [text.get_text() for text in ax.get_xticklabels()] == [r" \$5\t"]


def test_a_long_outcome_is_broken_into_lines():
    effects = make_ablation()
    known = {"outcome": "LogitDiff of " + "a very long description " * 6}
    ax = plot.dose(Effects(effects.tidy(), effects.units, known))
    ax.get_figure().canvas.draw()
    assert ax.get_ylabel().startswith("ablation effect on\nLogitDiff")
    box = ax.yaxis.label.get_window_extent()
    assert box.height <= ax.get_figure().canvas.get_width_height()[1]


def test_theme_applies_inside_and_leaves_no_trace():
    before = dict(mpl.rcParams)
    with plot.theme(font_size=6, axes_linewidth=2.5):
        assert mpl.rcParams["font.size"] == 6
        assert mpl.rcParams["axes.linewidth"] == 2.5
        assert mpl.rcParams["pdf.fonttype"] == 42
        assert plot.forest(make_effects()).xaxis.label.get_fontsize() == 9
    assert dict(mpl.rcParams) == before
    with pytest.raises(RuntimeError), plot.theme():
        raise RuntimeError
    assert dict(mpl.rcParams) == before


def test_theme_refuses_an_unknown_setting():
    with (
        pytest.raises(DesignError, match=r"theme setting = 'fontsize' is not known. Closest: 'font_size'"),
        plot.theme(fontsize=6),
    ):
        pass


def test_colours_can_be_told_apart_in_grey():
    from mediation.plot.drawing._theme import BLUE, COLOURS, CYCLE, GREEN, ORANGE

    def lightness(colour: str) -> float:
        red, green, blue = mpl.colors.to_rgb(colour)
        return 0.299 * red + 0.587 * green + 0.114 * blue

    assert {COLOURS["pnde"], COLOURS["pnie"], COLOURS["int_med"]} == {BLUE, ORANGE, GREEN}
    greys = sorted(lightness(colour) for colour in (COLOURS["te"], BLUE, GREEN, ORANGE))
    assert min(b - a for a, b in itertools.pairwise(greys)) > 0.05
    assert abs(lightness(CYCLE[0]) - lightness(CYCLE[1])) > 0.2


def test_importing_the_figures_does_not_load_pyplot():
    code = "import sys, mediation.plot; print('matplotlib.pyplot' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
