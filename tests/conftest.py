import beartype  # isort: skip  # noqa: F401  (before nnsight, which beartype cannot be imported after)

import importlib
import os
from pathlib import Path

# Before torch, transformers and matplotlib are imported, by whichever test comes first.
os.environ["MPLBACKEND"] = "Agg"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# The same examples on every machine and in every order; no deadline, since the first call of a kind is slow.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


PACKAGE = Path(__file__).resolve().parents[1] / "mediation"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import modules whose files are named through their package: pytest would make their classes a second time."""
    for argument in session.config.args:
        path = Path(argument.split("::")[0]).resolve()
        if path.suffix == ".py" and path.is_relative_to(PACKAGE):
            importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
