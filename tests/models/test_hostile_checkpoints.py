"""Checkpoints that are cut, forged or hostile: refused in one sentence, and nothing of them is run."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediation as med
from mediation.models.loading._gguf import check_gguf
from mediation.models.loading._processor import load_processor
from tests.files.test_damaged_files import HOSTILE_JSON, damaged, only_ours, refused


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    med.testing.tiny_model("llama").save_pretrained(folder)
    med.testing.tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_checkpoint(folder, name):
    raw = (folder / name).read_bytes()
    for some in damaged(raw, 16, seed=len(name)):
        (folder / name).write_bytes(some)
        only_ours(lambda: med.load(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("text", ["deep", "huge number", "text", "list of lists", "not UTF-8", "empty", "zeros"])
def test_json_that_is_none(folder, name, text):
    (folder / name).write_bytes(HOSTILE_JSON[text])
    refused(lambda: med.load(folder), "no checkpoint could be read there")


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": "two"},
        {"hidden_size": 10**12},
        {"hidden_size": 7},
        {"vocab_size": 3},
        {"architectures": [1, 2]},
        {"architectures": 3},
        {"model_type": "no-such-type"},
        {"model_type": ["llama"]},
        {"model_type": "mixtral", "num_local_experts": 10**9},
        {"text_config": {"num_hidden_layers": 10**9}},
        {"dtype": "no_such_type"},
        {"num_attention_heads": 0},
    ],
    ids=str,
)
def test_a_configuration_that_is_not_of_the_weights(folder, change):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    only_ours(lambda: med.load(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_is_missing_or_a_folder(folder, name):
    (folder / name).unlink()
    refused(lambda: med.load(folder), "no checkpoint could be read there")
    (folder / name).mkdir()
    refused(lambda: med.load(folder), "no checkpoint could be read there")


class Planted:
    """What a pickle can hold: a call that is made when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_code_in_a_pickle_is_not_run(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "ran"
    torch.save({"model.norm.weight": Planted(mark)}, folder / "pytorch_model.bin")
    refused(lambda: med.load(folder))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Planted(mark)))
    refused(lambda: med.load(folder))
    assert not mark.exists()


@pytest.mark.parametrize("value", ["False", "True", "", 0, 1, None, np.bool_(True), np.bool_(False), [True]], ids=repr)
@pytest.mark.parametrize("name", ["trust_remote_code", "weights_only", "allow_all_kernels"])
def test_only_a_bool_decides_whether_code_may_be_run(folder, name, value, tmp_path):
    refused(lambda: med.load(folder, **{name: value}), f"{name}=")
    refused(lambda: med.load(torch.nn.Linear(2, 2), **{name: value}), f"{name}=")
    if name == "trust_remote_code":
        refused(lambda: load_processor(str(folder), trust_remote_code=value), f"{name}=")


def test_code_beside_the_weights_is_run_only_where_it_is_allowed(folder, tmp_path):
    mark = tmp_path / "ran"
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    for options in ({}, {"trust_remote_code": False}, {"trust_remote_code": "False"}):
        refused(lambda options=options: med.load(folder, **options))
    assert not mark.exists()


# ------------------------------------------------------------------------------------------------ GGUF


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_block_count(3)
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc", ""])
    writer.add_array("some.numbers", [1, 2, 3])
    writer.add_tensor("output.weight", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "a.gguf"


def test_a_header_that_fits_is_passed(gguf_file):
    check_gguf(gguf_file)


def test_a_damaged_header_ends_soon_and_in_a_value_error(gguf_file):
    raw = gguf_file.read_bytes()
    seen = 0
    for some in damaged(raw, 300, seed=1):
        gguf_file.write_bytes(some)
        try:
            check_gguf(gguf_file)
        except ValueError:
            seen += 1
    assert seen > 100


def test_damaged_gguf_files_are_refused(gguf_file):
    raw = gguf_file.read_bytes()
    for some in [b"", b"GGUF", b"GGML" + raw[4:], *damaged(raw, 6, seed=2)]:
        gguf_file.write_bytes(some)
        refused(lambda: med.load(gguf_file), "no checkpoint could be read there")


@pytest.mark.parametrize("at", [8, 16])
@pytest.mark.parametrize("count", [2**63, 2**40, 10**6])
def test_absurd_counts_are_refused_before_they_are_believed(gguf_file, at, count):
    raw = bytearray(gguf_file.read_bytes())
    raw[at : at + 8] = count.to_bytes(8, "little")
    gguf_file.write_bytes(bytes(raw))
    refused(lambda: med.load(gguf_file), "more than the file can hold")


def test_absurd_arrays_and_layers_are_refused(tmp_path):
    gguf = pytest.importorskip("gguf")
    for name, add in {"layers": lambda one: one.add_block_count(10**9)}.items():
        writer = gguf.GGUFWriter(tmp_path / f"{name}.gguf", "llama")
        add(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        refused(lambda name=name: med.load(tmp_path / f"{name}.gguf"), "1000000000")
    key = b"x"
    field = len(key).to_bytes(8, "little") + key + (9).to_bytes(4, "little")  # an array
    for inner in (0, 8, 9):  # of bytes, of texts, of arrays
        array = inner.to_bytes(4, "little") + (2**60).to_bytes(8, "little")
        head = b"GGUF" + (3).to_bytes(4, "little") + (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
        (tmp_path / "array.gguf").write_bytes(head + field + array + bytes(64))
        refused(lambda: med.load(tmp_path / "array.gguf"), "no checkpoint could be read there")
