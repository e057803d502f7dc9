"""Load a model from whatever the user has: a hub id, a path, a GGUF file, a module, an nnsight model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._errors import BackendError, DesignError
from ._architecture import Architecture, check_architecture, find_architecture
from ._model import Model

_HEADS = ("AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForSequenceClassification")


def load(
    source: str | os.PathLike[str] | nn.Module | Any,
    tokenizer: Any = None,
    *,
    architecture: Architecture | None = None,
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Model:
    """Load a model to intervene on.

    Parameters
    ----------
    source
        A hub id, a local directory, a ``.gguf`` file, a `transformers` model, an nnsight model, or any
        `torch.nn.Module` with tensor inputs. Modules are put into evaluation mode.
    tokenizer
        Tokenizer to use; found beside the weights when `source` is an id or a path.
    architecture
        Where the layers are, for models in which they are not found.
    dtype, device
        Type and device to load to; by default those of the checkpoint, on CPU.
    trust_remote_code
        Passed to `transformers`; off unless asked for.
    **options
        Further arguments of ``from_pretrained``, such as ``device_map="auto"`` or
        ``attn_implementation="eager"``.

    Returns
    -------
    Model

    Raises
    ------
    BackendError
        If the checkpoint cannot be found or read.
    DesignError
        If `source` is none of the above.

    Examples
    --------
    >>> import torch, mediation as med
    >>> med.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)))
    <Model Sequential, float32 on cpu>
    """
    if isinstance(source, Model):
        return source
    if isinstance(source, (str, os.PathLike)):
        options = {"trust_remote_code": trust_remote_code, **options}
        if dtype is not None:
            options["dtype"] = dtype
        module, tokenizer = _from_checkpoint(os.fspath(source), tokenizer, options)
        name = os.fspath(source)
    else:
        module, tokenizer, name = _from_object(source, tokenizer)
        if options:
            raise DesignError(
                f"{sorted(options)}: loading options, but a {type(source).__name__} is loaded already. "
                "Give them where the model is made."
            )
        if dtype is not None:
            module = module.to(dtype)
    if device is not None:
        module = module.to(device)
    module.eval()
    known = check_architecture(module, architecture) if architecture is not None else find_architecture(module)
    return Model(module=module, tokenizer=tokenizer, architecture=known, name=name)


def _from_object(source: Any, tokenizer: Any) -> tuple[nn.Module, Any, str]:
    if type(source).__module__.split(".")[0] == "nnsight":
        tokenizer = tokenizer if tokenizer is not None else source.__dict__.get("tokenizer")
        source = source._module
    if not isinstance(source, nn.Module):
        raise DesignError(
            f"load({type(source).__name__}): a hub id, a path, a transformers model, an nnsight model or a "
            "torch.nn.Module is needed."
        )
    name = getattr(source, "name_or_path", "")
    return source, tokenizer, name if isinstance(name, str) and name else type(source).__name__


def _from_checkpoint(source: str, tokenizer: Any, options: dict[str, Any]) -> tuple[nn.Module, Any]:
    import transformers

    directory, file = source, options.pop("gguf_file", None)
    path = Path(source)
    if path.suffix == ".gguf":
        directory, file = str(path.parent), path.name
    elif file is None and path.is_dir() and not (path / "config.json").exists():
        found = sorted(path.glob("*.gguf"))
        file = found[0].name if len(found) == 1 else None
    if file is not None:
        options["gguf_file"] = file
    remote = {"trust_remote_code": options["trust_remote_code"]}
    reading = {**remote, "gguf_file": file} if file is not None else remote
    try:
        kind = _HEADS[0] if file is not None else _head(transformers.AutoConfig.from_pretrained(directory, **remote))
        module = getattr(transformers, kind).from_pretrained(directory, **options)
        if tokenizer is None:
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory, **reading)
    except (OSError, ValueError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackendError(
            f"load({source!r}): no checkpoint could be read there ({first}). "
            "Check the hub id or the path; a local directory needs config.json, weights and tokenizer files."
        ) from error
    return module, tokenizer


def _head(config: Any) -> str:
    names = " ".join(getattr(config, "architectures", None) or [])
    if "MaskedLM" in names:
        return _HEADS[1]
    if "SequenceClassification" in names:
        return _HEADS[2]
    if "ConditionalGeneration" in names and getattr(config, "vision_config", None) is not None:
        return "AutoModelForImageTextToText"
    return _HEADS[0]
