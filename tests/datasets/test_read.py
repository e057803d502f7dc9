"""Every layout in the forms in which it is published: written here, read back, compared cell by cell."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mediation.datasets import Picture, opened, read
from tests.datasets import files

COLUMNS = ["id", "question", "images", "options", "answer", "category", "group", "layout"]


def reds(frame: pd.DataFrame) -> list[list[int]]:
    """Return the red of every picture of every row."""
    return [[picture.getpixel((0, 0))[0] for picture in opened(row)] for row in frame["images"]]


def column(frame: pd.DataFrame, name: str) -> list:
    return frame[name].tolist()


# ------------------------------------------------------------------------------------------------------ V*Bench
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv"])
@pytest.mark.parametrize("folder", ["", "images"])
def test_vstar_with_paths(tmp_path, kind, folder):
    (tmp_path / folder / "direct_attributes").mkdir(parents=True)
    files.image(70).save(tmp_path / folder / "direct_attributes" / "sa_1.png")
    path = files.write(tmp_path / f"test_questions.{kind}", files.vstar())
    frame = read(path)
    assert list(frame.columns) == COLUMNS
    assert column(frame, "id") == ["0", "1"]
    assert column(frame, "question") == [row["text"] for row in files.vstar()]
    assert column(frame, "options") == [("red", "pale blue", "white", "green"), ("left", "right")]
    assert column(frame, "answer") == ["B", "A"]
    assert column(frame, "category") == ["direct_attributes", "relative_position"]
    assert column(frame, "group") == ["0", "0"]  # one image
    assert column(frame, "layout") == ["vstar", "vstar"]
    assert reds(frame) == [[70], [70]]


@pytest.mark.parametrize("picture", [files.hugging(5), {"bytes": files.png(5), "path": "no/such.png"}])
def test_vstar_in_parquet_holds_bytes(tmp_path, picture):
    frame = read(files.write(tmp_path / "test-00000-of-00001.parquet", files.vstar(picture)), "vstar")
    assert reds(frame) == [[5], [5]]
    assert frame.images[0][0] is frame.images[1][0]  # one copy


def test_vstar_as_a_table_of_letters_asks_the_same(tmp_path):
    row = {"index": 3, "image": files.base64_of(9), "question": "What is the colour of the cup?", "A": "red"}
    row |= {"B": "pale blue", "C": "white", "D": "green", "answer": "B", "category": "direct_attributes"}
    frame = read(files.write(tmp_path / "VStarBench.tsv", [row]))
    assert (frame.layout[0], frame.id[0], frame.answer[0]) == ("vstar", "3", "B")
    assert frame.question[0] == files.vstar()[0]["text"]
    assert frame.options[0] == ("red", "pale blue", "white", "green")


@pytest.mark.parametrize("picture", [files.image(8), np.asarray(files.image(8)), files.png(8), files.base64_of(8)])
def test_a_frame_in_memory_holds_pictures_of_any_kind(picture):
    assert reds(read(pd.DataFrame(files.vstar(picture)))) == [[8], [8]]


def test_a_data_uri_and_base64_with_line_breaks_are_read():
    code = base64.encodebytes(files.png(8)).decode()
    assert "\n" in code
    assert reds(read(pd.DataFrame(files.vstar(f"data:image/png;base64,{code}")))) == [[8], [8]]


def test_paths_may_start_elsewhere(tmp_path):
    (tmp_path / "pictures").mkdir()
    files.image(3).save(tmp_path / "pictures" / "x.png")
    path = files.write(tmp_path / "data" / "vstar.jsonl", files.vstar("x.png"))
    assert reds(read(path, images=tmp_path / "pictures")) == [[3], [3]]
    absolute = pd.DataFrame(files.vstar(tmp_path / "pictures" / "x.png"))
    assert reds(read(absolute)) == [[3], [3]]


# ------------------------------------------------------------------------------------------------------ HR-Bench
@pytest.mark.parametrize(
    ("name", "image"),
    [("hr_bench_4k.tsv", files.base64_of), ("hrbench_4k.parquet", lambda red: files.base64_of(red) + "\n")],
)
def test_hrbench_knows_its_orders(tmp_path, name, image):
    frame = read(files.write(tmp_path / name, files.hrbench(image)))
    assert list(frame.columns) == [*COLUMNS, "cycle"]
    assert column(frame, "layout") == ["hrbench"] * 8
    assert column(frame, "group") == ["0"] * 4 + ["4"] * 4
    assert column(frame, "cycle") == [f"cycle_{i}" for i in range(4)] * 2
    assert column(frame, "answer") == ["A", "D", "C", "B"] * 2
    assert column(frame, "category") == ["single"] * 4 + ["cross"] * 4
    assert frame.options[1] == ("None", "7", "NA", "12")  # words that pandas would take for missing
    assert frame.question[1] == (
        "What number is on the bus?\nA. None\nB. 7\nC. NA\nD. 12\nAnswer the option letter directly."
    )
    assert reds(frame) == [[10]] * 4 + [[90]] * 4  # later orders name the row that has their image


def test_two_questions_about_one_image_are_two_groups(tmp_path):
    rows = files.hrbench(lambda red: files.base64_of(1) + "\n")
    assert column(read(files.write(tmp_path / "a.parquet", rows)), "group") == ["0"] * 4 + ["4"] * 4


# ------------------------------------------------------------------------------------------------------ the others
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("mme.parquet", files.mme()),
        ("mme.tsv", files.mme("image", str(files.FIVE))),
        ("mme.jsonl", files.mme("image")),
        ("wide.jsonl", files.mme(options=[text.replace("(", "\uff08").replace(")", "\uff09") for text in files.FIVE])),
    ],
)
def test_mme_realworld_lite(tmp_path, name, rows):
    frame = read(files.write(tmp_path / name, rows))
    assert column(frame, "layout") == ["mme-realworld-lite"] * 2
    assert frame.options[0] == ("1", "2", "3", "4", "The image does not feature the number.")
    assert column(frame, "answer") == ["C", "E"]
    assert column(frame, "category") == ["Perception/Remote Sensing", "Reasoning/Monitoring"]
    assert column(frame, "id") == ["7", "9"]
    assert column(frame, "group") == ["7", "7"]
    lines = frame.question[0].splitlines()
    assert lines[0] == "How many buses? The choices are listed below:"
    assert lines[1:6] == files.FIVE
    assert lines[-1] == "The best answer is:"


def test_blink_has_several_images_and_hidden_answers(tmp_path):
    files.write(tmp_path / "Jigsaw" / "val-00000-of-00001.parquet", files.blink())
    frame = read(tmp_path)
    assert column(frame, "layout") == ["blink"] * 3
    assert reds(frame) == [[1, 2, 3], [1, 2, 4], [5]]
    assert column(frame, "answer") == ["B", "A", None]
    assert column(frame, "id") == ["val_Jigsaw_1", "val_Jigsaw_2", "test_Jigsaw_1"]
    assert column(frame, "group") == column(frame, "id")
    assert column(frame, "category") == ["Jigsaw"] * 3
    assert frame.options[0] == ("the second image", "the third image")
    assert frame.question[0] == files.blink()[0]["prompt"]


def test_scienceqa_has_rows_without_image(tmp_path):
    frame = read(files.write(tmp_path / "test.parquet", files.scienceqa()))
    assert column(frame, "layout") == ["scienceqa"] * 2
    assert column(frame, "answer") == ["B", "B"]
    assert column(frame, "id") == column(frame, "group") == ["0", "1"]
    assert [len(row) for row in frame.images] == [1, 0]
    plain = f"Which is a metal?\nA. wood\nB. iron\nC. glass\n{files.LETTER}"
    assert column(frame, "question") == [f"Context: Look at the picture.\n{plain}", plain]


def test_vsp_has_maps(tmp_path):
    (tmp_path / "imgs").mkdir()
    files.image(1).save(tmp_path / "imgs" / "1.png")
    frame = read(files.write(tmp_path / "test_direct.jsonl", files.vsp()))
    assert list(frame.columns) == [*COLUMNS, "map"]
    assert column(frame, "map") == [((2, -1, 1), (0, 0, 0)), ((1, 2), (0, -1))]
    assert column(frame, "id") == ["2x3/31", "2x2/32"]
    assert column(frame, "answer") == column(frame, "options") == [None, None]
    assert frame.question[0] == "Solve the maze.\n\nHere is the map:\n\nThe final answer MUST BE put in \\boxed{}."


@pytest.mark.parametrize(
    ("subset", "answers"),
    [("vwtq", ["2004", "Oslo|Rome"]), ("vwtq_syn", ["2004", "Oslo|Rome"]), ("vtabfact", ["True", "False"])],
)
def test_tablevqa_takes_the_subset_from_the_name_or_a_column(tmp_path, subset, answers):
    frame = read(files.write(tmp_path / "data" / f"{subset}-00000-of-00001.parquet", files.tablevqa(subset)))
    rows = [
        {**row, "split": subset, "answer": row["gt"], "image": files.base64_of(i)}
        for i, row in enumerate(files.tablevqa(subset))
    ]
    for row in rows:
        row["index"] = row.pop("qa_id")
        del row["gt"]
    other = read(files.write(tmp_path / "tablevqa-bench.tsv", rows))
    for one in (frame, other):
        assert column(one, "category") == [subset] * 2
        assert column(one, "answer") == answers
        assert column(one, "layout") == ["tablevqa"] * 2
        assert reds(one) == [[0], [1]]
    assert column(frame, "question") == column(other, "question")
    assert "which year ?" in frame.question[0]


# ------------------------------------------------------------------------------------------------------ how much
def test_limit_and_folders(tmp_path):
    files.write(tmp_path / "b.tsv", files.hrbench())
    files.write(tmp_path / "a.tsv", files.hrbench())
    assert len(read(tmp_path)) == 16
    assert read(tmp_path).id.is_unique
    assert column(read(tmp_path, limit=3), "id") == ["0", "1", "2"]
    assert column(read(tmp_path / "a.tsv", limit=1), "id") == ["0"]
    parquet = files.write(tmp_path / "c" / "c.parquet", files.hrbench(files.hugging))
    assert len(read(parquet, limit=2)) == 2


def test_pixels_are_decoded_when_a_picture_is_opened(monkeypatch):
    import PIL.Image

    def refuse(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(PIL.Image.Image, "convert", refuse)
    frame = read(pd.DataFrame(files.vstar(files.png(1))))
    picture = frame.images[0][0]
    assert isinstance(picture, Picture)
    assert picture.size == (4, 5)
    with pytest.raises(AssertionError):
        picture.open()


def test_what_read_returns_can_be_asked(tmp_path):
    import mediation as med

    row = read(pd.DataFrame(files.vstar(files.png(1)))).iloc[0]
    assert med.Prompt(row.question, images=opened(row.images)).images[0].size == (4, 5)
    assert Path(tmp_path).exists()
