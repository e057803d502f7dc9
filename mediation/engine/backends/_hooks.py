"""Plain forward hooks: a backend without nnsight, and the order in which a model calls its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from ...errors import SiteError
from ...models import Model, every_module_called, in_use, own_thread
from ._backend import AbstractBackend, Visit, main_tensor, with_main_tensor
from ._softmax import watch_softmax

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
        with in_use(model.module), attached(model.module, visits), torch.no_grad():
            return finish(call(model.module, inputs))


@contextmanager
def attached(module: nn.Module, visits: Sequence[Visit]) -> Iterator[None]:
    """Attach a hook a visit, while the context is open."""
    handles: list[Any] = []
    try:
        for visit in visits:
            handles.extend(attach(module.get_submodule(visit.path), visit))
        yield
    finally:
        for handle in handles:
            handle.remove()


def call(module: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Call `module`; the key "" holds its first positional argument."""
    named = {name: value for name, value in inputs.items() if name}
    with in_use(module), every_module_called():
        return module(inputs[""], **named) if "" in inputs else module(**named)


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

        return [module.register_forward_hook(own_thread(after))]
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

        return [module.register_forward_pre_hook(own_thread(before), with_kwargs=True)]
    return _watch_softmax(module, visit)


def _watch_softmax(module: nn.Module, visit: Visit) -> list[Any]:
    """Let `visit` see the result of the softmax that runs while `module` does."""
    seen: list[int] = []
    ends: list[Callable[[], None]] = []

    def see(result: Tensor) -> Tensor | None:
        seen.append(1)
        return visit.see(result)

    def enter(_: nn.Module, __: Any) -> None:
        seen.clear()
        ends.append(watch_softmax(see))

    def leave(_: nn.Module, __: Any, ___: Any) -> None:
        ends.pop()()
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
        module.register_forward_pre_hook(own_thread(enter)),
        module.register_forward_hook(own_thread(leave), always_call=False),
        _Ending(ends),
    ]


@final
class _Ending:
    """Ends what was begun in a pass that failed on its way."""

    __slots__ = ("_ends",)

    def __init__(self, ends: list[Callable[[], None]]) -> None:
        self._ends = ends

    def remove(self) -> None:
        while self._ends:
            self._ends.pop()()


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
    with in_use(model.module), _recording(model.module, paths, patterns, events), torch.no_grad():
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
        entered, left = (own_thread(lambda *_, p=path, io=io: events.append((p, io))) for io in ("input", "output"))
        handles += [inner.register_forward_pre_hook(entered), inner.register_forward_hook(left)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
