"""GGUF files are parsed once a load."""

from __future__ import annotations

import pytest

from mediation.models._gguf import parsed_once

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
