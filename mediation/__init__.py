"""Causal mediation analysis of neural networks: direct and indirect effects with intervals that hold.

Names are loaded when they are first used, so that ``import mediation`` itself is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        datasets as datasets,
        engine as engine,
        inference as inference,
        plot as plot,
        probing as probing,
        testing as testing,
    )
    from ._errors import (
        AlignmentWarning as AlignmentWarning,
        BackendError as BackendError,
        BatchDependenceWarning as BatchDependenceWarning,
        DataError as DataError,
        DegenerateWarning as DegenerateWarning,
        DesignError as DesignError,
        DominantUnitWarning as DominantUnitWarning,
        DonorsWarning as DonorsWarning,
        FewEffectiveWarning as FewEffectiveWarning,
        FewResamplesWarning as FewResamplesWarning,
        FlaggedUnitsWarning as FlaggedUnitsWarning,
        InteractionWarning as InteractionWarning,
        MediationError as MediationError,
        MediationWarning as MediationWarning,
        OtherMachineWarning as OtherMachineWarning,
        OutcomeError as OutcomeError,
        PrecisionWarning as PrecisionWarning,
        SharedDrawsWarning as SharedDrawsWarning,
        SiteError as SiteError,
        UnusedWeightsWarning as UnusedWeightsWarning,
        WeakTotalEffectWarning as WeakTotalEffectWarning,
    )
    from .analysis import (
        Screen as Screen,
        ablate as ablate,
        attribution as attribution,
        controls as controls,
        doses as doses,
        interactions as interactions,
        mediate as mediate,
        plan_sweep as plan_sweep,
        specification as specification,
    )
    from .engine import World as World
    from .estimands import (
        AblationEffect as AblationEffect,
        ControlledDirectEffect as ControlledDirectEffect,
        InterventionalDirectEffect as InterventionalDirectEffect,
        InterventionalIndirectEffect as InterventionalIndirectEffect,
        MediatedInteraction as MediatedInteraction,
        NaturalDirectEffect as NaturalDirectEffect,
        NaturalIndirectEffect as NaturalIndirectEffect,
        OverallEffect as OverallEffect,
        PortionEliminated as PortionEliminated,
        ProportionMediated as ProportionMediated,
        ReferenceInteraction as ReferenceInteraction,
        TotalEffect as TotalEffect,
    )
    from .interventions import (
        Add as Add,
        Assignment as Assignment,
        Blank as Blank,
        Blend as Blend,
        Constant as Constant,
        FirstRepeat as FirstRepeat,
        GaussianNoise as GaussianNoise,
        Identity as Identity,
        Interchange as Interchange,
        Masked as Masked,
        Mean as Mean,
        Oracle as Oracle,
        RandomDirection as RandomDirection,
        RandomWords as RandomWords,
        RepeatFirst as RepeatFirst,
        ReplaceText as ReplaceText,
        Scale as Scale,
        Shorten as Shorten,
        ShuffleSentences as ShuffleSentences,
        ShuffleSteps as ShuffleSteps,
        ShuffleWords as ShuffleWords,
        Skip as Skip,
        Subspace as Subspace,
        Swap as Swap,
        Then as Then,
        Truncate as Truncate,
        Zero as Zero,
        intervention as intervention,
        matched as matched,
        rewriter as rewriter,
    )
    from .models import (
        Architecture as Architecture,
        Model as Model,
        load as load,
        reinitialised as reinitialised,
    )
    from .outcomes import (
        KL as KL,
        Accuracy as Accuracy,
        AnswerCorrect as AnswerCorrect,
        AnswerFlipped as AnswerFlipped,
        Cued as Cued,
        Degenerate as Degenerate,
        LogitDiff as LogitDiff,
        LogProb as LogProb,
        Probability as Probability,
        ThoughtLength as ThoughtLength,
        Told as Told,
        judge as judge,
        outcome as outcome,
    )
    from .results import (
        Effects as Effects,
        Power as Power,
        compare_many as compare_many,
        effects as effects,
        power as power,
        read as read,
    )
    from .rollouts import Sampling as Sampling, Trajectory as Trajectory, do as do, rollout as rollout
    from .sites import (
        InputSite as InputSite,
        Site as Site,
        SiteSet as SiteSet,
        ThoughtSite as ThoughtSite,
        attention as attention,
        embedding as embedding,
        image as image,
        imagination as imagination,
        latents as latents,
        mlp as mlp,
        neurons as neurons,
        pattern as pattern,
        prompt as prompt,
        question as question,
        residual as residual,
    )
    from .specs import (
        CAPIMAGINE as CAPIMAGINE,
        LVR as LVR,
        MIRAGE as MIRAGE,
        MONET as MONET,
        LatentSpec as LatentSpec,
        Near as Near,
        TextSpec as TextSpec,
    )
    from .units import Pairs as Pairs, Prompt as Prompt, prompts as prompts

_MODULES = ("datasets", "engine", "inference", "plot", "probing", "testing")
_NAMES = {
    "_errors": (
        "AlignmentWarning",
        "BackendError",
        "DataError",
        "DegenerateWarning",
        "DominantUnitWarning",
        "FewEffectiveWarning",
        "DesignError",
        "DonorsWarning",
        "SharedDrawsWarning",
        "UnusedWeightsWarning",
        "WeakTotalEffectWarning",
        "FewResamplesWarning",
        "FlaggedUnitsWarning",
        "InteractionWarning",
        "MediationError",
        "MediationWarning",
        "OtherMachineWarning",
        "BatchDependenceWarning",
        "PrecisionWarning",
        "OutcomeError",
        "SiteError",
    ),
    "analysis": (
        "Screen",
        "ablate",
        "attribution",
        "controls",
        "doses",
        "interactions",
        "mediate",
        "plan_sweep",
        "specification",
    ),
    "engine": ("World",),
    "estimands": (
        "AblationEffect",
        "ControlledDirectEffect",
        "InterventionalDirectEffect",
        "InterventionalIndirectEffect",
        "MediatedInteraction",
        "NaturalDirectEffect",
        "NaturalIndirectEffect",
        "OverallEffect",
        "PortionEliminated",
        "ProportionMediated",
        "ReferenceInteraction",
        "TotalEffect",
    ),
    "interventions": (
        "Add",
        "Assignment",
        "Blank",
        "Blend",
        "Constant",
        "FirstRepeat",
        "GaussianNoise",
        "Identity",
        "Interchange",
        "Masked",
        "Mean",
        "Oracle",
        "RandomDirection",
        "RandomWords",
        "RepeatFirst",
        "ReplaceText",
        "Scale",
        "Shorten",
        "ShuffleSentences",
        "ShuffleSteps",
        "ShuffleWords",
        "Skip",
        "Subspace",
        "Swap",
        "Then",
        "Truncate",
        "Zero",
        "intervention",
        "matched",
        "rewriter",
    ),
    "models": ("Architecture", "Model", "load", "reinitialised"),
    "outcomes": (
        "KL",
        "Accuracy",
        "AnswerCorrect",
        "AnswerFlipped",
        "Cued",
        "Degenerate",
        "LogProb",
        "LogitDiff",
        "Probability",
        "ThoughtLength",
        "Told",
        "judge",
        "outcome",
    ),
    "results": ("Effects", "Power", "compare_many", "effects", "power", "read"),
    "rollouts": ("Sampling", "Trajectory", "do", "rollout"),
    "sites": (
        "InputSite",
        "Site",
        "SiteSet",
        "ThoughtSite",
        "attention",
        "embedding",
        "image",
        "imagination",
        "latents",
        "mlp",
        "neurons",
        "pattern",
        "prompt",
        "question",
        "residual",
    ),
    "specs": ("CAPIMAGINE", "LVR", "MIRAGE", "MONET", "LatentSpec", "Near", "TextSpec"),
    "units": ("Pairs", "Prompt", "prompts"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted([*_HOME, *_MODULES])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mediation")
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
