"""What a stored run is the run of: everything that changes its numbers, by name, and a hash of it all."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, TypeAlias

import torch

from ...interventions import Donor
from ...models import Model, settings_of
from ...outcomes import Prepared
from ...units import Encoded
from ..study import Execution, Study
from ._code import NUMERICS, package_code
from ._fingerprint import fingerprint, structure_digest, weights_digest

Identity: TypeAlias = dict[str, Any]

IDENTITY_VERSION = 3
"""Raised whenever what is in an identity, or how it is digested, changes."""

_VERSIONS = ("mediation", "torch", "transformers")
_NOT_OF_THE_CONFIG = {
    *("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures", "id2label", "label2id"),
    *("_attn_implementation", "_attn_implementation_autoset", "output_attentions", "output_hidden_states"),
}

IN_IDENTITY: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Study": {
            "model": "weights, structure, settings, type, attention and device: every field model.*",
            "encoding": "token ids, tensors, features and spans of every unit: inputs.*, spans.*",
            "prepared": "the function from output to number, and what it reads: outcome.*",
            "worlds": "every world, by value: worlds",
            "seed": "where some world is random: seed",
            "n_draws": "where some world is random: n_draws",
            "sampled": "rollout.settings",
        },
        "Execution": {
            "backend": "backend",
            "batch_size": "batch_size; the tokens in a pass that replace None are kept with the run",
            "padding_side": "padding_side",
            "fan_out": "fan_out",
            "precision": "passes run on a copy of that type: model.dtype, model.weights",
        },
        "World": {"run": "in worlds", "assignment": "in worlds"},
        "Pairs": {
            "base": "as encoded: inputs.base",
            "source": "as encoded: inputs.source",
            "frame": "what the outcome reads of it: outcome.reads; donors matched by a column: donors",
            "spans": "as encoded: spans.base, spans.source",
        },
        "Encoded": {
            "ids": "inputs.*",
            "tensors": "inputs.*",
            "features": "inputs.*",
            "axes": "inputs.*",
            "aligned": "inputs.*",
            "spans": "spans.*",
        },
        "Prepared": {
            "label": "outcome",
            "reduce": "outcome.reads",
            "at": "outcome.at",
            "continuation": "outcome.continuation",
            "raw": "outcome.reads",
            "uses_reference": "outcome.reads",
            "asked": "outcome.reads",
            "reduce_asked": "outcome.reads",
            "of_input": "outcome.reads",
            "judge": "outcome.reads",
            "unparsed": "outcome.reads",
            "cue": "outcome.reads",
            "reader": "how generations are decoded: outcome.generation",
            "parts": "each of several, in a list: outcome.*",
        },
        "Model": {
            "module": "model.class, model.structure, model.settings, model.weights, model.config.*, model.dtype, "
            "model.device",
            "architecture": "model.architecture",
        },
    }
)
"""Fields that change numbers, and under which name the identity has them."""

NOT_IN_IDENTITY: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Study": {
            "pairs": "its fields are classed below",
            "places": "follow from sites and model",
            "order": "follows from sites and model",
            "inner": "are among worlds",
            "unembedding": "follows from model and outcome",
            "_donors": "a cache; where donors are drawn at random their units are in donors",
            "_tables": "a cache of positions, which follow from sites and inputs",
        },
        "Execution": {
            "checks": "cells that are computed once more, not values",
            "out": "where values are kept",
            "recheck": "cells that are computed once more, not values",
            "layout": "found by trying before anything is run",
        },
        "World": {},
        "Pairs": {
            "cluster": "intervals are computed after the run",
            "weight": "intervals are computed after the run",
            "columns": "names of columns",
            "cluster_name": "the name of a column",
            "answers_follow": "answers count as they are tokenised: outcome.reads",
        },
        "Encoded": {"tokens": "texts for axes and errors"},
        "Prepared": {},
        "Model": {
            "tokenizer": "inputs count as they are encoded; of rollouts its vocabulary does: rollout.tokenizer",
            "name": "weights count, not what they are called",
            "processor": "inputs count as they are encoded",
            "spec": "the one that a rollout uses counts: rollout.spec",
            "tree": "the architecture counts, not where it was found",
        },
    }
)
"""Fields that do not change what is stored, and why."""


def identity_of(study: Study, execution: Execution, more: Mapping[str, object] = MappingProxyType({})) -> Identity:
    """Return all that changes the numbers of a study, as plain data by name.

    Parameters
    ----------
    study, execution
        What is run, and how.
    more
        What else changes them, by name, such as the rules of a rollout.

    Raises
    ------
    DesignError
        If the outcome or an intervention reads something that cannot be told from another one.
    """
    random = study.sampled or any(world.is_random for world in study.worlds)
    found: Identity = {
        "format": IDENTITY_VERSION,
        **_model(study.model),
        "worlds": _worlds(study),
        **_inputs(study),
        **_outcome(study),
        "seed": study.seed if random else None,
        "n_draws": study.n_draws if random else None,
        "donors": _donors(study),
        **{name: _told(value, name) for name, value in more.items()},
        "backend": f"{execution.backend.name} ({type(execution.backend).__name__})",
        "batch_size": execution.batch_size,
        "padding_side": execution.padding_side,
        "fan_out": execution.fan_out,
        **{f"version of {name}": _version(name) for name in _VERSIONS},
        "numerics": NUMERICS,
        "code of mediation": package_code(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "autocast": torch.is_autocast_enabled(study.model.device.type),
    }
    plain: Identity = json.loads(json.dumps(found))
    return plain


def digest_of(identity: Identity) -> str:
    """Return the hash of an identity.

    Examples
    --------
    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def machine_of(study: Study) -> dict[str, str]:
    """Return what can change the last bits of a number and not its meaning."""
    device = study.model.device
    return {
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "accelerator": torch.cuda.get_device_name(device) if device.type == "cuda" else "none",
        "threads": str(torch.get_num_threads()),
    }


