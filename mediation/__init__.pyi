"""The names of the front door, for type checkers, for editors, and for `mediation._front`, which loads them."""

from . import (
    analysis as analysis,
    datasets as datasets,
    engine as engine,
    errors as errors,
    estimands as estimands,
    estimate as estimate,
    inference as inference,
    interventions as interventions,
    models as models,
    outcomes as outcomes,
    plot as plot,
    probing as probing,
    results as results,
    rewrites as rewrites,
    rollouts as rollouts,
    sites as sites,
    specs as specs,
    testing as testing,
    units as units,
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
from .errors import MediationError as MediationError, MediationWarning as MediationWarning
from .interventions import (
    Add as Add,
    Blend as Blend,
    Constant as Constant,
    GaussianNoise as GaussianNoise,
    Interchange as Interchange,
    Masked as Masked,
    Mean as Mean,
    Scale as Scale,
    Subspace as Subspace,
    Swap as Swap,
    Zero as Zero,
    intervention as intervention,
)
from .models import Model as Model, load as load
from .outcomes import (
    KL as KL,
    Accuracy as Accuracy,
    AnswerCorrect as AnswerCorrect,
    LogitDiff as LogitDiff,
    LogProb as LogProb,
    Probability as Probability,
    outcome as outcome,
)
from .results import (
    Effects as Effects,
    compare_many as compare_many,
    effects as effects,
    power as power,
    read as read,
)
from .rewrites import matched as matched
from .rollouts import Sampling as Sampling, do as do, rollout as rollout
from .sites import (
    Site as Site,
    SiteSet as SiteSet,
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
from .specs import LatentSpec as LatentSpec, TextSpec as TextSpec
from .units import Pairs as Pairs, Prompt as Prompt, prompts as prompts

__version__: str
