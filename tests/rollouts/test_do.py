"""Expected pixels are written by hand: an image of whole numbers k is k / 255, and comes back as round(255 x)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.interventions import AbstractIntervention


def _ramp(height, width, start=0):
    return (np.arange(height * width * 3, dtype=np.uint8) + np.uint8(start)).reshape(height, width, 3)


def _flat(value, height=2, width=3):
    return np.full((height, width, 3), value, dtype=np.uint8)


def _ask(question, *images):
    return med.Prompt("<i>" * len(images) + f"Q: {question} A:", list(images), question)


def _array(prompt, index=0):
    return np.asarray(prompt.images[index])


def _pair():
    return [_ask("What is red?", _ramp(4, 5)), _ask("Who runs?", _ramp(2, 3, 100))]


@med.intervention
def invert(hidden):
    return 1 - hidden


@med.intervention
def broken(hidden):
    return hidden / 0


@med.intervention
def towards(hidden, *, donor):
    return (hidden + donor) / 2


@pytest.mark.parametrize(
    ("intervention", "value"),
    [
        (med.Zero(), 0),
        (med.Constant(1.0), 255),
        (med.Constant(0.5), 128),  # 127.5, to the even number
        (med.Constant(0.2), 51),
        (med.Constant(7.0), 255),
        (med.Add(-3.0), 0),
    ],
)
def test_flat_images(intervention, value):
    inputs = _pair()
    done = med.do(inputs, intervention.at(med.image()))
    for before, after in zip(inputs, done, strict=True):
        assert after.images[0].mode == "RGB"
        assert np.array_equal(_array(after), np.full(_array(before).shape, value))
        assert (after.text, after.question) == (before.text, before.question)
    assert np.array_equal(_array(inputs[0]), _ramp(4, 5))  # what came in is as it was


def test_a_colour_and_a_given_picture():
    teal = med.do(_pair(), med.Constant([0.0, 0.2, 1.0]).at(med.image()))
    assert (_array(teal[0]) == [0, 51, 255]).all()
    picture = _ramp(2, 3, 7)
    done = med.do([_ask("Where?", _flat(0))], med.Constant(picture / 255).at(med.image()))
    assert np.array_equal(_array(done[0]), picture)


def test_every_value_of_a_pixel_survives():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    inputs = [_ask("Where?", every)]
    for what in (med.interventions.Identity(), med.Add(0.0), med.Scale(1.0), invert() >> invert()):
        assert np.array_equal(_array(med.do(inputs, what.at(med.image()))[0]), every)
    assert np.array_equal(_array(med.do(inputs, invert().at(med.image()))[0]), 255 - every)


def test_scale_is_per_number():
    done = med.do([_ask("Where?", np.array([[[10, 20, 200]]], dtype=np.uint8))], med.Scale(2.0).at(med.image()))
    assert _array(done[0]).tolist() == [[[20, 40, 255]]]


def test_one_of_several_images():
    inputs = [_ask("Where?", _flat(10), _flat(20)), _ask("Who?", _flat(30), _flat(40), _flat(50))]
    done = med.do(inputs, med.Zero().at(med.image(index=1)) | med.Constant(1.0).at(med.image(index=0)))
    assert [[int(_array(one, i).max()) for i in range(len(one.images))] for one in done] == [[255, 0], [255, 0, 50]]
    done = med.do(inputs, med.Zero().at(med.image()))
    assert all(not np.asarray(picture).any() for one in done for picture in one.images)


@pytest.mark.parametrize(
    ("box", "rectangle"),
    [
        ((0.0, 0.0, 1.0, 1.0), (0, 0, 10, 4)),
        ((0.3, 0.25, 0.7, 0.5), (3, 1, 7, 2)),  # whole pixels, though 0.7 * 10 is 7.000000000000001 in some orders
        ((0.31, 0.26, 0.69, 0.49), (3, 1, 7, 2)),
        ((0.21, 0.0, 0.22, 0.01), (2, 0, 3, 1)),  # less than a pixel is one
        ((0.999, 0.999, 1.0, 1.0), (9, 3, 10, 4)),
        ((0.29, 0.0, 0.31, 0.5), (2, 0, 4, 2)),
        ((1 - 1e-12, 0.0, 1.0, 1.0), (9, 0, 10, 4)),
    ],
)
def test_boxes_are_rounded_outward(box, rectangle):
    left, top, right, bottom = rectangle
    expected = _ramp(4, 10)
    expected[top:bottom, left:right] = 255
    done = med.do([_ask("Where?", _ramp(4, 10))], med.Constant(1.0).at(med.image(box=box)))
    assert np.array_equal(_array(done[0]), expected)


def test_products_that_are_whole_but_for_the_last_bits():
    done = med.do([_ask("Where?", _flat(9, 1, 100))], med.Zero().at(med.image(box=(0.0, 0.0, 0.07, 1.0))))
    assert 0.07 * 100 > 7
    assert (_array(done[0])[0, :, 0] == 0).sum() == 7
    done = med.do([_ask("Where?", _flat(9, 1, 100))], med.Zero().at(med.image(box=(0.29, 0.0, 1.0, 1.0))))
    assert 0.29 * 100 < 29
    assert (_array(done[0])[0, :, 0] == 0).sum() == 71


def test_boxes_from_a_column():
    frame = pd.DataFrame({"box": [(0.0, 0.0, 0.2, 0.25), np.array([0.5, 0.5, 1.0, 1.0])]}, index=[7, 7])
    done = med.do(_pair(), med.Zero().at(med.image(box="box")), frame=frame)
    first, second = _ramp(4, 5), _ramp(2, 3, 100)
    first[0, 0] = 0
    second[1, 1:] = 0
    assert np.array_equal(_array(done[0]), first)
    assert np.array_equal(_array(done[1]), second)


def test_an_intervention_sees_its_box_alone():
    seen = med.Constant(np.arange(6).reshape(1, 2, 3) / 255).at(med.image(box=(0.2, 0.25, 0.6, 0.5)))  # (h, w) = (1, 2)
    expected = _ramp(4, 5)
    expected[1, 1:3] = np.arange(6).reshape(2, 3)
    assert np.array_equal(_array(med.do(_pair()[:1], seen)[0]), expected)


def test_overlapping_boxes_in_the_order_of_the_boxes():
    first = med.Constant(0.2).at(med.image(box=(0.0, 0.0, 0.75, 1.0)))
    second = med.Scale(2.0).at(med.image(box=(0.25, 0.0, 1.0, 1.0)))
    for assignment in (first | second, second | first):
        done = med.do([_ask("Where?", _flat(10, 1, 4))], assignment)
        assert _array(done[0])[0, :, 0].tolist() == [51, 102, 102, 20]


def test_swaps_of_images():
    inputs = _pair()
    done = med.do(inputs, med.Swap().at(med.image()), rng=0)  # of two units, the other is the only donor
    assert np.array_equal(_array(done[0]), _ramp(2, 3, 100))
    assert np.array_equal(_array(done[1]), _ramp(4, 5))
    assert [one.text for one in done] == [one.text for one in inputs]


def test_swaps_of_questions():
    inputs = _pair()
    done = med.do(inputs, med.Swap().at(med.question()), rng=0)
    assert [one.text for one in done] == ["<i>Q: Who runs? A:", "<i>Q: What is red? A:"]
    assert [one.question for one in done] == ["Who runs?", "What is red?"]
    assert np.array_equal(_array(done[0]), _ramp(4, 5))


def test_swaps_of_prompts():
    inputs = _pair()
    done = med.do(inputs, med.Swap("index", index=(1, 1)).at(med.prompt()))
    assert [one.digest() for one in done] == [inputs[1].digest()] * 2
    assert med.do(["a", "b", "c"], med.Swap("index", index=(2, 0, 1)).at(med.prompt())) == ["c", "a", "b"]
    mixed = med.do(["a", inputs[0]], med.Swap().at(med.prompt()))
    assert mixed[0].digest() == inputs[0].digest()
    assert (mixed[1].text, mixed[1].images) == ("a", ())


def test_image_and_question_of_one_donor():
    inputs = [_ask(f"Question {unit}?", _flat(unit)) for unit in range(8)]
    parts = med.Swap().at(med.image()) | med.Swap().at(med.question())
    done, whole = med.do(inputs, parts, rng=3), med.do(inputs, med.Swap().at(med.prompt()), rng=3)
    assert [one.digest() for one in done] == [one.digest() for one in whole]
    donors = [int(_array(one).max()) for one in done]
    assert sorted(donors) == list(range(8))
    assert all(unit != donor for unit, donor in enumerate(donors))


def test_matched_and_random_donors():
    inputs = [_ask(f"Question {unit}?", _flat(unit)) for unit in range(9)]
    frame = pd.DataFrame({"kind": list("abcabcabc")}, index=range(10, 19))
    done = med.do(inputs, med.Swap("matched", column="kind").at(med.image()), frame=frame, rng=1)
    donors = [int(_array(one).max()) for one in done]
    assert all(donor % 3 == unit % 3 and donor != unit for unit, donor in enumerate(donors))
    assert sorted(donors) == list(range(9))
    done = med.do(inputs, med.Swap("random").at(med.image()), rng=1)
    assert all(int(_array(one).max()) != unit for unit, one in enumerate(done))


def test_donors_are_read_as_they_came_in():
    inputs = [_ask("Where?", _flat(10), _flat(20)), _ask("Who?", _flat(30), _flat(40))]
    done = med.do(inputs, med.Zero().at(med.image(index=0)) | med.Swap().at(med.image(index=1)))
    assert [[int(_array(one, i).max()) for i in (0, 1)] for one in done] == [[0, 40], [0, 20]]
    again = med.do(done, med.Swap().at(med.prompt()))
    assert [[int(_array(one, i).max()) for i in (0, 1)] for one in again] == [[0, 20], [0, 40]]


def test_swaps_in_a_box_and_in_part():
    inputs = [_ask("Where?", _flat(100, 4, 4)), _ask("Who?", _flat(200, 4, 8))]
    frame = pd.DataFrame({"box": [(0.0, 0.0, 0.5, 0.5), (0.75, 0.5, 1.0, 1.0)]})  # both 2 x 2 pixels
    done = med.do(inputs, med.Swap().at(med.image(box="box")), frame=frame)
    first, second = _flat(100, 4, 4), _flat(200, 4, 8)
    first[:2, :2] = 200
    second[2:, 6:] = 100
    assert np.array_equal(_array(done[0]), first)
    assert np.array_equal(_array(done[1]), second)
    same = [_ask("Where?", _flat(100)), _ask("Who?", _flat(200))]
    done = med.do(same, med.Blend(med.Swap(), 0.25).at(med.image()))
    assert [int(_array(one).max()) for one in done] == [125, 175]


def test_after_a_swap_of_whole_images_the_rest_acts_on_the_donor():
    done = med.do(_pair(), (med.Zero() >> med.Swap() >> invert()).at(med.image()))
    assert np.array_equal(_array(done[0]), 255 - _ramp(2, 3, 100))
    assert np.array_equal(_array(done[1]), 255 - _ramp(4, 5))


def test_means():
    inputs = [_ask("Where?", _flat(10)), _ask("Who?", _flat(20)), _ask("Why?", _flat(60))]
    done = med.do(inputs, med.Mean().at(med.image()))
    assert all(np.array_equal(_array(one), _flat(30)) for one in done)
    # The mean colour counts every pixel: (20 pixels of 0 and 5 of 100) / 25 is 20.
    uneven = [_ask("Where?", _flat(0, 4, 5)), _ask("Who?", _flat(100, 1, 5))]
    done = med.do(uneven, med.Mean(over="tokens").at(med.image()))
    assert [int(_array(one).min()) for one in done] == [20, 20]
    assert [int(_array(one).max()) for one in done] == [20, 20]
    place = np.array([[[0, 30, 60], [90, 120, 150]]], dtype=np.uint8)
    done = med.do([_ask("Where?", place), _ask("Who?", place + np.uint8(20))], med.Mean().at(med.image()))
    assert np.array_equal(_array(done[1]), place + 10)


def test_noise_relative_to_the_spread_of_the_pixels():
    # Half of the numbers are 0 and half are 102 = 0.4: a standard deviation of 0.2.
    inputs = [_ask("Where?", _flat(0)), _ask("Who?", _flat(102))]
    relative = (med.GaussianNoise(0.5, relative=True, replace=True) >> med.Add(0.5)).at(med.image())
    plain = (med.GaussianNoise(0.1, replace=True) >> med.Add(0.5)).at(med.image())
    first, second = med.do(inputs, relative, rng=0), med.do(inputs, plain, rng=0)
    for one, other in zip(first, second, strict=True):
        assert np.abs(_array(one).astype(int) - _array(other)).max() <= 1


def test_noise_image_around_grey_and_noise_added():
    inputs = [_ask("Where?", _flat(51, 60, 70))]
    grey = (med.GaussianNoise(0.1, replace=True) >> med.Add(0.5)).at(med.image())
    noise = _array(med.do(inputs, grey, rng=5)[0]).astype(float) / 255 - 0.5
    assert abs(noise.mean()) < 0.005  # 12 600 numbers: 5 standard errors are 0.0045
    assert abs(noise.std() - 0.1) < 0.004
    added = _array(med.do(inputs, med.GaussianNoise(0.1).at(med.image()), rng=5)[0])
    assert np.abs(added / 255 - np.clip(0.2 + noise, 0, 1)).max() < 1.01 / 255
    bare = _array(med.do(inputs, med.GaussianNoise(0.1, replace=True).at(med.image()), rng=5)[0])
    assert abs((bare == 0).mean() - 0.5) < 0.03


def test_noise_belongs_to_the_unit_the_image_and_the_pixel():
    what = med.GaussianNoise(0.1, replace=True) >> med.Add(0.5)
    many = [_ask("Where?", _flat(0, 4, 5), _flat(0, 4, 5)), _ask("Who?", _flat(9, 4, 5), _flat(0, 4, 5))]
    done = med.do(many, what.at(med.image()), rng=2)
    pictures = [_array(one, i) for one in done for i in (0, 1)]
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(pictures, 2))
    changed = [_ask("Else", _flat(7, 2, 2)), many[1]]
    assert np.array_equal(_array(med.do(changed, what.at(med.image()), rng=2)[1]), pictures[2])
    assert np.array_equal(_array(med.do(many, what.at(med.image(index=1)), rng=2)[0], 1), pictures[1])
    boxed = _array(med.do(many, what.at(med.image(index=0, box=(0.2, 0.25, 0.6, 0.75))), rng=2)[0])
    expected = _flat(0, 4, 5)
    expected[1:3, 1:3] = pictures[0][1:3, 1:3]
    assert np.array_equal(boxed, expected)


def test_the_same_rng_gives_the_same_and_another_another():
    inputs = [_ask(f"Question {unit}?", _flat(90, 4, 4)) for unit in range(20)]
    assignment = med.GaussianNoise(0.2).at(med.image()) | med.Swap().at(med.question())

    def told(rng):
        return [one.digest() for one in med.do(inputs, assignment, rng=rng)]

    assert told(4) == told(4) == told(np.int64(4))
    assert told(4) != told(5)
    assert told(np.random.default_rng(4)) == told(np.random.default_rng(4))
    assert told(None) != told(None)


def test_donors_differ_from_those_of_a_run_with_the_same_seed():
    from mediation.engine.study._draws import donor_units

    texts = [str(unit) for unit in range(50)]
    swap = med.Swap()
    mine = list(map(int, med.do(texts, swap.at(med.prompt()), rng=0)))
    theirs = donor_units(next(iter(swap.needs())), med.Pairs(base=texts), seed=0, draw=0).tolist()
    assert mine != theirs


def test_rewrites_of_questions():
    from mediation.rewrites import RandomWords, ReplaceText, ShuffleWords, Truncate

    inputs = _pair()
    one = med.do(inputs, ReplaceText("Is it day?").at(med.question()))
    assert [prompt.question for prompt in one] == ["Is it day?"] * 2
    each = med.do(inputs, (ReplaceText(("One two?", "Three four?")) >> Truncate(1)).at(med.question()))
    assert [prompt.text for prompt in each] == ["<i>Q: One A:", "<i>Q: Three A:"]
    assert np.array_equal(_array(each[0]), _ramp(4, 5))
    shuffled = med.do(inputs, ShuffleWords().at(med.question()), rng=0)
    assert shuffled[1].question == "runs? Who"
    assert sorted(shuffled[0].question.split()) == ["What", "is", "red?"]
    words = {word for prompt in inputs for word in prompt.question.split()}
    drawn = [med.do(inputs, RandomWords().at(med.question()), rng=seed) for seed in range(8)]
    found = {word for done in drawn for word in done[1].question.split()}
    assert found <= words
    assert found - {"Who", "runs?"}  # the pool is that of all units
    again = med.do([_ask("Who am I?"), inputs[1]], ShuffleWords().at(med.question()), rng=0)
    assert again[1].question == shuffled[1].question


def test_random_rewrites_differ_between_units_and_seeds():
    inputs = [_ask("one two three four five six seven eight") for _ in range(3)]
    orders = [
        [one.question for one in med.do(inputs, med.rewrites.ShuffleWords().at(med.question()), rng=seed)]
        for seed in (0, 1, 0)
    ]
    assert orders[0] == orders[2]
    assert len({*orders[0], *orders[1]}) == 6  # two of 15 orders among 40 320 agree with a chance of 0.0004


def test_the_result_is_a_side_of_pairs():
    source = _pair()
    pairs = med.Pairs(base=med.do(source, med.Constant(0.5).at(med.image())), source=source)
    assert pairs.is_prompts
    assert np.array_equal(_array(pairs.base[0]), _flat(128, 4, 5))


FRAME = pd.DataFrame({"box": [(0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 0.2, 1.0)], "kind": ["a", "b"]})
GREY = med.Constant(0.5)


@pytest.mark.parametrize(
    ("inputs", "assignment", "frame", "kind", "says"),
    [
        (["a text"], GREY.at(med.image()), None, med.errors.DataError, ["unit 0 is a text", "med.Prompt("]),
        (["a text"], med.Swap().at(med.question()), None, med.errors.DataError, ["question: unit 0", "med.prompts("]),
        ([_ask("a"), _ask("b", _flat(0))], GREY.at(med.image()), None, med.errors.DataError, ["unit 0 has no images"]),
        (
            _pair(),
            GREY.at(med.image(index=1)),
            None,
            med.errors.DataError,
            ["image[1]", "unit 0 has 1 image.", "from 0"],
        ),
        (
            [med.Prompt("a"), _ask("b")],
            med.Swap().at(med.question()),
            None,
            med.errors.DataError,
            ["unit 0", "question='...'"],
        ),
        (_pair(), med.Swap().at(med.residual(0)), None, med.errors.DesignError, ["inside the model", "med.ablate"]),
        (_pair(), med.Zero().at(med.latents()), None, med.errors.DesignError, ["latents", "med.image()"]),
        (_pair(), GREY.at(med.image()) | GREY.at(med.mlp(1)), None, med.errors.DesignError, ["mlp", "med.mediate"]),
        (_pair(), GREY, None, med.errors.DesignError, ["Constant(0.5).at(med.image())"]),
        (_pair(), None, None, med.errors.DesignError, ["None", "med.image()"]),
        (_pair(), med.interventions.Assignment(()), None, med.errors.DesignError, ["empty"]),
        (
            _pair(),
            med.Interchange().at(med.image()),
            None,
            med.errors.DesignError,
            ["Interchange()", "'other'", "Swap()"],
        ),
        (_pair(), med.Interchange("same").at(med.image()), None, med.errors.DesignError, ["another run", "Swap()"]),
        (_pair(), med.Swap(run="source").at(med.image()), None, med.errors.DesignError, ["'source'", "without run"]),
        (_pair(), med.Mean(run="base").at(med.image()), None, med.errors.DesignError, ["'base'", "Mean()"]),
        (
            _pair(),
            med.interventions.RandomDirection().at(med.image()),
            None,
            med.errors.DesignError,
            ["RandomDirection()"],
        ),
        (_pair(), towards().at(med.image()), None, med.errors.DesignError, ["towards()", "before any run"]),
        (_pair(), GREY.at(med.question()), None, med.errors.DesignError, ["there is text", "ReplaceText", "image()"]),
        (_pair(), med.Zero().at(med.prompt()), None, med.errors.DesignError, ["there is text", "Give Swap();"]),
        (_pair(), med.Blend(med.Swap(), 0.5).at(med.question()), None, med.errors.DesignError, ["there is text"]),
        (
            _pair(),
            med.Swap().at(med.prompt()) | GREY.at(med.image()),
            None,
            med.errors.DesignError,
            ["holds the images", "once more"],
        ),
        (_pair(), GREY.at(med.image(box="bx")), FRAME, med.errors.DataError, ["'bx'", "Closest: 'box'"]),
        (_pair(), GREY.at(med.image(box="box")), None, med.errors.DataError, ["image(box='box')", "frame=frame"]),
        (
            _pair(),
            GREY.at(med.image(box="box")),
            FRAME,
            med.errors.SiteError,
            ["unit 1, column 'box'", "(0.5, 0.0, 0.2, 1.0)"],
        ),
        (_pair(), GREY.at(med.image(box="kind")), FRAME, med.errors.SiteError, ["unit 0, column 'kind'", "'a'"]),
        (_pair(), GREY.at(med.image()), FRAME[:1], med.errors.DataError, ["1 rows for 2 inputs"]),
        (_pair(), GREY.at(med.image()), {"box": 1}, med.errors.DataError, ["dict", "DataFrame"]),
        (_pair()[:1], med.Swap().at(med.image()), None, med.errors.DataError, ["at least two units"]),
        (
            _pair(),
            med.Swap("matched", column="kind").at(med.image()),
            None,
            med.errors.DataError,
            ["column='kind'", "frame"],
        ),
        (_pair(), med.Swap("matched", column="kid").at(med.image()), FRAME, med.errors.DataError, ["'kid'", "'kind'"]),
        (_pair(), med.Swap("matched", column="kind").at(med.image()), FRAME, med.errors.DataError, ["coarser"]),
        (_pair(), med.Swap("index", index=(0,)).at(med.image()), None, med.errors.DesignError, ["has 1 numbers"]),
        (
            [_ask("a", _flat(0)), _ask("b", _flat(0), _flat(1))],
            med.Swap().at(med.image()),
            None,
            med.errors.DataError,
            ["unit 0 has 1 image and its donor, unit 1, has 2 images", "index=0"],
        ),
        (_pair(), med.Blend(med.Swap(), 0.5).at(med.image()), None, med.errors.DataError, ["5 x 4", "unit 1", "3 x 2"]),
        (
            _pair(),
            med.Swap().at(med.image(box=(0.0, 0.0, 0.5, 0.5))),
            None,
            med.errors.DataError,
            ["unit 0 has 3 x 2", "unit 1 has 2 x 1", "boxes of one size"],
        ),
        (_pair(), med.Mean().at(med.image()), None, med.errors.DataError, ["unit 0 has 5 x 4", "over='tokens'"]),
        (
            [_ask("a", _flat(0), _flat(1)), _ask("b", _flat(0))],
            med.Mean().at(med.image()),
            None,
            med.errors.DataError,
            ["unit 1 has 1 image", "index=0"],
        ),
        (_pair(), med.Constant([1.0, 2.0]).at(med.image()), None, med.errors.DesignError, ["(2,)", "(1, 4, 5, 3)"]),
        (_pair(), broken().at(med.image()), None, med.errors.BackendError, ["broken()", "unit 0", "NaN or infinity"]),
        (_pair(), med.interventions.Skip().at(med.image()), None, med.errors.DesignError, ["a thought", "pixels"]),
        ([], GREY.at(med.image()), None, med.errors.DataError, ["empty"]),
        ("a text", med.Swap().at(med.prompt()), None, med.errors.DataError, ["[input]"]),
        (_pair()[0], GREY.at(med.image()), None, med.errors.DataError, ["[input]"]),
        (3, GREY.at(med.image()), None, med.errors.DataError, ["inputs = 3", "a list"]),
        ([_pair()[0], 3], GREY.at(med.image()), None, med.errors.DataError, ["unit 1 is 3"]),
        (["", "a"], med.Swap().at(med.prompt()), None, med.errors.DataError, ["unit 0 is ''"]),
        ([[1, 2], [3]], med.Swap().at(med.prompt()), None, med.errors.DataError, ["unit 0 is [1, 2]"]),
        (
            torch.zeros(2, 3),
            med.Swap().at(med.prompt()),
            None,
            med.errors.DataError,
            ["unit 0 is tensor", "med.Prompt"],
        ),
        (med.Pairs(base=["a", "b"]), med.Swap().at(med.prompt()), None, med.errors.DataError, ["pairs.base"]),
    ],
)
def test_what_cannot_be_done(inputs, assignment, frame, kind, says):
    with pytest.raises(kind) as error:
        med.do(inputs, assignment, frame=frame, rng=0)
    assert all(part in str(error.value) for part in says), str(error.value)


def test_the_same_site_twice_and_rewrites_of_pixels_are_refused_when_they_are_placed():
    with pytest.raises(med.errors.SiteError, match="overlapping"):
        med.Zero().at(med.image()) | GREY.at(med.image(index=0))
    with pytest.raises(med.errors.DesignError, match="rewrites text"):
        med.rewrites.ReplaceText("a").at(med.image())


class Narrowing(AbstractIntervention):
    """One that breaks the law that the shape stays."""

    def needs(self):
        return frozenset()

    def __call__(self, hidden, given=None):
        return hidden[:, :1]

    def __repr__(self):
        return "Narrowing()"


def test_pixels_keep_their_shape():
    with pytest.raises(med.errors.BackendError, match=r"Narrowing\(\) at image, unit 0, returned shape \(1, 1, 5, 3\)"):
        med.do(_pair(), Narrowing().at(med.image()))


@pytest.mark.parametrize("rng", ["0", -1, 1.5, True])
def test_wrong_seeds(rng):
    with pytest.raises(med.errors.DesignError, match="rng"):
        med.do(_pair(), GREY.at(med.image()), rng=rng)
