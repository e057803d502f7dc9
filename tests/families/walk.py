"""Every kind of site in every block of one family: what the package gives, against plain exchanges one input at a time.

``python -m tests.families.walk FAMILY ...`` prints a line of JSON before and after each family.
"""

from __future__ import annotations

import gc
import inspect
import json
import logging
import os
import sys
import warnings
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch

import mediation as med
from mediation.engine import make_study

from .anatomy import HEAD, NEURONS, Anatomy, Inputs, Parts, anatomy
from .build import build, classes
from .extras import EXTRAS, NOT_BUILT, PICTURE, WITH_PICTURES
from .stream import Where

KINDS = ("residual", "attention", "head", "pattern", "mlp", "neurons", "embedding")
LENGTHS = (5, 11)  # of the inputs of each unit
TOLERANCE = 1e-4
TOKENS = (5, 6)
UNMOVED = "exact: but the exchange changes nothing here"
Cells = dict[str, dict[str, dict[int, str]]]


@dataclass
class Row:
    """What was found for one family: stack -> kind -> block -> verdict."""

    family: str
    kind: str
    model: str = ""
    reason: str = ""
    cells: Cells = field(default_factory=dict)


@dataclass
class Study:
    """A model, its blocks, and the units that it is asked about."""

    model: med.Model
    known: Anatomy
    base: list[Inputs]
    source: list[Inputs]

    def __post_init__(self) -> None:
        run = self.known.model
        with torch.no_grad():
            self.y00, self.y11 = ([difference(run(**one)) for one in side] for side in (self.base, self.source))
        self.theirs = [self.known.values(one) for one in self.source]

    @property
    def everywhere(self) -> bool:
        """Whether exchanges are of all tokens: inputs that are dictionaries of tensors have no named positions."""
        return len(self.base[0]) > 1

    def pairs(self) -> med.Pairs:
        if not self.everywhere:
            return med.Pairs(*([one["input_ids"][0] for one in side] for side in (self.base, self.source)))
        joined = [
            {name: torch.cat([one[name] for one in side]) for name in side[0]} for side in (self.base, self.source)
        ]
        return med.Pairs(*joined)


def inputs_of(family: str, two_stacks: bool, pictures: bool = False) -> tuple[list[Inputs], list[Inputs]]:
    """Return base and source inputs of random tokens; those of dictionaries of tensors are all of one length."""
    generator = torch.Generator().manual_seed(1)

    def tokens(length: int) -> torch.Tensor:
        return torch.randint(7, 250, (1, length), generator=generator)

    def side() -> list[Inputs]:
        if pictures:
            return [picture_of(family, generator) for _ in LENGTHS]
        if two_stacks:
            return [{"input_ids": tokens(8), "decoder_input_ids": tokens(5)} for _ in LENGTHS]
        return [{"input_ids": tokens(length)} for length in LENGTHS]

    return side(), side()


def picture_of(family: str, generator: torch.Generator) -> Inputs:
    """Return a prompt with one picture of random pixels, as the family's processor gives it."""
    words = torch.randint(7, 250, (1, 6), generator=generator)
    picture = torch.full((1, WITH_PICTURES[family][1]), PICTURE)
    ids = torch.cat([words[:, :2], picture, words[:, 2:]], 1)
    sizes = {"qwen2_vl": (16, 3 * 2 * 7 * 7), "idefics3": (1, 1, 3, 28, 28), "smolvlm": (1, 1, 3, 28, 28)}
    pixels = torch.randn(sizes.get(family, (1, 3, 28, 28)), generator=generator)
    kinds = (ids == PICTURE).long()
    more = {
        "gemma3": {"token_type_ids": kinds},
        "paligemma": {"token_type_ids": torch.zeros_like(kinds)},
        "qwen2_vl": {"image_grid_thw": torch.tensor([[1, 4, 4]]), "mm_token_type_ids": kinds},
    }
    return {"input_ids": ids, "pixel_values": pixels, **more.get(family, {})}


def difference(output: Any) -> float:
    """Return the difference of two logits at the last token."""
    logits = output.logits if getattr(output, "logits", None) is not None else output[0]
    return float(logits[0, -1, TOKENS[0]] - logits[0, -1, TOKENS[1]])