def _model(model: Model) -> Identity:
    config: Any = getattr(model.module, "config", None)
    settings = config.to_dict() if callable(getattr(config, "to_dict", None)) else {}
    kind = type(model.module)
    return {
        "model.class": f"{kind.__module__}.{kind.__qualname__}",
        **{
            f"model.config.{name}": _plain(value)
            for name, value in sorted(settings.items())
            if name not in _NOT_OF_THE_CONFIG
        },
        "model.dtype": str(model.dtype).removeprefix("torch."),
        "model.attention": getattr(config, "_attn_implementation", None),
        "model.device": model.device.type,
        "model.architecture": fingerprint(model.architecture, "the architecture"),
        "model.structure": structure_digest(model.module),
        "model.settings": fingerprint(settings_of(model.module), "the model"),
        "model.weights": weights_digest(model.module),
    }


def _plain(value: object) -> Any:
    return json.loads(json.dumps(value, default=str, sort_keys=True))


def _told(value: object, name: str) -> Any:
    """Return a number or a text as it is, and a digest of everything else."""
    return value if isinstance(value, (int, float, str, type(None))) else fingerprint(value, name)


def _worlds(study: Study) -> list[str]:
    """Return each world as it prints, and a digest: long tensors and a user's source do not print."""
    known: dict[object, str] = {}
    found = []
    for world in study.worlds:
        entries = []
        for site, what in world.assignment.entries if world.assignment is not None else ():
            if what not in known:
                known[what] = fingerprint(what, f"world {world}")
            entries.append(f"{[getattr(site, one.name) for one in fields(site)]} {known[what]}")
        digest = hashlib.sha256(repr((world.run, sorted(entries))).encode()).hexdigest()
        found.append(f"{world} #{digest[:12]}")
    return found


def _inputs(study: Study) -> Identity:
    runs = {world.run for world in study.worlds} | ({"base"} if study.prepared.uses_reference else set())
    if any(world.assignment is not None for world in study.worlds):
        runs = set(study.encoding.runs)
    found: Identity = {}
    for run in sorted(runs):
        units = study.encoding.runs[run]
        found[f"inputs.{run}"] = [_unit(one)[:12] for one in units]
        found[f"spans.{run}"] = [fingerprint(dict(one.spans), "spans")[:12] for one in units]
    return found


def _unit(one: Encoded) -> str:
    return fingerprint((one.ids, dict(one.tensors), dict(one.features), one.axes, dict(one.aligned)), "an input")


def _outcome(study: Study) -> Identity:
    each = [_one_outcome(part) for part in study.prepared.each]
    return {name: [one[name] for one in each] for name in each[0]} if study.prepared.parts else each[0]


def _one_outcome(prepared: Prepared) -> Identity:
    named = ("label", "at", "continuation", "parts", "reader", *NOT_IN_IDENTITY["Prepared"])
    reads = {one.name: getattr(prepared, one.name) for one in fields(prepared) if one.name not in named}
    reader = prepared.reader
    return {
        "outcome": prepared.label,
        "outcome.at": str(prepared.at),
        "outcome.continuation": fingerprint(prepared.continuation, "the outcome"),
        "outcome.reads": fingerprint(reads, f"outcome {prepared.label!r}"),
        **({} if reader is None else {"outcome.generation": fingerprint(reader.identity, "the generation")}),
    }


def _donors(study: Study) -> str | None:
    """Return a digest of which unit gave to which, where donors were drawn at random."""
    drawn: dict[str, list[list[int]]] = {}
    for world in study.worlds:
        for _, what in world.assignment.entries if world.assignment is not None else ():
            for need in what.needs():
                if isinstance(need, Donor) and need.unit not in ("own", "index") and repr(need) not in drawn:
                    draws = range(study.draws_of(world))
                    drawn[repr(need)] = [list(study.donors(need, draw)) for draw in draws]
    return fingerprint(drawn, "donors") if drawn else None


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
