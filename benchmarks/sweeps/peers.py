"""The sweep by other libraries, as their documentation writes it: one forward pass a site."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from .case import Case, Site
from .watch import Arm, Cell, Timed, Watch

INSTALL = "pip install -c constraints.txt -e '.[bench]'"
_PACKAGES = {"TransformerLens": "transformer_lens", "pyvene": "pyvene"}


def peer_arms(case: Case, batch: int) -> tuple[list[Arm], list[str]]:
    """Return the arms of TransformerLens and pyvene, and a line for each that is not installed.

    Parameters
    ----------
    batch
        Units in a batch, for the arms that do several at once.
    """
    makers: dict[str, Callable[[Case, int], list[Arm]]] = {
        "TransformerLens": _transformer_lens_arms,
        "pyvene": _pyvene_arms,
    }
    arms, missing = [], []
    for name, package in _PACKAGES.items():
        if find_spec(package) is None:
            missing.append(f"{name} is not installed, so its rows are left out. To have them: {INSTALL}")
            continue
        arms += makers[name](case, batch)
    return arms, missing


def nnsight_arms(case: Case, batch: int) -> list[Arm]:
    """Return the arms of nnsight: a trace a site, the same with a batch of units, and an invoke a site."""
    from nnsight import TransformersModel

    model = TransformersModel(case.bare(), tokenizer=case.tokenizer, task="text-generation")

    def capture(ids: Tensor) -> list[Tensor]:
        kept: list[Tensor] = []
        with torch.no_grad(), model.trace(ids, logits_to_keep=1):
            for block in model.model.layers:
                kept.append(block.output.clone().save())
        return kept

    def trace(**options: Any) -> Callable[[Tensor, Any, Site], Tensor]:
        def one(ids: Tensor, donors: Any, site: Site) -> Tensor:
            layer, position = site
            with torch.no_grad(), model.trace(ids, **options):
                model.model.layers[layer].output[:, position] = donors[layer][:, position]
                logits = model.lm_head.output[:, -1]
                found = (logits[:, case.answer] - logits[:, case.foil]).save()
            return found

        return one

    def invokes(ids: Tensor, donors: Any, position: int) -> Tensor:
        found: list[Tensor] = []
        with torch.no_grad(), model.trace() as tracer:
            for layer in range(case.layers):
                with tracer.invoke(ids):
                    model.model.layers[layer].output[:, position] = donors[layer][:, position]
                    logits = model.lm_head.output[:, -1]
                    found.append((logits[:, case.answer] - logits[:, case.foil]).save())
        return torch.cat(found)

    return [
        _per_site(case, "nnsight, a trace a site", capture, trace()),
        _per_site(case, "nnsight, a trace a site, last logits", capture, trace(logits_to_keep=1)),
        _per_site(case, f"nnsight, a trace a site, batch of {batch}", capture, trace(), batch),
        _by_position(case, f"nnsight, an invoke a site, {case.layers} a trace", capture, invokes),
    ]


def _transformer_lens_arms(case: Case, batch: int) -> list[Arm]:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    with _quiet(), TemporaryDirectory() as folder:  # it reads its tokenizer again from where it came from
        case.tokenizer.save_pretrained(folder)
        model = TransformerBridge.boot_transformers(
            folder,
            hf_model=case.bare(),
            tokenizer=AutoTokenizer.from_pretrained(folder),
            dtype=case.module.dtype,
            device=case.module.device,
        )
    names = [f"blocks.{layer}.hook_out" for layer in range(case.layers)]

    def capture(ids: Tensor) -> list[Tensor]:
        with torch.no_grad():
            _, cache = model.run_with_cache(ids, names_filter=names)
        return [cache[name] for name in names]

    def one(ids: Tensor, donors: Any, site: Site) -> Tensor:
        layer, position = site

        def patch(hidden: Tensor, hook: Any) -> Tensor:
            hidden[:, position] = donors[layer][:, position]
            return hidden

        with torch.no_grad():
            logits = model.run_with_hooks(ids, fwd_hooks=[(names[layer], patch)])[:, -1]
        return logits[:, case.answer] - logits[:, case.foil]

    return [
        _per_site(case, "TransformerLens, run_with_hooks a site", capture, one),
        _per_site(case, f"TransformerLens, run_with_hooks a site, batch of {batch}", capture, one, batch),
    ]


def _pyvene_arms(case: Case, batch: int) -> list[Arm]:
    with _quiet():
        import pyvene

    module = case.bare()

    def one(ids: Tensor, donors: Tensor, site: Site) -> Tensor:
        layer, position = site
        representation = {
            "layer": layer,
            "component": "block_output",
            "intervention_type": pyvene.VanillaIntervention,
        }
        model = pyvene.IntervenableModel(representation, module)
        with torch.no_grad():
            _, output = model({"input_ids": ids}, [{"input_ids": donors}], {"sources->base": position})
        logits = output.logits[:, -1]
        return logits[:, case.answer] - logits[:, case.foil]

    def nothing(ids: Tensor) -> Tensor:
        return ids  # the model runs the source itself, with every site

    return [
        _per_site(case, "pyvene, a model a site", nothing, one),
        _per_site(case, f"pyvene, a model a site, batch of {batch}", nothing, one, batch),
    ]


def _per_site(
    case: Case, name: str, capture: Callable[[Tensor], Any], one: Callable[[Tensor, Any, Site], Tensor], units: int = 1
) -> Arm:
    def run(sites: Sequence[Site], watch: Watch) -> Timed:
        base, source = case.base[:units], case.source[:units]
        values: dict[Cell, float] = {}
        with _quiet():
            with watch("capture"):
                donors = capture(source)
            for layer, position in sites:
                with watch("sites"):
                    found = one(base, donors, (layer, position)).tolist()
                values.update({(unit, layer, position): value for unit, value in enumerate(found)})
        return Timed(values, watch.spent["capture"], watch.spent["sites"], len(values))

    return Arm(name, run, units)


def _by_position(
    case: Case, name: str, capture: Callable[[Tensor], Any], one: Callable[[Tensor, Any, int], Tensor]
) -> Arm:
    """Return an arm that does all layers of the last position that is asked for."""

    def run(sites: Sequence[Site], watch: Watch) -> Timed:
        position = max(place for _, place in sites)
        with watch("capture"):
            donors = capture(case.source[:1])
        with watch("sites"):
            found = one(case.base[:1], donors, position).tolist()
        values = {(0, layer, position): value for layer, value in enumerate(found)}
        return Timed(values, watch.spent["capture"], watch.spent["sites"], len(values))

    return Arm(name, run)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep out what other libraries print or warn of while they are timed."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