def site_of(kind: str, layer: int, stack: str | None, everywhere: bool) -> med.Site:
    """Return a site of a kind, at the last token, or at all tokens."""
    more: dict[str, Any] = {} if everywhere else {"at": "last"}
    if stack is not None and "stack" in inspect.signature(med.residual).parameters:
        more["stack"] = stack
    if kind == "embedding":
        return med.embedding(**more)
    if kind == "head":
        return med.attention(layer, head=HEAD, **more)
    if kind == "pattern":
        return med.pattern(layer, head=HEAD, **more)
    if kind == "neurons":
        return med.neurons(layer, NEURONS, **more)
    return getattr(med, kind)(layer, **more)


def stacks_of(known: Anatomy, two_stacks: bool) -> dict[str | None, str]:
    """Return stack -> path of its blocks; None where a model has one stack."""
    paths = list(dict.fromkeys(path for path, _ in known.parts))
    both = {stack: path for stack in ("encoder", "decoder") for path in paths if stack in path}
    if two_stacks and len(set(both.values())) == 2:
        return dict(both)
    of_tokens = {path for (path, _), one in known.parts.items() if set(one.shape) & known.lengths}
    paths = [path for path in paths if path in of_tokens] or paths
    sizes = {path: sum(one == path for one, _ in known.parts) for path in paths}
    return {None: max(paths, key=lambda path: sizes[path])} if paths else {}


# ---------------------------------------------------------------------------------------------- what the package gives


def ask(study: Study, sites: list[med.Site], **how: Any) -> dict[med.Site, list[list[float]] | Exception]:
    """Return y00, y01 and y11 of each site, or the error that asking for it raises."""
    if not sites:
        return {}
    mediator = sites[0]
    for site in sites[1:]:
        mediator = mediator | site  # type: ignore[assignment]
    try:
        outcome, options = (
            med.LogitDiff(*TOKENS),
            {"estimands": ["te", "pnie"], "n_resamples": 99, "rng": 0, "progress": False},
        )
        found = med.mediate(study.model, study.pairs(), mediator, outcome, **options, **how)
    except Exception as error:
        if len(sites) == 1:
            return {sites[0]: error}
        return {site: answer for one in sites for site, answer in ask(study, [one], **how).items()}
    if len(sites) == 1:
        return {sites[0]: found.units[["y00", "y01", "y11"]].to_numpy().T.tolist()}
    by_site = dict(list(found.units.groupby("site", sort=False)))
    return {site: by_site[str(site)][["y00", "y01", "y11"]].to_numpy().T.tolist() for site in sites}


_MORE = "FAULT: a head beyond the last one is taken"


def _has_no_more_heads(study: Study, kind: str, block: Where, site: med.Site) -> bool:
    """Whether the number of heads is no larger than that of the probabilities."""
    known = study.known.parts.get(block, Parts())
    return kind != "head" or "head" not in known.places or not _is_taken(study, site.with_(head=known.heads))


def _is_taken(study: Study, site: med.Site) -> bool:
    """Whether a site passes the checks that come before a run; the others are asked for one by one."""
    try:
        make_study(
            study.model, study.pairs(), [med.World("base", med.Interchange().at(site))], med.LogitDiff(*TOKENS), seed=0
        )
    except Exception:
        return False
    return True


# ---------------------------------------------------------------------------------------------- what is right


def right(study: Study, kind: str, block: Where, places: tuple[Where, ...]) -> list[list[float]]:
    """Return y00, y01 and y11, one plain pass at a time."""
    exchanged = [
        study.known.exchanged(kind, block, one, {place: theirs[place] for place in places}, study.everywhere)
        for one, theirs in zip(study.base, study.theirs, strict=True)
    ]
    return [study.y00, [difference(one) for one in exchanged], study.y11]


def readings(study: Study, kind: str, block: Where) -> list[tuple[Where, ...]]:
    """Return the places that a site may stand for, the first being what adds to the stream."""
    if kind == "embedding":
        place = ("embedding", "decoder" if "decoder" in block[0] and len(study.known.lengths) > 1 else "encoder")
        return [(place,)] if place in study.known.embeddings else []
    parts = study.known.parts.get(block, Parts())
    found = [parts.places[kind]] if kind in parts.places else []
    linear = {"attention": "head", "mlp": "neurons"}.get(kind)
    if found and linear in parts.places:  # before a norm or a scale of what is added
        found.append((("after", *parts.places[linear][0]),))
    return found


def gap(one: list[list[float]], other: list[list[float]]) -> float:
    """Return the largest difference; NaN counts as one."""
    found = (torch.tensor(one) - torch.tensor(other)).abs()
    return float(found.nan_to_num(nan=float("inf")).max())


