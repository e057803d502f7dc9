import pytest

from mediation.errors import DesignError
from mediation.inference import Inference


def test_defaults_are_those_of_the_design():
    assert Inference() == Inference(method="bootstrap-t", confidence_level=0.95, n_resamples=9999, seed=0, floor=True)
    assert hash(Inference()) == hash(Inference())
    assert eval(repr(Inference(seed=3))) == Inference(seed=3)


def test_fields_are_keyword_only():
    with pytest.raises(TypeError):
        Inference("percentile")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "bootstrap"}, "method = 'bootstrap' is not known. Closest: 'bootstrap-t'."),
        ({"method": "bc-a"}, "method = 'bc-a' is not known. Closest: 'bca'."),
        ({"floor": 1}, "floor = 1: True or False is needed."),
        ({"confidence_level": 95}, "confidence_level = 95: a number strictly between 0 and 1 is needed, such as 0.95."),
        ({"n_resamples": 0}, "n_resamples = 0: a whole number of at least 1 is needed."),
        ({"n_resamples": 99.0}, "n_resamples = 99.0: a whole number of at least 1 is needed."),
        ({"seed": -1}, "seed = -1: a whole number of at least 0 is needed."),
        (
            {"n_resamples": 38},
            "n_resamples = 38 is too small for confidence_level = 0.95: no resample would lie in a tail. "
            "Use at least 39; 9999 is the default.",
        ),
        (
            {"confidence_level": 0.99, "n_resamples": 100},
            "n_resamples = 100 is too small for confidence_level = 0.99: no resample would lie in a tail. "
            "Use at least 199; 9999 is the default.",
        ),
    ],
)
def test_wrong_settings_say_what_to_do(wrong, message):
    with pytest.raises(DesignError) as error:
        Inference(**wrong)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("level", "n_resamples", "tail", "joint"),
    [(0.95, 39, 1, 2), (0.95, 999, 25, 50), (0.9, 9999, 500, 1000), (0.99, 199, 1, 2), (0.95, 500, 12, 25)],
)
def test_ranks_are_whole_parts_of_alpha_times_b_plus_one(level, n_resamples, tail, joint):
    settings = Inference(confidence_level=level, n_resamples=n_resamples)
    assert (settings.tail_rank, settings.joint_rank) == (tail, joint)
