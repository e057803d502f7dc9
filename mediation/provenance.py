"""What a result keeps of its origin: versions of the libraries, and the tokens at each position."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .engine import Execution, Finished, Study, World
from .sites import SiteSet
from .units import Encoding, Pairs, digest

_CHECKS = ("batching", "consistency", "most_padded", "sample", "self_patch")
_LIBRARIES = ("mediation", "torch", "nnsight", "transformers", "numpy", "scipy", "pandas")


Named = Mapping[Any, Mapping[str, World]]
Counts = Sequence[tuple[int, int]]  # of a world: how many, and out of how many


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def provenance_of(
    finished: Finished, mediator: object, intervention: str, execution: Execution, named: Named | None = None
) -> dict[str, Any]:
    """Return what a result keeps of a run: model, question, plan, checks and versions, as plain data.

    Parameters
    ----------
    finished
        The run.
    mediator
        The site, the sites, or their names.
    intervention
        What was done there.
    execution
        How it was run.
    named
        Its worlds by mediator, or by site, arm and dose, and by name.
    """
    study = finished.study
    pairs = study.pairs
    report = dict(finished.report)
    checks = {name: report.pop(name) for name in _CHECKS if name in report}
    rolled = report.pop("rollout", None)
    of_passes = {"padding_side": execution.padding_side} if rolled is None else {}
    return {
        "model": study.model.describe(),
        "outcome": study.prepared.label,
        "mediator": _short(mediator) if isinstance(mediator, SiteSet) else str(mediator),
        "intervention": intervention,
        "pairs": {**_pairs(pairs), "n": len(finished.kept)},
        "seed": study.seed,
        **({} if rolled is None else {"rollout": {**rolled, "unparsed": unparsed_rates(finished, named or {})[0]}}),
        "plan": {"worlds": len(study.worlds), "n_draws": study.n_draws, **of_passes, **report},
        "checks": checks,
        "versions": versions(),
        **({"position_labels": position_labels(study.encoding)} if rolled is None or study.places else {}),
    }


def unparsed_rates(finished: Finished, named: Named) -> list[dict[str, float]]:
    """Return the share of generations without an answer that the rules find, by world; one mapping an outcome."""
    return [_shares(counts, finished.study, named) for counts in finished.report["rollout"]["unparsed"]]


def _shares(counts: Counts, study: Study, named: Named) -> dict[str, float]:
    """Return a share by world; that of an arm by its name."""
    index = {world: number for number, world in enumerate(study.worlds)}
    names = {
        index[world]: key[1] if name == "ym" and key[1] else name
        for key, worlds in named.items()
        for name, world in worlds.items()
    }
    found: dict[str, list[int]] = {}
    for number, name in sorted(names.items()):
        of = found.setdefault(name, [0, 0])
        of[0], of[1] = of[0] + counts[number][0], of[1] + counts[number][1]
    return {name: none / many for name, (none, many) in found.items() if many}


def _pairs(pairs: Pairs) -> dict[str, Any]:
    return {
        "n": len(pairs),
        **({"crossed": pairs.crossed} if pairs.crossed else {}),
        "base": pairs.columns[0],
        "source": pairs.columns[1],
        "cluster": pairs.cluster_name or ("given" if pairs.cluster is not None else ""),
        "inputs": "-".join(digest(one) for one in (pairs.base, pairs.source) if one is not None),
    }


def _short(sites: SiteSet) -> str:
    if len(sites) < 4:
        return " | ".join(map(str, sites.sites))
    return f"{len(sites)} sites: {sites.sites[0]} ... {sites.sites[-1]}"


def position_labels(encoding: Encoding) -> dict[str, str]:
    """Return a readable label for each position: the span's name and its first unit's tokens, or the token.

    Tokens are shown at an index only where all units have the same one.
    """
    inputs = encoding.runs.get("source", encoding.runs["base"])
    first = inputs[0]
    if first.length is None or not first.tokens:
        return {}
    labels = {}
    for name, positions in first.spans.items():
        text = "".join(first.tokens[p] for p in positions).strip()
        labels[name] = f"{name}\n{_wrapped(text)}" if text else name
    lengths = [one.length or 0 for one in inputs]
    for index in range(min(lengths)):
        labels[str(-index - 1)] = _token({one.tokens[-index - 1] for one in inputs}, str(-index - 1))
        if len(set(lengths)) == 1:
            labels[str(index)] = _token({one.tokens[index] for one in inputs}, str(index))
    return labels


def _token(tokens: set[str], position: str) -> str:
    return _cut(next(iter(tokens)).replace("\n", "\\n")) if len(tokens) == 1 else position


def _wrapped(text: str, width: int = 12, most: int = 2) -> str:
    """Return example text in brackets, on at most `most` lines."""
    return "\n".join(textwrap.wrap(f"({text})", width, max_lines=most, placeholder="…)"))


def _cut(text: str, most: int = 14) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
