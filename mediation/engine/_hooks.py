"""Plain forward hooks: a backend without nnsight, and the order in which a model calls its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from .._errors import SiteError
from ..models import Model
from ._backend import AbstractBackend, Visit, main_tensor, with_main_tensor

Order = dict[tuple[str, str], int]


@final
@dataclass(frozen=True, slots=True)
class HookBackend(AbstractBackend):
    """Interventions through ``register_forward_hook``; slower to reason about, needs nothing else."""

    @property
    def name(self) -> str:
        """Name in provenance and errors."""
        return "hooks"

    def forward(
        self, model: Model, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        """Run once with a hook a visit; see `AbstractBackend.forward`."""
        handles: list[Any] = []
        try:
            for visit in visits:
                handles.extend(attach(model.module.get_submodule(visit.path), visit))
            with torch.no_grad():
                return finish(call(model.module, inputs))
        finally:
            for handle in handles:
                handle.remove()


def call(module: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Call `module`; the key "" holds its first positional argument."""
    named = {name: value for name, value in inputs.items() if name}
    with every_module_called():
        return module(inputs[""], **named) if "" in inputs else module(**named)


@contextmanager
def every_module_called() -> Iterator[None]:
    """Keep torch's own transformer layers from computing a block in one go, past the modules inside it."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def attach(module: nn.Module, visit: Visit) -> list[Any]:
    """Attach one visit to its module, and return the handles that remove it."""
    if visit.io == "output":

        def after(_: nn.Module, __: Any, output: Any) -> Any:
            tensor = main_tensor(output)
            if tensor is None:
                raise SiteError(
                    f"The output of {visit.path!r} is {type(output).__name__}, which holds no tensor first."
                )
            changed = visit.see(tensor)
            return None if changed is None else with_main_tensor(output, changed)

        return [module.register_forward_hook(after)]
    if visit.io == "input":

        def before(_: nn.Module, args: Any, kwargs: Any) -> Any:
            name = next(iter(kwargs)) if not args else None
            tensor = main_tensor(args[0] if args else kwargs[name])
            if tensor is None:
                raise SiteError(f"The input of {visit.path!r} holds no tensor first.")
            changed = visit.see(tensor)
            if changed is None:
                return None
            return ((changed, *args[1:]), kwargs) if args else (args, {**kwargs, name: changed})

        return [module.register_forward_pre_hook(before, with_kwargs=True)]
    return _watch_softmax(module, visit)


def _watch_softmax(module: nn.Module, visit: Visit) -> list[Any]:
    """Let `visit` see the result of the softmax that runs while `module` does."""
    owners: tuple[Any, ...] = (torch.nn.functional, torch)
    plain = {owner: owner.softmax for owner in owners}
    seen: list[int] = []

    def enter(_: nn.Module, __: Any) -> None:
        seen.clear()
        for owner, softmax in plain.items():
            owner.softmax = _watched(softmax, visit, seen)

    def leave(_: nn.Module, __: Any, ___: Any) -> None:
        for owner, softmax in plain.items():
            owner.softmax = softmax
        if len(seen) > 1:
            raise SiteError(
                f"Softmax ran {len(seen)} times inside {visit.path!r} ({type(module).__name__}), so there is no single "
                "pattern of attention probabilities. Use med.attention(layer, head=...)."
            )
        if not seen:
            eager = getattr(getattr(module, "config", None), "_attn_implementation", None) == "eager"
            if eager:
                raise SiteError(
                    f"No softmax of torch ran inside {visit.path!r} ({type(module).__name__}), so there are no "
                    "attention probabilities to act on. Use med.attention(layer, head=...)."
                )
            raise SiteError(
                f"No softmax ran inside {visit.path!r}: attention probabilities are computed in the open only "
                "with eager attention: med.load(..., attn_implementation='eager')."
            )

    return [
        module.register_forward_pre_hook(enter),
        module.register_forward_hook(leave, always_call=False),
        _Restore(plain),
    ]


def _watched(softmax: Callable[..., Tensor], visit: Visit, seen: list[int]) -> Callable[..., Tensor]:
    def watched(*args: Any, **kwargs: Any) -> Tensor:
        result = softmax(*args, **kwargs)
        seen.append(1)
        changed = visit.see(result)
        return result if changed is None else changed

    return watched


@final
class _Restore:
    """Puts the plain softmax back, whatever happened."""

    __slots__ = ("_plain",)

    def __init__(self, plain: Mapping[Any, Callable[..., Tensor]]) -> None:
        self._plain = plain

    def remove(self) -> None:
        for owner, softmax in self._plain.items():
            owner.softmax = softmax


def execution_order(model: Model, inputs: Mapping[str, Any], places: Sequence[tuple[str, str]]) -> Order:
    """Return when each side of each module is reached, from one run of `inputs`.

    Parameters
    ----------
    places
        Paths with "input", "output" or "pattern"; both sides of every path are timed, patterns where asked.

    Raises
    ------
    SiteError
        If a module is not called, or is called several times.
    """
    events: list[tuple[str, str]] = []
    paths = list(dict.fromkeys(path for path, _ in places))
    patterns = [path for path, io in dict.fromkeys(places) if io == "pattern"]
    with _recording(model.module, paths, patterns, events), torch.no_grad():
        call(model.module, inputs)
    for path in paths:
        count = events.count((path, "input"))
        if count != 1:
            found = "is not called by this model's forward" if count == 0 else f"is called {count} times in one forward"
            raise SiteError(
                f"Module {path!r} {found}; a site is a module that is called once. "
                "Name a module inside it or around it."
            )
    return {event: index for index, event in enumerate(events)}


@contextmanager
def _recording(
    module: nn.Module, paths: Sequence[str], patterns: Sequence[str], events: list[tuple[str, str]]
) -> Iterator[None]:
    handles: list[Any] = []
    for path in patterns:
        watch = Visit(path, "pattern", lambda _, p=path: events.append((p, "pattern")))  # type: ignore[misc]
        handles.extend(_watch_softmax(module.get_submodule(path), watch))
    for path in paths:
        inner = module.get_submodule(path)
        handles.append(inner.register_forward_pre_hook(lambda _, __, p=path: events.append((p, "input"))))
        handles.append(inner.register_forward_hook(lambda _, __, ___, p=path: events.append((p, "output"))))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
