"""Valid calls of what runs a model."""

from __future__ import annotations

from functools import cache
from typing import Any

import mediation as med
from mediation import engine, probing
from tests.errors.bench import Bench
from tests.errors.odd.recipe import Recipe
from tests.errors.wrong_thoughts import BASE, OUTCOME, SOURCE, SPEC, model

SITE = med.Site("fc1")
LAST = med.residual([0, 1], at="last")
INFERENCE = {"rng": 0, "method": "percentile", "confidence_level": 0.9, "n_resamples": 99}
EXECUTION = {
    "backend": "hooks", "batch_size": 4, "checks": 0, "fan_out": True, "out": None, "padding_side": "left",
    "progress": False,
}  # fmt: skip
PRECISION = {"precision": None, "recheck": None}
THINKING = {
    "spec": SPEC, "max_new_tokens": 8, "stop": ("w59",), "sampling": None, "batch_size": 4,
    "backend": "hooks", "checks": 0, "progress": False,
}  # fmt: skip


def plain(b: Bench) -> dict[str, Any]:
    return {"model": b.plain, "pairs": b.tensors, "outcome": med.LogitDiff(0, 1)}


def texts(b: Bench) -> dict[str, Any]:
    return {"model": b.llama, "pairs": b.pairs, "outcome": med.LogitDiff("answer", "foil")}


def thoughts(b: Bench) -> dict[str, Any]:
    return {"model": model(), "pairs": med.Pairs(base=BASE, source=SOURCE), "outcome": OUTCOME}


def _runs() -> list[Recipe]:
    return [
        Recipe("mediate", lambda b: med.mediate, lambda b: {
            **plain(b), "mediator": SITE, "estimands": ["te", "pnie"], "ablation": None, "donor": None, "n_draws": 1,
            "screen": None, "dry_run": False, **INFERENCE, **EXECUTION, **PRECISION}),
        Recipe("mediate", lambda b: med.mediate, lambda b: {
            **texts(b), "mediator": LAST, "estimands": "pnie", "screen": None, **INFERENCE, **EXECUTION}),
        Recipe("mediate", lambda b: med.mediate, lambda b: {
            **texts(b), "mediator": LAST, "outcome": {"one": med.LogitDiff("answer", "foil"), "two": med.KL()},
            "family": "all", **INFERENCE}),
        Recipe("mediate", lambda b: med.mediate, lambda b: {
            **plain(b), "mediator": SITE, "donor": med.Swap(), "n_draws": 2, **INFERENCE, **EXECUTION}),
        Recipe("mediate", lambda b: med.mediate, lambda b: {
            **thoughts(b), "mediator": med.latents(), "estimands": None, **INFERENCE, **THINKING}),
        Recipe("ablate", lambda b: med.ablate, lambda b: {
            **plain(b), "arms": {"zero": med.Zero().at(SITE), "noise": med.GaussianNoise(1.0).at(SITE)}, "sites": None,
            "run": "base", "n_draws": 2, "dry_run": False, **INFERENCE, **EXECUTION, **PRECISION}),
        Recipe("ablate", lambda b: med.ablate, lambda b: {
            **plain(b), "arms": med.Zero(), "sites": SITE, "run": "base", **INFERENCE, **EXECUTION}),
        Recipe("ablate", lambda b: med.ablate, lambda b: {
            **thoughts(b), "arms": med.Zero().at(med.latents()), "run": "base", **INFERENCE, **THINKING}),
        Recipe("attribution", lambda b: med.attribution, lambda b: {
            **texts(b), "mediator": LAST, "donor": None, "steps": 2, "padding_side": "left", "batch_size": 4,
            "progress": False}),
        Recipe("controls", lambda b: med.controls, lambda b: {
            **plain(b), "mediator": SITE, "controls": ["self-patch"], "estimand": "pnie", "n_draws": None, **INFERENCE,
            **EXECUTION}),
        Recipe("interactions", lambda b: med.interactions, lambda b: {
            **plain(b), "mediators": {"one": SITE, "two": med.Site("fc2")}, "direction": "denoising", "exact_up_to": 8,
            "n_orders": 64, "pairwise": True, **INFERENCE, **EXECUTION}),
        Recipe("plan_sweep", lambda b: med.plan_sweep, lambda b: {
            **texts(b), "mediator": LAST, "calibrate": False, "estimands": "pnie", "batch_size": 4}),
        Recipe("specification", lambda b: med.specification, lambda b: {
            "model": b.plain, "pairs": b.tensors, "mediator": SITE,
            "outcomes": {"logit": med.LogitDiff(0, 1), "probability": med.Probability(0)}, "corruptions": None,
            "arms": {"zero": med.Zero()}, "estimand": "pnie", "run": "base", "n_draws": 1, **INFERENCE, **EXECUTION}),
        Recipe("specification", lambda b: med.specification, lambda b: {
            "model": b.plain, "pairs": b.tensors, "mediator": SITE, "outcomes": [med.LogitDiff(0, 1)],
            "corruptions": {"other": b.tensors}, "arms": None, **INFERENCE, **EXECUTION}),
        Recipe("rollout", lambda b: med.rollout, lambda b: {
            "model": model(), "inputs": BASE, "spec": SPEC, "max_new_tokens": 4,
            "assignment": med.Zero().at(med.latents()), "prefill": False, "stop": ["w9"], "sampling": None, "rng": 0,
            "log_probs": "recorded", "errors": "raise", "batch_size": 2, "backend": "hooks", "progress": False}),
        Recipe("rollout", lambda b: med.rollout, lambda b: {
            "model": model(), "inputs": ["w3 w14 w5", "w9 w2 w5"], "spec": SPEC, "max_new_tokens": 4, "stop": "w9",
            "sampling": med.Sampling(), "rng": 0, "log_probs": [3, 4], "backend": "hooks"}),
        Recipe("Trajectory.thoughts", lambda b: rolled().thoughts, lambda b: {"segment": 0}),
        Recipe("Model.describe", lambda b: b.llama.describe, lambda b: {}),
        Recipe("Model.known_architecture", lambda b: b.llama.known_architecture, lambda b: {}),
        Recipe("probing.capture", lambda b: probing.capture, lambda b: {
            "model": b.plain, "inputs": b.tensors, "site": SITE, "run": "base", "spec": None, "layer": None,
            "max_new_tokens": 64, "batch_size": 4, "backend": "hooks"}),
        Recipe("probing.capture", lambda b: probing.capture, lambda b: {
            "model": model(), "inputs": BASE, "site": med.latents(), "spec": SPEC, "layer": None, "max_new_tokens": 4,
            "backend": "hooks"}),
        Recipe("probing.capture", lambda b: probing.capture, lambda b: {
            "model": model(), "inputs": BASE, "site": med.prompt(), "layer": 1, "backend": "hooks"}),
        Recipe("engine.backend_for", lambda b: engine.backend_for, lambda b: {"asked": "hooks"}),
        Recipe("engine.progress_for", lambda b: engine.progress_for, lambda b: {"asked": False}),
    ]  # fmt: skip


@cache
def rolled() -> med.rollouts.Trajectory:
    return med.rollout(model(), BASE, SPEC, max_new_tokens=5, backend="hooks")


@cache
def recipes() -> list[Recipe]:
    """Return every recipe."""
    return [*_runs()]
