"""Load a model from whatever the user has: a hub id, a path, a GGUF file, a module, an nnsight model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..._checks import called, shown
from ..._paths import check_local, path_from
from ..._reading import reading
from ...errors import BackendError, DesignError
from ...specs import LatentSpec, Spec, TextSpec
from .._architecture import Architecture, check_architecture
from .._find import find_architecture
from .._model import Model
from .._tree import Tree
from ._adapter import is_adapter, load_adapter
from ._complete import from_pretrained
from ._gguf import check_gguf, parsed_once
from ._hostile import check_config, check_switches
from ._unwrap import unwrapped

_HEADS = ("AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModelForSequenceClassification")
_IMAGES = "AutoModelForImageTextToText"


def load(
    source: str | os.PathLike[str] | nn.Module | Any,
    tokenizer: Any = None,
    *,
    processor: Any = None,
    spec: Spec | None = None,
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
        A hub id, a local directory, a ``.gguf`` file, the folder of a PEFT adapter, a `transformers` model, an nnsight
        model, or any `torch.nn.Module` with tensor inputs. Modules are put into evaluation mode. Of one that
        ``torch.compile`` has wrapped the module inside is taken: a study runs its Python code.
    tokenizer
        Tokenizer to use; found beside the weights when `source` is an id or a path.
    processor
        Processor of images and text, for models that read images; found beside the weights when `source` is an id or
        a path.
    spec
        How the model thinks before it answers: a `LatentSpec` or a `TextSpec`, such as ``med.specs.MONET``. Rollouts
        use it unless they are given another.
    architecture
        Where the layers are, for models in which they are not found.
    dtype, device
        Type and device to load to; by default those of the checkpoint, on CPU.
    trust_remote_code
        Whether code that lies beside the weights may be run, True or False and nothing else; off unless asked for.
    **options
        Further arguments of ``from_pretrained``, such as ``device_map="auto"`` or
        ``attn_implementation="eager"``.

    Returns
    -------
    Model

    Raises
    ------
    BackendError
        If the checkpoint cannot be found or read, is damaged, is not what its configuration says, or lacks weights of
        the model, which would then be random numbers.
    DesignError
        If `source` is none of the above.

    Examples
    --------
    >>> import torch, mediation as med
    >>> med.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)))
    <Model Sequential, float32 on cpu>
    """
    if isinstance(source, Model):
        return source if spec is None else replace(source, spec=_check_spec(spec))
    _check_arguments(tokenizer, architecture, dtype)
    check_switches({"trust_remote_code": trust_remote_code, **options})
    _check_spec(spec)
    where = None if device is None else _device(device)
    if isinstance(source, (str, os.PathLike)):
        options = {"trust_remote_code": trust_remote_code, **options}
        if dtype is not None:
            options["dtype"] = dtype
        if is_adapter(Path(source).expanduser()):
            base = partial(load, tokenizer=tokenizer, processor=processor, **options)
            module, tokenizer, processor = load_adapter(Path(source).expanduser(), base)
        else:
            module, tokenizer, processor = _from_checkpoint(os.fspath(source), tokenizer, processor, options)
        name = Path(source).name if Path(source).exists() else os.fspath(source)
    else:
        module, tokenizer, name = _from_object(source, tokenizer)
        _no_options(options, source)
        if dtype is not None:
            module = module.to(dtype)
    if where is not None:
        module = module.to(where)
    module = unwrapped(module)
    known = check_architecture(module, architecture) if architecture is not None else find_architecture(module)
    if tokenizer is None and processor is not None:
        tokenizer = getattr(processor, "tokenizer", None)
    return Model(
        module=module,
        tokenizer=tokenizer,
        architecture=known,
        name=name,
        processor=processor,
        spec=spec,
        tree=Tree(module) if architecture is None else None,
    )


def _no_options(options: Mapping[str, Any], source: object) -> None:
    if options:
        raise DesignError(
            f"load(..., {', '.join(f'{name}=...' for name in sorted(options))}): a {type(source).__name__} is "
            "loaded already, and takes no options of loading. Give them where the model is made, or load it by its "
            "hub id or path."
        )


def _check_spec(spec: Spec | None) -> Spec | None:
    if spec is not None and not isinstance(spec, (LatentSpec, TextSpec)):
        raise DesignError(
            f"load(spec={shown(spec)}): a LatentSpec or a TextSpec is needed, such as med.specs.MONET or "
            "med.LatentSpec('<think>', '</think>', steps=4)."
        )
    return spec


