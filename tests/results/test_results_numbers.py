from __future__ import annotations

import math
import re

import pytest
from hypothesis import assume, given, strategies as st

from mediation.results.text._numbers import is_unbounded, print_p, print_row

NAN, INF = math.nan, math.inf
PLAIN = re.compile(r"-?\d+(\.\d+)?$")


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ((2.31456, 0.2134, 1.8812, 2.7523), ("2.31", "0.21", "[1.88, 2.75]")),
        ((0.0421, 0.0087, 0.0249, 0.0593), ("0.0421", "0.0087", "[0.0249, 0.0593]")),
        ((12345.6, 2130.0, 8100.0, 16600.0), ("12300", "2100", "[8100, 16600]")),
        ((-0.001, 0.2, -0.4, 0.4), ("0.00", "0.20", "[-0.40, 0.40]")),
        ((1.0, 0.0999, 0.8, 1.2), ("1.00", "0.10", "[0.80, 1.20]")),
        ((0.5, NAN, 0.1, 0.9), ("0.50", "", "[0.10, 0.90]")),
        ((1.2, NAN, 1.0, 1.36), ("1.200", "", "[1.000, 1.360]")),  # a quarter of the width is 0.09
        ((0.123456, NAN, NAN, NAN), ("0.123", "", "no interval")),
        ((0.0, NAN, NAN, NAN), ("0", "", "no interval")),
        ((3.0, NAN, NAN, NAN), ("3", "", "no interval")),
        ((NAN, NAN, NAN, NAN), ("nan", "", "no interval")),
        ((1.0, 1e-9, 1.0, 1.0), ("1.000000", "1.0e-09", "[1.000000, 1.000000]")),
        ((3.2e-9, 4.0e-10, 2.4e-9, 4.0e-9), ("3.20e-09", "4.0e-10", "[2.40e-09, 4.00e-09]")),
        ((7.1234e8, 2.5e6, 7.0e8, 7.2e8), ("7.123e+08", "2.5e+06", "[7.000e+08, 7.200e+08]")),
        ((0.75, 0.4, -INF, INF), ("0.75", "0.40", "unbounded")),
        ((0.75, 0.4, -INF, 1.9), ("0.75", "0.40", "(-inf, 1.90]")),
        ((0.75, 0.4, 0.1, INF), ("0.75", "0.40", "[0.10, inf)")),
    ],
)
def test_rows(row, texts):
    printed = print_row(*row)
    assert (printed.estimate, printed.std_error, printed.interval) == texts


@pytest.mark.parametrize("ends", [(-INF, INF), (NAN, NAN), (0.2, 3.0)])
@pytest.mark.parametrize("name", ["fieller", "cluster fieller"])
def test_fieller_sets_without_finite_ends_are_unbounded(name, ends):
    whole, gapped = f"{name} (unbounded)", f"{name} (complement: <= -1.0 or >= 2.25)"
    assert is_unbounded(whole)
    assert is_unbounded(gapped)
    assert not is_unbounded(name)
    assert print_row(0.7, 0.2, *ends, method=whole).interval == "unbounded"
    assert print_row(0.7, 0.2, *ends, method=gapped).interval == "(-inf, -1.00] or [2.25, inf)"


@pytest.mark.parametrize(
    ("gap", "error", "text"),
    [
        ((-0.10371, 0.61839), 25.0, "(-inf, -0.10] or [0.62, inf)"),  # the standard error of such a ratio says nothing
        ((0.00012345, 2.5), 25.0, "(-inf, 0.00012] or [2.50, inf)"),  # on which side of 0 an end is, is seen
        ((-123456.7, 0.618), 25.0, "(-inf, -123457] or [0.62, inf)"),
        ((-1e-9, 1e9), 1e9, "(-inf, -1.0e-09] or [1.00e+09, inf)"),
        ((-3.0, -2.9876), 0.002, "(-inf, -3.0000] or [-2.9876, inf)"),
        ((0.0, 1.5), 1.0, "(-inf, 0.00] or [1.50, inf)"),
    ],
)
def test_ends_of_a_gap_have_digits_of_their_own(gap, error, text):
    method = f"fieller (complement: <= {gap[0]!r} or >= {gap[1]!r})"
    assert print_row(9.1, error, -INF, INF, method=method).interval == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "<.001"),
        (1e-4, "<.001"),
        (0.001, ".001"),
        (0.0495, ".050"),
        (0.5, ".500"),
        (0.9995, ">.999"),
        (1.0, ">.999"),
    ],
)
def test_p_values(p, text):
    assert print_p(p) == text


def test_p_of_nothing_is_empty():
    assert print_p(NAN) == ""


@given(st.floats(0, 1))
def test_p_is_never_printed_as_zero_or_one(p):
    assert re.fullmatch(r"<\.001|>\.999|\.\d{3}", print_p(p))
    assert print_p(p) not in {".000", "1.000"}


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e3), st.floats(0.1, 4))
def test_what_is_printed_is_the_number_to_within_half_a_digit(estimate, error, width):
    assume(abs(estimate) < 1e4 * error)  # beyond it the cut at the digits of float32 sets in
    low, high = estimate - width * error, estimate + width * error
    printed = print_row(estimate, error, low, high)
    ends = printed.interval.strip("[]").split(", ")
    texts = [printed.estimate, *ends]
    decimals = {len(text.split(".")[1]) if "." in text else 0 for text in texts}
    assert len(decimals) == 1  # one precision in a row
    assert all(PLAIN.match(text) for text in texts)
    for text, value in zip(texts, (estimate, low, high), strict=True):
        assert abs(float(text) - value) <= 0.06 * error  # at most half a unit of the error's second digit
    assert not any(text.startswith("-0") and float(text) == 0 for text in texts)


@given(st.floats(1e-3, 1e3))
def test_the_error_has_two_significant_digits(error):
    text = print_row(0.0, error, -error, error).std_error
    assert float(text) == pytest.approx(error, rel=0.051)
    digits = text.replace(".", "").lstrip("0")
    assert len(digits.rstrip("0") or "0") <= 2


@given(st.floats(1, 1e6), st.floats(1e-12, 1e-6))
def test_no_more_digits_than_float32_holds(estimate, share):
    text = print_row(estimate, estimate * share, estimate, estimate).estimate
    assert len(re.sub(r"e.*|\D", "", text)) <= 7
