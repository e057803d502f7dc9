"""What is written down beside the numbers: the machine, the libraries, the day."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_LIBRARIES = ("mediation", "torch", "transformers", "nnsight", "transformer-lens", "pyvene", "numpy", "scipy", "pandas")


def machine(*, device: str, clock: str) -> dict[str, Any]:
    """Return processor, threads, day and versions."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "clock": clock,
        "python": platform.python_version(),
        "versions": found,
    }


def one_line(about: dict[str, Any]) -> str:
    """Return the machine in a line."""
    where = about["processor"] if about["device"] == "cpu" else f"{about['device']}, {about['processor']}"
    threads = f"{about['threads']} threads" if about["threads"] != 1 else "1 thread"
    libraries = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return f"{where}, {about['cores']} cores, {threads}, {about['clock']} time, {about['date']}; {libraries}"


def _processor() -> str:
    """Return the processor's name, with the widest of the instructions that matter here."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    told = {name.strip(): value.strip() for name, value in told.items()}
    name = told.get("model name") or platform.processor() or platform.machine()
    flags = told.get("flags", "").split()
    has = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags]
    return f"{name} ({', '.join(has[:2])})" if has else name
