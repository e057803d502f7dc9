"""Wrong calls: each says what was asked, what was found and what to do, before any batch where that is possible.

The exact texts are in snapshots.json; MEDIATION_UPDATE_SNAPSHOTS=1 rewrites it. Read the difference aloud before you
keep it.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediation import MediationError, MediationWarning
from mediation.errors import DegenerateWarning
from tests.errors.bench import Bench
from tests.errors.calls import AFTER_A_RUN, ERRORS, WARNED

SNAPSHOTS = Path(__file__).with_name("snapshots.json")
UPDATE = os.environ.get("MEDIATION_UPDATE_SNAPSHOTS") == "1"
Told = dict[str, str]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("errors"))
    for name in ("effects", "sweep", "arms", "llama", "sdpa"):
        getattr(made, name)
    return made


@pytest.fixture(scope="module")
def snapshots() -> Iterator[dict[str, Told]]:
    kept: dict[str, Told] = {} if UPDATE else json.loads(SNAPSHOTS.read_text("utf-8"))
    yield kept
    if UPDATE:
        SNAPSHOTS.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def told(error: BaseException, bench: Bench) -> Told:
    """Return class and text, without paths of this machine and without what other libraries say."""
    text = str(error).replace(str(bench.folder), "FOLDER")
    if error.__cause__ is not None and not isinstance(error.__cause__, MediationError):
        text = text.replace(str(error.__cause__), "<what the library says>")
    return {"class": type(error).__name__, "text": text}


def ask(key: str, bench: Bench) -> Told:
    bench.forwards.clear()
    with pytest.raises(MediationError) as caught:
        ERRORS[key](bench)
    return told(caught.value, bench)


def test_the_catalogue_is_long_and_the_snapshots_are_of_it(snapshots):
    assert len(ERRORS) >= 250
    assert set(ERRORS) >= AFTER_A_RUN
    if not UPDATE:
        assert set(snapshots) == {*ERRORS, *WARNED}


@pytest.mark.parametrize("key", ERRORS)
def test_a_wrong_call_says_so_before_any_batch(key, bench, snapshots):
    found = ask(key, bench)
    if UPDATE:
        snapshots[key] = found
    assert found == snapshots[key]
    if key not in AFTER_A_RUN:
        # One input alone may have run, to learn the order of modules and to read the outcome, and for its gradient.
        assert bench.forwards in ([], [1], [1, 1])


@pytest.mark.parametrize("key", sorted(AFTER_A_RUN))
def test_what_only_a_run_can_tell_names_world_or_unit(key, bench):
    text = ask(key, bench)["text"]
    assert re.search(r"unit \d", text)
    assert re.search(r"\b(base|source)\b", text)


@pytest.mark.parametrize("backend", ["hooks", "reference"])
@pytest.mark.parametrize("key", ["outcomes: NaN", "sites: at: out of range", "interventions: custom: other shape"])
def test_every_backend_says_the_same(key, backend, bench, snapshots):
    bench.options["backend"] = backend
    try:
        assert ask(key, bench) == snapshots[key]
    finally:
        bench.options.clear()


@pytest.mark.parametrize("key", WARNED)
def test_degenerate_and_misaligned_data_warn_once_at_the_users_line(key, bench, snapshots):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        effects = WARNED[key](bench)
    assert [issubclass(one.category, MediationWarning) for one in caught] == [True]
    found = {"class": caught[0].category.__name__, "text": str(caught[0].message)}
    if UPDATE:
        snapshots[key] = found
    assert found == snapshots[key]
    assert Path(caught[0].filename).parent == Path(__file__).parent
    if caught[0].category is DegenerateWarning:
        none = effects.tidy().query("method == 'degenerate'")
        assert len(none)
        assert none[["std_error", "conf_low", "conf_high", "p_value"]].isna().all(axis=None)
        assert none["estimate"].notna().any()


@pytest.mark.parametrize("key", [*ERRORS, *WARNED])
def test_texts_are_sentences_without_internals(key, snapshots):
    text = snapshots[key]["text"]
    assert re.search(r"[.)]$|[\]})]$", text), "ends like a sentence or a piece of code"
    for internal in (" at 0x", "NoneType' object", "Traceback", "ABCMeta", "/site-packages/", "  "):
        assert internal not in text
    assert "\n" not in text
    assert len(text) < 420
