"""A URL is refused wherever a path is taken; a local folder of its name would be made without a word."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import mediation as med
from mediation._paths import check_local
from mediation.cli import app

FRAME = pd.DataFrame({"y00": [0.1, 0.0, 0.3, 0.2], "y01": [0.6, 0.7, 1.1, 0.8], "y11": [1.0, 1.3, 1.4, 1.2]})
URLS = [
    "s3://bucket/run.parquet",
    "gs://bucket/run",
    "memory://run.parquet",
    "file:///tmp/run.parquet",
    "https://example.org/run.json",
    "simplecache::s3://bucket/run.parquet",
    "hf://datasets/owner/name/run.parquet",
    Path("s3://bucket/run.parquet"),  # which Path writes with one slash
]


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not [one for one in tmp_path.iterdir() if ":" in one.name]


def effects():
    return med.effects(FRAME, rng=0, n_resamples=99)


def mediate(out):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    pairs = med.Pairs(base=torch.zeros(3, 2), source=torch.ones(3, 2))
    return med.mediate(net, pairs, med.Site("0"), med.testing.first_output, rng=0, progress=False, out=out)


TAKERS = {
    "save": lambda url: effects().save(url),
    "read": med.read,
    "out": mediate,
    "load": med.load,
    "datasets.read": med.datasets.read,
}


@pytest.mark.parametrize("url", URLS, ids=str)
@pytest.mark.parametrize("taker", TAKERS)
def test_refused_by_name(taker, url):
    with pytest.raises(med.errors.DesignError, match=r"is a URL, and a .*path on this machine"):
        TAKERS[taker](url)


def test_images_of_a_data_set():
    frame = pd.DataFrame({"question": ["?"], "answer": ["A"]})
    with pytest.raises(med.errors.DesignError, match="read: images = 's3://bucket' is a URL"):
        med.datasets.read(frame, images="s3://bucket")


@pytest.mark.parametrize(
    "command",
    [["demo", "--out", "s3://bucket/demo"], ["demo", "lvr", "--out", "s3://bucket/demo"], ["show", "s3://b/x"]],
)
def test_command_line(command):
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert "is a URL" in done.output + done.stderr


def test_a_picture_of_the_command_line(empty):
    effects().save(empty / "run.parquet")
    done = CliRunner().invoke(app, ["plot", str(empty / "run.parquet"), "--out", "s3://bucket/picture.png"])
    assert done.exit_code == 1
    assert "is a URL" in done.output + done.stderr


@pytest.mark.parametrize(
    "path", ["run.parquet", "a/b.parquet", "C:\\runs\\run.parquet", "C:/runs/run.parquet", "2024:a/b", "~/x", "a:b", 3]
)
def test_paths_are_no_urls(path):
    check_local(path, "path")


def test_saved_and_read_as_before(empty):
    kept = effects()
    assert med.read(kept.save(empty / "run.parquet")).tidy().equals(kept.tidy())
