"""A module while it is run: by one thread at a time, in evaluation mode, not compiled, and as it was once that ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any, final

import torch
from torch import nn

from ..errors import BackendError

_turn = threading.Condition()
_uses: list[Use] = []
_waits: dict[int, set[int]] = {}
_open_passes: list[bool] = []  # whether torch's fast path was on before, then one entry for each pass
_stances: list[Any] = []  # that of the compiler, then one entry for each run


@final
class Use:
    """What is kept of a module while a thread runs it.

    Attributes
    ----------
    kept
        What a run makes once and needs again, by a key of its maker's choice; dropped when the run ends.
    after
        What is done once the run ends, also after an error.
    """

    __slots__ = ("after", "depth", "kept", "module", "parts", "thread")

    def __init__(self, module: nn.Module, parts: frozenset[int]) -> None:
        self.module, self.parts = module, parts
        self.thread, self.depth = get_ident(), 1
        self.kept: dict[Any, Any] = {}
        self.after = ExitStack()


@contextmanager
def in_use(source: Any) -> Iterator[Use]:
    """Run a module: others wait, modes are those of evaluation, and it is left as it was.

    A thread may enter as often as it likes. Another thread that wants the module, one inside it, or one around it,
    waits until the first has left. Modes of single modules (``train`` or ``eval``) are put back on the way out.

    Parameters
    ----------
    source
        A module, a `Model`, or an nnsight model.

    Raises
    ------
    BackendError
        If two threads would wait for each other.
    """
    module = module_of(source)
    assert module is not None
    use = _enter(module)
    try:
        yield use
    finally:
        _leave(use)


def own_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Return a forward hook that does nothing where another thread runs the module."""
    me = get_ident()
    return lambda *args: hook(*args) if get_ident() == me else None


@contextmanager
def every_module_called() -> Iterator[None]:
    """Keep torch's own transformer layers from computing a block in one go, past the modules inside it."""
    with _turn:
        if not _open_passes:
            _open_passes.append(torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(False)
        _open_passes.append(False)
    try:
        yield
    finally:
        with _turn:
            _open_passes.pop()
            if len(_open_passes) == 1:
                torch.backends.mha.set_fastpath_enabled(_open_passes.pop())


def module_of(source: Any) -> nn.Module | None:
    """Return the module of a `Model` or an nnsight model, a module itself, or None for anything else."""
    if not isinstance(source, nn.Module) and isinstance(getattr(source, "module", None), nn.Module):
        source = source.module
    if type(source).__module__.split(".")[0] == "nnsight":
        source = source._module
    return source if isinstance(source, nn.Module) else None


def _enter(module: nn.Module) -> Use:
    me = get_ident()
    with _turn:
        for held in _uses:
            if held.thread == me and id(module) in held.parts:
                held.depth += 1
                return held
    use = Use(module, frozenset(map(id, module.modules())))
    with _turn:
        _wait_for(use)
        _uses.append(use)
    try:
        use.after.enter_context(_eagerly())
        use.after.callback(_evaluated(module))
    except BaseException:
        _leave(use)
        raise
    return use


def _wait_for(use: Use) -> None:
    """Wait, holding the lock, until no other thread runs a module that `use` has a part of."""
    me = use.thread
    try:
        while others := {one.thread for one in _uses if one.thread != me and not use.parts.isdisjoint(one.parts)}:
            _waits[me] = others
            if _waiting_for(me) & {me}:
                raise BackendError(
                    f"{type(use.module).__name__} is run in another thread, which waits for a model that this thread "
                    "runs: neither would ever go on. Run the models one after the other, or load each a second time."
                )
            _turn.wait()
    finally:
        _waits.pop(me, None)


def _waiting_for(thread: int) -> set[int]:
    """Return the threads that a thread waits for, and those that they wait for."""
    found: set[int] = set()
    todo = [thread]
    while todo:
        new = _waits.get(todo.pop(), set()) - found
        found |= new
        todo.extend(new)
    return found


def _leave(use: Use) -> None:
    with _turn:
        use.depth -= 1
        if use.depth:
            return
    try:
        use.after.close()
    finally:
        use.kept.clear()
        with _turn:
            _uses.remove(use)
            _turn.notify_all()


def _evaluated(module: nn.Module) -> Callable[[], None]:
    """Put a module into evaluation mode; return what puts every part back into its own."""
    modes = [(part, part.training) for part in module.modules()]
    if any(mode for _, mode in modes):
        module.eval()
        for part, _ in modes:
            part.training = False  # also where a `train` of their own leaves parts out

    def back() -> None:
        for part, mode in modes:
            if part.training != mode:
                part.train(mode)
        for part, mode in modes:
            part.training = mode

    return back


@contextmanager
def _eagerly() -> Iterator[None]:
    """Run as written what ``torch.compile`` was told to compile: compiled code calls no hooks.

    The setting is that of the whole process: the first run makes it, and the last one takes it back.
    """
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with _turn:
        if not _stances:
            _stances.append(torch.compiler.set_stance("force_eager"))
        _stances.append(None)
    try:
        yield
    finally:
        with _turn:
            _stances.pop()
            if len(_stances) == 1:
                _stances.pop().__exit__(None, None, None)
