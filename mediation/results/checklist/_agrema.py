"""The items of A Guideline for Reporting Mediation Analyses (AGReMA), long form, for networks in place of trials."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """One item: `known` is left to state where the result states something, `unknown` where it does not."""

    number: int
    section: str
    key: str
    name: str
    known: str
    unknown: str


def _asked(number: int, section: str, key: str, name: str, unknown: str, known: str | None = None) -> Asked:
    return Asked(number, section, key, name, unknown if known is None else known, unknown)


_TITLE, _INTRO, _METHODS, _RESULTS = "Title and abstract", "Introduction", "Methods", "Results"
_DISCUSSION, _OTHER = "Discussion", "Other information"

ITEMS: tuple[Asked, ...] = (
    _asked(1, _TITLE, "title", "Title", "That the study is a mediation analysis, and of which model."),
    _asked(
        2, _TITLE, "abstract", "Abstract",
        "Objectives, methods, effects with their uncertainty, and conclusions, all of the mediation analysis.",
    ),
    _asked(3, _INTRO, "background", "Background", "Why this mechanism: theory or earlier findings that suggest it."),
    _asked(
        4, _INTRO, "objectives", "Objectives",
        "The mechanism in question, and whether effects are tested (which hypotheses) or estimated.",
    ),
    _asked(
        5, _METHODS, "registration", "Registration",
        "Where sites, outcome, sample size and analysis were fixed in advance, and what deviates "
        "from it; or that none was.",
    ),
    _asked(
        6, _METHODS, "design", "Design and source of data",
        "What was run: the model, its version, and who or what intervened; where the inputs come from.",
        "Where the inputs come from, and whether they were made for this question.",
    ),
    _asked(
        7, _METHODS, "participants", "Units",
        "What a unit is, and which population of inputs the units stand for.",
        "Which population of inputs the units stand for, and by which rule inputs were taken or left out (such as "
        "those that the model answers right).",
    ),
    _asked(
        8, _METHODS, "sample_size", "Sample size", "How the number of units was chosen (med.power plans it).",
        "How this number was chosen (med.power plans it).",
    ),
    _asked(
        9, _METHODS, "effects", "Effects of interest", "Which effects are of interest, and why.",
        "Which of them is the primary one, and why (denoising or noising, which share).",
    ),
    _asked(
        10, _METHODS, "model", "Assumed causal model", "The causal graph: input, mediator, outcome.",
        "A drawing of it, with what lies before, beside and after the mediator.",
    ),
    _asked(
        11, _METHODS, "assumptions", "Causal assumptions", "The assumptions under which the contrasts are effects.",
        "Why the patched activations are ones that the model could meet, and that inputs differ in nothing but the "
        "contrast in question.",
    ),
    _asked(
        12, _METHODS, "measurement", "Measurement",
        "How the input contrast, the mediator and the outcome are defined and measured.",
        "What they stand for: what differs between the inputs, and what the outcome measures.",
    ),
    _asked(13, _METHODS, "levels", "Levels of measurement", "At which level each is measured.", ""),
    _asked(
        14, _METHODS, "statistics", "Statistical methods", "How effects, intervals and p-values are made; software.", ""
    ),
    _asked(
        15, _METHODS, "sensitivity", "Sensitivity analyses",
        "Which were done: null controls (med.controls), other outcomes, corruptions and ablations (med.specification), "
        "margins (effects.equivalence); or that none was.",
        "Which others were done; or that none was.",
    ),
    _asked(16, _METHODS, "ethics", "Ethics",
        "Approval, if people made or judged inputs or answers; else that none was needed.",
    ),
    _asked(
        17, _RESULTS, "flow", "Units analysed", "How many units were drawn, left out (and why) and analysed.",
        "How many were drawn before any rule left some out; a description of them (length, template, the model's "
        "accuracy in either input).",
    ),
    _asked(18, _RESULTS, "estimates", "Estimates", "Each effect of interest with its interval.", ""),
    _asked(
        19, _RESULTS, "sensitivity_results", "Results of sensitivity analyses",
        "What each of them found, next to the main result.",
    ),
    _asked(
        20, _DISCUSSION, "limitations", "Limitations",
        "What the assumptions, the inputs and the measure leave open.",
        "What else the assumptions, the inputs and the measure leave open.",
    ),
    _asked(21, _DISCUSSION, "interpretation", "Interpretation",
        "What the size of the effects means, with their uncertainty.",
    ),
    _asked(22, _DISCUSSION, "implications", "Implications", "For which other models, inputs and tasks it may hold."),
    _asked(23, _OTHER, "funding", "Funding", "Who paid, including for compute, and what part they had in the study."),
    _asked(24, _OTHER, "interests", "Conflicts of interest",
        "Those of the authors, such as ties to the model's makers.",
    ),
    _asked(
        25, _OTHER, "data", "Data and code", "Where inputs, code and units are (effects.save writes table and units).",
        "Where inputs, code and units are (effects.save writes table, units and this account).",
    ),
)  # fmt: skip
