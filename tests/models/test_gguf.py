"""GGUF files are parsed once a load."""

from __future__ import annotations

import numpy as np
import pytest

from mediation.models.loading._gguf import parsed_once

gguf = pytest.importorskip("gguf")


@pytest.fixture
def file(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_uint32("llama.block_count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return str(tmp_path / "a.gguf")


def test_a_file_is_parsed_once(file):
    with parsed_once():
        first = gguf.GGUFReader(file)
        assert gguf.GGUFReader(file) is first
    assert first.fields["llama.block_count"].contents() == 3
    assert gguf.GGUFReader(file) is not first


def test_the_reader_comes_back_after_an_error():
    before = gguf.GGUFReader
    with pytest.raises(OSError, match="broken"), parsed_once():
        raise OSError("broken")
    assert gguf.GGUFReader is before


def test_what_is_read_is_what_the_package_reads(tmp_path):
    path = str(tmp_path / "b.gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc", ""])
    writer.add_tensor("output.weight", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    plain = gguf.GGUFReader(path)
    with parsed_once():
        found = gguf.GGUFReader(path)
    assert type(found.data) is np.ndarray
    assert type(plain.data) is np.memmap
    assert list(found.fields) == list(plain.fields)
    assert found.fields["tokenizer.ggml.tokens"].contents() == ["a", "bc", ""]
    assert [one.name for one in found.tensors] == ["output.weight"]
    np.testing.assert_array_equal(found.tensors[0].data, plain.tensors[0].data)


def test_the_table_of_names_is_made_once():
    arch = gguf.MODEL_ARCH.LLAMA
    with parsed_once():
        first = gguf.get_tensor_name_map(arch, 2)
        assert gguf.get_tensor_name_map(arch, 2) is first
        assert gguf.get_tensor_name_map(arch, 3) is not first