def _check_arguments(tokenizer: Any, architecture: Any, dtype: Any) -> None:
    if tokenizer is not None and not callable(tokenizer):
        example = (
            f": transformers.AutoTokenizer.from_pretrained({shown(tokenizer)})" if isinstance(tokenizer, str) else ""
        )
        raise DesignError(f"load(tokenizer={shown(tokenizer)}): a tokenizer of transformers is needed{example}.")
    if architecture is not None and not isinstance(architecture, Architecture):
        raise DesignError(
            f"load(architecture={shown(architecture)}): a med.models.Architecture is needed, such as "
            "med.models.Architecture(layers='model.layers', attention='self_attn', mlp='mlp')."
        )
    if dtype is not None and not isinstance(dtype, torch.dtype):
        known = isinstance(dtype, str) and isinstance(getattr(torch, dtype, None), torch.dtype)
        raise DesignError(
            f"load(dtype={shown(dtype)}): a torch type is needed, such as torch.{dtype if known else 'bfloat16'}."
        )


def _device(asked: str | torch.device) -> torch.device:
    try:
        device = torch.device(asked)
    except (RuntimeError, TypeError, ValueError):
        raise DesignError(
            f"load(device={shown(asked)}): torch has no such device. Use 'cpu', 'cuda' or 'cuda:0'."
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            f"load(device={asked!r}): torch finds no CUDA device on this machine. Leave device out to stay on CPU."
        )
    return device


def _from_object(source: Any, tokenizer: Any) -> tuple[nn.Module, Any, str]:
    if type(source).__module__.split(".")[0] == "nnsight":
        tokenizer = tokenizer if tokenizer is not None else source.__dict__.get("tokenizer")
        source = source._module
    if not isinstance(source, nn.Module):
        hint = " Weights alone are no model: make it, then load_state_dict them." if isinstance(source, dict) else ""
        raise DesignError(
            f"load: a hub id, a path, a transformers model, an nnsight model or a torch.nn.Module is needed, found "
            f"{called(source)}.{hint}"
        )
    name = getattr(source, "name_or_path", "")
    return source, tokenizer, name if isinstance(name, str) and name else type(source).__name__


def _from_checkpoint(
    source: str, tokenizer: Any, processor: Any, options: dict[str, Any]
) -> tuple[nn.Module, Any, Any]:
    import transformers

    check_local(source, "load: source", needed="a hub id such as 'owner/name', or a path on this machine,")
    path = Path(source).expanduser()
    _check_path(source, path)
    directory, file = str(path) if path.exists() else source, options.pop("gguf_file", None)
    if path.suffix == ".gguf":
        directory, file = str(path.parent), path.name
    elif file is None and path.is_dir() and not (path / "config.json").exists():
        found = sorted(path.glob("*.gguf"))
        file = found[0].name if len(found) == 1 else None
    if file is not None:
        options["gguf_file"] = file
    remote = {"trust_remote_code": options["trust_remote_code"]}
    files = {**remote, "gguf_file": file} if file is not None else remote
    advice = "Check the hub id or the path; a local directory needs config.json, weights and tokenizer files."
    with reading(f"load({source!r}):", advice, BackendError, verb="no checkpoint could be read there"):
        if file is not None:
            check_gguf(Path(directory) / file)
        else:
            check_config(directory, remote)
        with parsed_once() if file is not None else nullcontext():
            kind = (
                _HEADS[0] if file is not None else _head(transformers.AutoConfig.from_pretrained(directory, **remote))
            )
            module = from_pretrained(getattr(transformers, kind), directory, source, options)
            if processor is None and kind == _IMAGES:
                from ._processor import load_processor

                processor = load_processor(directory, **remote)
            if tokenizer is None:
                tokenizer = getattr(processor, "tokenizer", None)
            if tokenizer is None:
                tokenizer = transformers.AutoTokenizer.from_pretrained(directory, **files)
    return module, tokenizer, processor


def _check_path(source: str, path: Path) -> None:
    """Say that a path does not exist, where `source` cannot be a hub id."""
    path_from(source, what="load: source", error=BackendError)
    is_path = path.is_absolute() or source[:1] in (".", "~") or len(path.parts) > 2 or path.suffix == ".gguf"
    if not source or (is_path and not path.exists()):
        raise BackendError(
            f"load({source!r}): there is no such file or directory. Check the path; a hub id is 'name' or 'owner/name'."
        )


def _head(config: Any) -> str:
    names = " ".join(getattr(config, "architectures", None) or [])
    if "MaskedLM" in names:
        return _HEADS[1]
    if "SequenceClassification" in names:
        return _HEADS[2]
    if getattr(config, "vision_config", None) is not None:
        from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

        if "ConditionalGeneration" in names or type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            return _IMAGES
    return _HEADS[0]
