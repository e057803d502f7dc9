"""Files of the models: safetensors in half precision, tokenizer, processor, training log, model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

LOG = "training.json"
MODELS = Path(__file__).resolve().parents[1] / "models"


def read(path: Path) -> Any:
    """Return a model in float32."""
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(path, dtype=torch.float32)


def write(path: Path, model: Any, processor: Any, about: dict[str, object], log: list[dict[str, object]]) -> None:
    """Write a model; its weights are rounded to half precision, and its configuration asks for float32."""
    path.mkdir(parents=True, exist_ok=True)
    model = model.eval().to(torch.float32)
    model.save_pretrained(path)
    processor.save_pretrained(path)
    file = path / "model.safetensors"
    rounded = {key: value.to(torch.float16) for key, value in load_file(file).items()}
    save_file(rounded, file, metadata={"format": "pt"})
    file.chmod(0o644)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    head = json.dumps({**about, "threads": torch.get_num_threads(), "parameters": parameters}, indent=1)[:-2]
    lines = ",\n".join(json.dumps(line) for line in log)
    (path / LOG).write_text(f'{head},\n "log": [\n{lines}\n]}}\n')
