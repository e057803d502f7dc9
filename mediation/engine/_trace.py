"""The one file that opens nnsight traces.

nnsight re-reads the body of a ``with`` block from its source and runs it beside the forward pass, so the
block below is generic and visits are plain functions that it calls; they must come in execution order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

import torch
from torch import nn

from .._errors import SiteError
from ..models import Model
from ._backend import AbstractBackend, Visit, main_tensor, with_main_tensor
from ._hooks import attach, every_module_called

_NAME = "_mediation_nnsight"


@final
class _Kept:
    """The nnsight model of a module and its envoys by path; a copy of the module makes its own."""

    __slots__ = ("envoys", "model")

    def __init__(self, model: Any = None, envoys: Mapping[str, Any] = MappingProxyType({})) -> None:
        self.model, self.envoys = model, envoys

    def __reduce__(self) -> tuple[type[_Kept], tuple[()]]:
        return _Kept, ()


@final
@dataclass(frozen=True, slots=True)
class NnsightBackend(AbstractBackend):
    """Interventions through nnsight: the default."""

    @property
    def name(self) -> str:
        """Name in provenance and errors."""
        return "nnsight"

    def forward(
        self, model: Model, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        """Run one trace; see `AbstractBackend.forward`."""
        import nnsight

        wrapped, envoys = _wrap(model.module)
        named = {name: value for name, value in inputs.items() if name}
        first = [inputs[""]] if "" in inputs else []
        patterns = [visit for visit in visits if visit.io == "pattern"]
        rest = [visit for visit in visits if visit.io != "pattern"]
        with _patterns(model.module, patterns), torch.no_grad(), every_module_called(), wrapped.trace(*first, **named):
            for visit in rest:
                _stop(envoys[visit.path], visit)
            result = nnsight.save(finish(wrapped.output))
        return result


@contextmanager
def _patterns(module: nn.Module, visits: Sequence[Visit]) -> Iterator[None]:
    """Watch the softmax inside attention modules: it is no module, and nnsight's `source` finds it in few families."""
    handles: list[Any] = []
    try:
        for visit in visits:
            handles.extend(attach(module.get_submodule(visit.path), visit))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _wrap(module: nn.Module) -> tuple[Any, Mapping[str, Any]]:
    """Return the nnsight model of `module` and its envoys by path, made once and kept on the module itself.

    On the module, so that both are freed together; a table here would keep every model alive.
    """
    kept: _Kept = module.__dict__.get(_NAME, _Kept())
    if kept.model is None or kept.model._module is not module:
        from nnsight import NNsight

        class Placed(NNsight):  # type: ignore[misc]
            """Leaves inputs where they are: the first parameter of an offloaded model is on no real device."""

            device = None

        with warnings.catch_warnings():
            # Submodules called "output" (BERT) get another name as attributes; here they are found by path.
            warnings.filterwarnings("ignore", message="Module .* has a submodule named")
            wrapped = Placed(module)
        names = {id(inner): path for path, inner in module.named_modules()}
        kept = _Kept(wrapped, {names[id(envoy._module)]: envoy for envoy in wrapped.modules()})
        module.__dict__[_NAME] = kept
    return kept.model, kept.envoys


def _stop(envoy: Any, visit: Visit) -> None:
    """Make one visit, inside an open trace."""
    value = envoy.output if visit.io == "output" else envoy.input
    tensor = main_tensor(value)
    if tensor is None:
        raise SiteError(f"The {visit.io} of {visit.path!r} is {type(value).__name__}, which holds no tensor first.")
    changed = visit.see(tensor)
    if changed is None:
        return
    if visit.io == "output":
        envoy.output = with_main_tensor(value, changed)
    else:
        envoy.input = with_main_tensor(value, changed)
