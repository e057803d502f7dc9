"""Compare the numbers of the frozen set with those of another version: ``python -m tests.frozen.compare REVISION``.

The other version is checked out beside this one, and runs the studies of *this* one, so that both answer the same
questions on the same machine. Every number must be the same to the bit; a difference is named with its size.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def run(tree: Path, out: Path, only: str) -> dict[str, np.ndarray]:
    """Return what the studies give with the package of `tree`."""
    command = [sys.executable, "-m", "tests.frozen.studies", "--out", str(out), "--only", only]
    subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, check=True, stderr=subprocess.DEVNULL
    )
    with np.load(out) as found:
        return dict(found)


def differences(now: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> list[str]:
    """Return a line for each array that is not the same to the bit."""
    lines = [f"{name}: only {'now' if name in now else 'before'}" for name in sorted(set(now) ^ set(before))]
    for name in sorted(set(now) & set(before)):
        one, other = now[name], before[name]
        if one.shape != other.shape:
            lines.append(f"{name}: shape {one.shape} now, {other.shape} before")
        elif not np.array_equal(one, other, equal_nan=True):
            apart = np.abs(one - other)
            lines.append(f"{name}: {int((apart != 0).sum())} of {one.size} numbers, by up to {np.nanmax(apart):.3g}")
    return lines


def main() -> int:
    """Run both versions and print what differs; 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="a commit, branch or tag")
    parser.add_argument("--only", default="", help="studies whose name contains this")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--detach", "-f", tree, asked.revision], check=True)
        try:
            shutil.copytree(ROOT / "tests" / "frozen", tree / "tests" / "frozen", dirs_exist_ok=True)
            now = run(ROOT, Path(folder) / "now.npz", asked.only)
            before = run(tree, Path(folder) / "before.npz", asked.only)
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", tree], check=True)
    found = differences(now, before)
    print(*found, sep="\n")
    studies = len({name.rsplit(" / ", 2)[0] for name in now})
    numbers = sum(one.size for one in now.values())
    print(f"{studies} studies, {numbers} numbers; {len(found)} of {len(now)} arrays differ from {asked.revision}.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
