"""Names of others do not steer a terminal: escapes are shown, not obeyed."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import torch
from hypothesis import given, strategies as st

import mediation as med
from mediation._printable import printable
from mediation.errors import warn

EVIL = "a\x1b[2J\x1b]0;t\x07\rb\u202ec\u2066d\x9b31m\ud800\nCHECKED"
NAME = EVIL.replace("\ud800", "")  # frames hold no half of a surrogate pair
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "L", "N"])))
def test_whatever_the_text_nothing_steers_and_letters_stay(text):
    safe = printable(text, one_line=True)
    assert not STEERS.search(safe)
    assert "\n" not in safe
    safe.encode()
    letters = [one for one in text if one.isalnum()]
    assert [one for one in letters if one not in safe] == []


def test_what_is_plain_stays_as_it_is():
    for text in ("plain", "東京 é 🙂", "a\tb\nc", "\u0645\u06cc\u200c\u062e", ""):
        assert printable(text) == text
    assert printable("\u200b") == "\\u200b"


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit": range(4),
            "site": [NAME] * 4,
            "y00": [0.1, 0.0, 0.3, 0.2],
            "y01": [0.6, 0.7, 1.1, 0.8],
            "y11": [1.0, 1.3, 1.4, 1.2],
        }
    )


def test_a_result_prints_names_as_they_are_spelt():
    effects = med.effects(frame(), rng=0, n_resamples=99)
    for text in (str(effects.summary()), repr(effects), str(effects.checklist()), effects.summary().as_markdown()):
        assert not STEERS.search(text)
    for text in (str(effects.summary()), repr(effects)):
        assert not any(line.startswith("CHECKED") for line in text.splitlines())
    assert "\\x1b" in str(effects.summary()) + repr(effects)


def test_errors_and_warnings_show_names():
    with pytest.raises(med.MediationError) as caught:
        raise med.errors.DataError(f"column {EVIL} is missing")
    assert not STEERS.search(str(caught.value))
    with pytest.warns(med.errors.DegenerateWarning) as warned:
        warn(EVIL, med.errors.DegenerateWarning)
    assert not STEERS.search(str(warned[0].message))


def test_models_sites_pairs_and_progress_show_names():
    module = torch.nn.Module()
    module.add_module(EVIL, torch.nn.Linear(2, 2))
    model = med.Model(module=module, tokenizer=None, architecture=None, name=EVIL)
    pairs = med.Pairs(base=torch.zeros(2, 2), source=torch.ones(2, 2), frame=pd.DataFrame({NAME: [1, 2]}))
    for text in (repr(model), str(med.Site(EVIL)), repr(med.Site(EVIL)), repr(pairs), str(med.image(box=EVIL))):
        assert not STEERS.search(text)
        assert "\n" not in text