def verdict(study: Study, kind: str, block: Where, got: list[list[float]] | Exception) -> str:
    """Return "exact", "none", "refused: ..." or "FAULT: ..."."""
    places = readings(study, kind, block)
    if isinstance(got, med.MediationError):
        words = f"{type(got).__name__}: {' '.join(str(got).split())}"
        known = bool(places) or kind == "embedding" or study.known.parts.get(block, Parts()).followed
        return f"none: {words}" if known and not places else f"refused: {words}"
    if isinstance(got, Exception):
        return f"FAULT: {type(got).__name__}: {' '.join(str(got).split())[:300]}"
    wants: list[list[list[float]]] = []
    for one in places:
        wants.append(right(study, kind, block, one))
        if gap(got, wants[-1]) < TOLERANCE:
            moved = gap([wants[-1][0]], [wants[-1][1]])
            return "exact" if moved > TOLERANCE / 10 else UNMOVED
    others = study.known.parts.get(block, Parts()).others
    if (
        kind == "mlp"
        and not places
        and len(others) > 1
        and gap(got, right(study, kind, block, others[-1:])) < TOLERANCE
    ):
        return "exact: it mixes tokens as well"  # the second part of a block whose MLP looks at the token before
    if not wants:
        return "FAULT: a number, and no such part was found"
    wrong = [name for name, a, b in zip(("y00", "y01", "y11"), got, wants[0], strict=True) if gap([a], [b]) > TOLERANCE]
    want = " or ".join(_short(one[1]) for one in wants)
    return f"FAULT: wrong {', '.join(wrong)}: y01 got {_short(got[1])}, want {want}"


def _short(values: list[float]) -> str:
    return str([round(value, 5) for value in values])


# ---------------------------------------------------------------------------------------------- a family


def walk(named: str) -> Row:
    """Return what is found for one family; "llava with pictures" is llava with a picture in every prompt."""
    family, _, pictures = named.partition(" with ")
    row = Row(named, *classes()[family])
    if family in NOT_BUILT:
        row.reason = f"not built: {NOT_BUILT[family]}"
        return row
    net = build(family, WITH_PICTURES[family][0] if pictures else EXTRAS.get(family, {}))
    base, source = inputs_of(family, bool(net.config.is_encoder_decoder), bool(pictures))
    with torch.no_grad():
        net(**base[0])
    known = anatomy(deepcopy(net), base[0])
    try:
        model = med.load(net)
    except med.MediationError as error:
        row.reason = f"refused: {type(error).__name__}: {error}"
        return row
    study = Study(model, known, base, source)
    found = stacks_of(known, bool(net.config.is_encoder_decoder))
    if not found:
        row.cells[""] = _cells(study, None, "")
    for stack, path in found.items():
        row.cells[stack or ""] = _cells(study, stack, path)
    return row


def _cells(study: Study, stack: str | None, path: str) -> dict[str, dict[int, str]]:
    blocks = [name for name in study.known.parts if name[0] == path] or [("", 0)]
    asked = [(kind, block) for kind in KINDS for block in (blocks[:1] if kind == "embedding" else blocks)]
    sites = {one: site_of(one[0], one[1][1], stack, study.everywhere) for one in asked}
    taken = [site for site in sites.values() if _is_taken(study, site)]
    answers = ask(study, taken)
    for site in sites.values():
        if site not in taken:
            answers |= ask(study, [site])
    cells: dict[str, dict[int, str]] = {}
    for kind, block in asked:
        site = sites[kind, block]
        found = verdict(study, kind, block, answers[site])
        if isinstance(answers[site], med.MediationError) and "batch_size=1" in str(answers[site]):
            alone = verdict(study, kind, block, ask(study, [site], batch_size=1)[site])
            found = f"{alone}, with batch_size=1; else {found}" if alone == "exact" else alone
        cells.setdefault(kind, {})[block[1]] = found if _has_no_more_heads(study, kind, block, site) else _MORE
    return cells


def everything() -> list[str]:
    """Return the names of all that is walked."""
    return [*classes(), *(f"{family} with pictures" for family in WITH_PICTURES)]


def main(families: list[str]) -> None:
    """Walk families, one after the other, and say so line by line."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    for family in families:
        print(json.dumps({"begins": family}), flush=True)
        try:
            row = walk(family)
        except Exception as error:
            row = Row(
                family,
                *classes()[family.partition(" with ")[0]],
                f"FAULT: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            )
        print(json.dumps(vars(row)), flush=True)
        gc.collect()


if __name__ == "__main__":
    main(sys.argv[1:])
