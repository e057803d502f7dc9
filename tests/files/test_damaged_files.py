"""Files that are cut, flipped, forged or hostile: only errors of this package come out of reading them.

Every damage is drawn with a fixed seed. A file that is damaged where nothing is read may be read as it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import mediation as med
from mediation.engine.checkpoint._store import PIECES, STUDY
from tests.datasets import files

FRAME = pd.DataFrame(
    {
        "y00": [0.1, 0.0, 0.3, 0.2],
        "y01": [0.6, 0.7, 1.1, 0.8],
        "y10": [0.5, 0.4, 0.6, 0.5],
        "y11": [1.0, 1.3, 1.4, 1.2],
        "cluster": ["a", "b", "c", "d"],
    }
)
QUICK: dict[str, Any] = {"estimands": ["te", "pnie"], "rng": 0, "n_resamples": 99, "progress": False}
HOSTILE_JSON = {
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "huge number": b"9" * 5000,
    "infinite": b"[1e400]",
    "NaN": b"[NaN]",
    "text": b'"a"',
    "null": b"null",
    "number": b"3",
    "object": b"{}",
    "list of lists": b"[[1], [2]]",
    "BOM": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "key twice": b'{"a": 1, "a": 2}',
    "zeros": bytes(200),
    "empty": b"",
}


def damaged(raw: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Copies of `raw` that are cut short, have some bytes flipped, or miss or repeat a stretch."""
    rng = np.random.default_rng(seed)
    for at in range(n):
        start, stop = sorted(int(one) for one in rng.integers(0, len(raw), 2))
        kind = at % 4
        if kind == 0:
            yield raw[:start]
        elif kind == 1:
            some = bytearray(raw)
            for where in rng.integers(0, len(raw), int(rng.integers(1, 9))):
                some[where] ^= int(rng.integers(1, 256))
            yield bytes(some)
        elif kind == 2:
            yield raw[:start] + raw[stop:]
        else:
            yield raw[:stop] + raw[start:]


def only_ours(ask: Callable[[], Any]) -> str:
    """Ask, and return the message of the package's error; anything else that is raised goes through."""
    try:
        ask()
    except med.MediationError as error:
        text = str(error)
        assert " at 0x" not in text
        assert len(text) < 900
        return text
    return ""


def refused(ask: Callable[[], Any], file: str = "") -> str:
    text = only_ours(ask)
    assert text, "it was read"
    assert file in text
    return text


# ------------------------------------------------------------------------------------------------ saved results


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    effects = med.effects(FRAME, cluster="cluster", rng=0, n_resamples=99)
    effects.save(tmp_path / "run")
    return tmp_path


def sealed(folder: Path) -> None:
    """Make the digests fit whatever the tables are now, as someone would who forges a result."""
    account = json.loads((folder / "run.json").read_text())
    for name, file in (("table", "run.parquet"), ("units", "run.units.parquet")):
        account[name]["sha256"] = sha256((folder / file).read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(account))


@pytest.mark.parametrize("name", ["run.json", "run.parquet", "run.units.parquet"])
def test_a_damaged_result(saved, name):
    whole = (saved / name).read_bytes()
    for raw in damaged(whole, 60, seed=len(name)):
        (saved / name).write_bytes(raw)
        only_ours(lambda: med.read(saved / "run"))


@pytest.mark.parametrize("name", ["run.parquet", "run.units.parquet"])
def test_a_damaged_table_whose_digest_was_made_to_fit(saved, name):
    whole = (saved / name).read_bytes()
    for raw in damaged(whole, 120, seed=len(name)):
        (saved / name).write_bytes(raw)
        sealed(saved)
        only_ours(lambda: med.read(saved / "run"))


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
def test_an_account_that_is_none(saved, text):
    (saved / "run.json").write_bytes(text)
    refused(lambda: med.read(saved / "run"), "run.json")


