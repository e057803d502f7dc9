"""The catalogue of wrong calls through the public API, by what they are wrong about; see `test_errors`."""

from __future__ import annotations

from tests.errors.wrong_controls import CONTROLS
from tests.errors.wrong_datasets import DATASETS
from tests.errors.wrong_designs import DESIGNS
from tests.errors.wrong_equivalence import EQUIVALENCE, POWER
from tests.errors.wrong_inputs import ENCODING, LOAD, PAIRS
from tests.errors.wrong_interactions import INTERACTIONS
from tests.errors.wrong_many_sites import MANY_SITES
from tests.errors.wrong_places import ALIGNMENT, INTERVENTIONS, SITES
from tests.errors.wrong_plans import PLANS
from tests.errors.wrong_probing import PROBING
from tests.errors.wrong_questions import OUTCOMES, QUESTIONS
from tests.errors.wrong_results import FRAMES, PLOTS, RESULTS, WARNINGS
from tests.errors.wrong_screens import SCREENS
from tests.errors.wrong_specification import SPECIFICATION
from tests.errors.wrong_thoughts import THOUGHTS

ERRORS = {
    f"{group}: {name}": call
    for group, calls in {
        "load": LOAD,
        "pairs": PAIRS,
        "encoding": ENCODING,
        "sites": SITES,
        "alignment": ALIGNMENT,
        "interventions": INTERVENTIONS,
        "outcomes": OUTCOMES,
        "questions": QUESTIONS,
        "frames": FRAMES,
        "results": RESULTS,
        "plots": PLOTS,
        "controls": CONTROLS,
        "many sites": MANY_SITES,
        "designs": DESIGNS,
        "equivalence": EQUIVALENCE,
        "power": POWER,
        "specification": SPECIFICATION,
        "interactions": INTERACTIONS,
        "screens": SCREENS,
        "plans": PLANS,
        "thoughts": THOUGHTS,
        "probing": PROBING,
        "datasets": DATASETS,
    }.items()
    for name, call in calls.items()
}
WARNED = {f"warnings: {name}": call for name, call in WARNINGS.items()}

# Only a run can tell: the number itself, or an activation of the second unit, is what is wrong.
AFTER_A_RUN = {
    "outcomes: NaN",
    "interventions: custom: makes NaN",
    "interventions: donor's activation of another shape",
}
