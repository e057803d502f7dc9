"""The one file that opens nnsight traces.

nnsight re-reads the body of a ``with`` block from its source and runs it beside the forward pass, so the
block below is generic and visits are plain functions that it calls; they must come in execution order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import Any, final

import torch
from torch import nn

from ...errors import SiteError
from ...models import Model, Use, every_module_called, in_use
from ._backend import AbstractBackend, Visit, main_tensor, with_main_tensor
from ._hooks import attached

_FORWARD, _STATE = "forward", "__nnsight__"  # what nnsight puts into the `__dict__` of each module that it wraps


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

        named = {name: value for name, value in inputs.items() if name}
        first = [inputs[""]] if "" in inputs else []
        patterns = [visit for visit in visits if visit.io == "pattern"]
        rest = [visit for visit in visits if visit.io != "pattern"]
        with in_use(model.module) as use:
            wrapped, envoys = _wrapped(model.module, use)
            with (
                attached(model.module, patterns),  # softmax is no module
                torch.no_grad(),
                every_module_called(),
                wrapped.trace(*first, **named),
            ):
                for visit in rest:
                    _stop(envoys[visit.path], visit)
                result = nnsight.save(finish(wrapped.output))
        return result


def _wrapped(module: nn.Module, use: Use) -> tuple[Any, Mapping[str, Any]]:
    """Return the nnsight model of `module` and its envoys by path, made once for each use.

    nnsight replaces the forward of every module for good. Here all of it is taken back once the use ends, so that the
    next run sees the modules of that day, and the user's model is as it was.
    """
    key = (_STATE, id(module))
    if key not in use.kept:
        from nnsight import NNsight
        from nnsight.intervention.interleaver import Interleaver

        class OwnThread(Interleaver):  # type: ignore[misc]
            """Serves the thread that traces; a forward pass of another thread goes by as if nothing were there."""

            @property
            def busy(self) -> bool:
                return self._busy and self._thread == get_ident()

            @busy.setter
            def busy(self, busy: bool) -> None:
                self._busy, self._thread = busy, get_ident()

        class Placed(NNsight):  # type: ignore[misc]
            """Leaves inputs where they are: the first parameter of an offloaded model is on no real device."""

            device = None

        use.after.callback(_restore, [_Before(part) for part in module.modules()])
        with warnings.catch_warnings():
            # Submodules called "output" (BERT) get another name as attributes; here they are found by path.
            warnings.filterwarnings("ignore", message="Module .* has a submodule named")
            wrapped = Placed(module, interleaver=OwnThread())
        names = {id(inner): path for path, inner in module.named_modules()}
        use.kept[key] = wrapped, {names[id(envoy._module)]: envoy for envoy in wrapped.modules()}
    found: tuple[Any, Mapping[str, Any]] = use.kept[key]
    return found


@final
class _Before:
    """What a module had in the places that nnsight takes."""

    __slots__ = ("forward", "part", "slots", "state")

    def __init__(self, part: nn.Module) -> None:
        self.part = part
        self.forward, self.state = part.__dict__.get(_FORWARD), part.__dict__.get(_STATE)
        # An nnsight model of the user's own has a state here already, which is shared and goes on being used.
        self.slots = {name: getattr(self.state, name) for name in getattr(self.state, "__slots__", ())}


def _restore(before: Sequence[_Before]) -> None:
    for one in before:
        own = one.part.__dict__
        for name, value in ((_FORWARD, one.forward), (_STATE, one.state)):
            if value is None:
                own.pop(name, None)
            else:
                own[name] = value
        for name, value in one.slots.items():
            setattr(one.state, name, value)


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