def leaves(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, value in found.items() if isinstance(found, dict) else ():
        yield from leaves(value, (*path, key))


@pytest.mark.parametrize("value", [None, 3, -1, 1e300, "x", [], [[1]], {}, {"a": {"b": 1}}, True], ids=repr)
def test_a_part_of_the_account_of_another_type(saved, value):
    whole = json.loads((saved / "run.json").read_text())
    for path in list(leaves(whole))[1:]:
        account = json.loads(json.dumps(whole))
        inner = account
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        (saved / "run.json").write_text(json.dumps(account))
        only_ours(lambda: med.read(saved / "run").summary())


@pytest.mark.parametrize("column", ["site", "estimate", "n", "method", "estimand"])
@pytest.mark.parametrize("value", [None, "x", -1, 1e300, b"\xff", [1]], ids=repr)
def test_a_column_of_another_type(saved, column, value):
    table = pd.read_parquet(saved / "run.parquet")
    table[column] = pd.Series([value] * len(table), dtype=object)
    pq.write_table(pa.Table.from_pandas(table), saved / "run.parquet")
    sealed(saved)
    only_ours(lambda: med.read(saved / "run"))


@pytest.mark.parametrize(
    "cell", ['{"tuple": 3}', '{"float": "zz"}', "{}", "[", "3e999", '{"tuple": [{"tuple": 1}]}', "[" * 10_000]
)
def test_forged_cells_of_units(saved, cell):
    units = pd.read_parquet(saved / "run.units.parquet")
    units["unit"] = pd.Series([cell] * len(units), dtype="str")
    pq.write_table(pa.Table.from_pandas(units), saved / "run.units.parquet")
    account = json.loads((saved / "run.json").read_text())
    account["units"]["json_columns"] = ["unit", "nowhere"] if cell == "{}" else ["unit"]
    (saved / "run.json").write_text(json.dumps(account))
    sealed(saved)
    only_ours(lambda: med.read(saved / "run"))


def repeated(n: int) -> pa.Array:
    """A text of a MiB in every row, which a file holds once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * 2**20]))


@pytest.mark.parametrize("odd", [pa.list_(pa.string()), pa.binary(), pa.struct([("a", pa.int64())])], ids=str)
def test_a_result_with_columns_that_none_has(saved, odd):
    pq.write_table(pa.table({"site": pa.nulls(4, odd)}), saved / "run.parquet")
    sealed(saved)
    refused(lambda: med.read(saved / "run"), "no saved result has one")


def test_a_result_that_unpacks_to_far_more_than_it_is(saved):
    pq.write_table(pa.table({"site": repeated(5000)}), saved / "run.parquet", store_schema=False)
    assert (saved / "run.parquet").stat().st_size < 2**20
    sealed(saved)
    refused(lambda: med.read(saved / "run"), "takes at least 4.9 GiB once it is unpacked")


def test_a_limit_is_raised_by_the_user(saved):
    refused(lambda: med.read(saved / "run", max_bytes=100), "Raise max_bytes=")
    assert med.read(saved / "run", max_bytes=10**6) == med.read(saved / "run")
    for wrong in (0, -1, 1.5, True, "1", None):
        refused(lambda wrong=wrong: med.read(saved / "run", max_bytes=wrong), "max_bytes")


# ------------------------------------------------------------------------------------------------ benchmark files


@pytest.mark.parametrize("kind", ["parquet", "tsv", "csv", "jsonl", "json"])
def test_a_damaged_benchmark(tmp_path, kind):
    picture = files.hugging(3) if kind == "parquet" else files.base64_of(3)
    path = files.write(tmp_path / f"rows.{kind}", files.vstar(picture))
    whole = path.read_bytes()
    for raw in damaged(whole, 120, seed=len(kind)):
        path.write_bytes(raw)

        def read() -> None:
            for pictures in med.datasets.read(path).images:
                med.datasets.opened(pictures)

        only_ours(read)


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
def test_a_benchmark_that_is_none(tmp_path, kind, text):
    path = tmp_path / f"rows.{kind}"
    path.write_bytes(text)
    refused(lambda: med.datasets.read(path), "rows")


ROWS = {
    "vstar": files.vstar(files.base64_of(1)),
    "hrbench": files.hrbench(),
    "mme-realworld-lite": files.mme(),
    "vsp": files.vsp(),
}


@pytest.mark.parametrize("layout", ROWS)
def test_cells_of_other_types(layout):
    odd = [None, 3, -1.5, float("inf"), float("nan"), True, "", "x", "[" * 5000, "\ud800", "\0", [], [[]], {}]
    odd += [{"bytes": 3}, {"path": "../x.png"}, b"", 10**400, {"bytes": None, "path": {}}, "x" * 900 + ".png"]
    for column in ROWS[layout][0]:
        for value in odd:
            rows = [dict(row) for row in ROWS[layout]]
            rows[0][column] = value
            frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})
            only_ours(lambda frame=frame: med.datasets.read(frame, layout))


@pytest.mark.parametrize("layout", ["text;label", "other"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_a_small_parquet_that_unpacks_to_gigabytes(tmp_path, layout, dictionary):
    n = 3600
    columns = {name: pa.array(["A"] * n) for name in ("image", "text", "label", "category")}
    name = "text" if layout == "text;label" else "other"
    columns[name] = repeated(n) if dictionary else pa.array(["x" * 2**14] * n)
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False)
    size = path.stat().st_size
    assert size < 2**20
    text = refused(lambda: med.datasets.read(path, max_bytes=2**24), "bomb.parquet" if name == "text" else "row 0")
    assert ("once it is unpacked" in text) == (name == "text")


def test_many_rows_of_nothing_are_refused_before_they_are_read(tmp_path):
    n = 10**7
    table = pa.table({name: pa.nulls(n, pa.string()) for name in ("image", "text", "label", "category")})
    pq.write_table(table, tmp_path / "rows.parquet")
    refused(lambda: med.datasets.read(tmp_path / "rows.parquet"), "Raise max_bytes=")
    refused(lambda: med.datasets.read(tmp_path / "rows.parquet", limit=3), "row 0")


def test_a_column_that_occurs_twice(tmp_path):
    (tmp_path / "a.csv").write_text("image,text,label,category,label\nx,y,A,c,B\n")
    refused(lambda: med.datasets.read(tmp_path / "a.csv"), "column 'label' is there more than once")
    (tmp_path / "a.jsonl").write_text('{"label": "A", "label": "B"}\n')
    refused(lambda: med.datasets.read(tmp_path / "a.jsonl"), "'label' occurs twice")
    frame = pd.DataFrame([["A", "B"]], columns=["label", "label"])
    refused(lambda: med.datasets.read(frame), "column 'label' is there more than once")


def test_a_byte_order_mark_is_no_damage(tmp_path):
    path = files.write(tmp_path / "a.jsonl", files.vstar(files.base64_of(3)))
    plain = med.datasets.read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(med.datasets.read(path).question) == list(plain.question)


# ------------------------------------------------------------------------------------------------ continued runs


@cache
def study() -> tuple[med.Model, med.Pairs]:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1), torch.nn.Flatten(0))
    x = torch.randn(2, 5, 3)
    return med.load(module), med.Pairs(base=x[0], source=x[1])


@med.outcome
def value(output: torch.Tensor) -> torch.Tensor:
    return output


def run(out: Path) -> med.Effects:
    model, pairs = study()
    return med.mediate(model, pairs, med.Site("0"), value, out=out, **QUICK)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "run"
    run(folder)
    return folder


@pytest.mark.parametrize("name", [STUDY, PIECES])
def test_a_damaged_run_is_continued_to_the_same_numbers_or_refused(stored, tmp_path, name):
    expected = run(stored).tidy()
    for raw in damaged((stored / name).read_bytes(), 40, seed=len(name)):
        folder = Path(shutil.copytree(stored, tmp_path / "run", dirs_exist_ok=True))
        (folder / name).write_bytes(raw)

        def go(folder: Path = folder) -> None:
            pd.testing.assert_frame_equal(run(folder).tidy(), expected)

        only_ours(go)
        shutil.rmtree(folder)


def marked(folder: Path, text: bytes) -> bytes:
    """A line of the log whose checksum fits, as someone would write it who forges one."""
    key = json.loads((folder / STUDY).read_bytes())["digest"].encode()
    return sha256(key + b" " + text).hexdigest()[:16].encode() + b" " + text + b"\n"


FORGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no object": lambda piece: [1],
    "no name": lambda piece: {name: value for name, value in piece.items() if name != "piece"},
    "another name": lambda piece: {**piece, "piece": 3},
    "too few values": lambda piece: {**piece, "values": piece["values"][:-1], "rows": piece["rows"][:-1]},
    "fewer values than rows": lambda piece: {**piece, "values": piece["values"][:-1]},
    "ragged values": lambda piece: {**piece, "values": [[1], [1, 2]]},
    "nested values": lambda piece: {**piece, "values": [piece["values"]]},
    "words": lambda piece: {**piece, "values": ["x"] * len(piece["values"])},
    "huge": lambda piece: {**piece, "values": [10**400] * len(piece["values"])},
    "no rows": lambda piece: {name: value for name, value in piece.items() if name != "rows"},
    "odd cells": lambda piece: {"piece": piece["piece"], "nothing_changes": [[1, 2, 3]]},
    "odd note": lambda piece: {"piece": "consistency", "found": 3},
    "no values": lambda piece: {"piece": piece["piece"], "other": 3},
}


@pytest.mark.parametrize("forged", FORGED)
def test_forged_pieces_are_refused(stored, tmp_path, forged):
    folder = Path(shutil.copytree(stored, tmp_path / "run"))
    lines = (folder / PIECES).read_bytes().splitlines(keepends=True)
    made = []
    for line in lines:
        piece = json.loads(line[17:])
        fits = "values" in piece
        made.append(marked(folder, json.dumps(FORGED[forged](piece)).encode()) if fits else line)
    assert made != lines
    (folder / PIECES).write_bytes(b"".join(made))
    refused(lambda: run(folder), "changed since it was written")


def test_edited_numbers_of_unpatched_runs_are_refused(stored, tmp_path):
    folder = Path(shutil.copytree(stored, tmp_path / "run"))
    made = []
    for line in (folder / PIECES).read_bytes().splitlines(keepends=True):
        piece = json.loads(line[17:])
        if "values" in piece:
            piece["values"] = [one + 1 for one in piece["values"]]
            line = marked(folder, json.dumps(piece).encode())
        made.append(line)
    (folder / PIECES).write_bytes(b"".join(made))
    refused(lambda: run(folder))


def test_pieces_of_another_study_are_not_taken(stored, tmp_path):
    model, pairs = study()
    other = med.load(torch.nn.Sequential(torch.nn.Linear(3, 4), *list(model.module)[1:]))
    expected = med.mediate(other, pairs, med.Site("0"), value, out=tmp_path / "a", **QUICK).tidy()
    shutil.copy(stored / PIECES, tmp_path / "a" / PIECES)
    found = med.mediate(other, pairs, med.Site("0"), value, out=tmp_path / "a", **QUICK)
    pd.testing.assert_frame_equal(found.tidy(), expected)
    assert found.provenance["plan"]["store"]["damaged_lines"] > 0


@pytest.mark.parametrize(
    "split", [None, 3, {}, {"tokens": 0, "units": 1}, {"tokens": "x", "units": 1}, {"tokens": True, "units": 1}]
)
def test_an_edited_split_is_refused(stored, tmp_path, split):
    folder = Path(shutil.copytree(stored, tmp_path / "run"))
    account = json.loads((folder / STUDY).read_text())
    account["split"] = split
    (folder / STUDY).write_text(json.dumps(account))
    refused(lambda: run(folder), STUDY)


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
def test_an_account_of_a_run_that_is_none(stored, tmp_path, text):
    folder = Path(shutil.copytree(stored, tmp_path / "run"))
    (folder / STUDY).write_bytes(text)
    refused(lambda: run(folder), STUDY)
