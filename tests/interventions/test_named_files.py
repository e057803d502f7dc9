"""A module's file may be named before its tests: its classes are still made once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_pickles_hold_when_the_module_is_named_first():
    named = ["mediation/interventions/_noise.py", "tests/interventions/test_laws.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-n", "0", "-k", "pickles and Noise", *named],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-500:]
    assert " passed" in run.stdout
