"""Small files of the published layouts: what the benchmarks look like, made here, with pictures of one colour."""

from __future__ import annotations

import base64
import csv
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Row = dict[str, Any]


def image(red: int, side: int = 4) -> Image.Image:
    return Image.new("RGB", (side, side + 1), (red, 20, 30))


def png(red: int, side: int = 4) -> bytes:
    written = BytesIO()
    image(red, side).save(written, "PNG")
    return written.getvalue()


def base64_of(red: int) -> str:
    return base64.b64encode(png(red)).decode()


def hugging(red: int) -> Row:
    """An image as Hugging Face writes it to parquet."""
    return {"bytes": png(red), "path": None}


def write(path: Path, rows: list[Row]) -> Path:
    """Write rows to a file of the kind that its name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), "utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


LETTER = "Answer with the option's letter from the given choices directly."


def vstar(picture: Any = "direct_attributes/sa_1.png") -> list[Row]:
    cup = f"What is the colour of the cup?\n(A) red\n(B) pale blue\n(C) white\n(D) green\n{LETTER}"
    dog = f"Is the dog on the left or right of the cart?\n(A) left\n(B) right\n{LETTER}"
    return [
        {"image": picture, "text": cup, "label": "B", "category": "direct_attributes", "question_id": "0"},
        {"image": picture, "text": dog, "label": "A", "category": "relative_position", "question_id": "1"},
    ]


def hrbench(text: Any = base64_of) -> list[Row]:
    """Two questions in four orders; as in the TSV, the later orders may name the row that has their image."""
    rows, index = [], 0
    for asked, options, category, red in (
        ("What number is on the bus?", ("12", "None", "7", "NA"), "single", 10),
        ("Where is the bus?", ("left", "right", "above", "below"), "cross", 90),
    ):
        first = index
        for cycle in range(4):
            order = [options[(i + cycle) % 4] for i in range(4)]
            rows.append(
                {
                    "index": index,
                    "image": text(red) if cycle == 0 or text is not base64_of else str(first),
                    "question": asked,
                    **dict(zip("ABCD", order, strict=True)),
                    "answer": "ABCD"[order.index(options[0])],
                    "category": category,
                    "cycle_category": f"cycle_{cycle}",
                }
            )
            index += 1
    return rows


FIVE = ["(A) 1", "(B) 2", "(C) 3", "(D) 4", "(E) The image does not feature the number."]


def mme(column: str = "bytes", options: Any = None) -> list[Row]:
    asked = {"question": "How many buses?", "multi-choice options": FIVE if options is None else options}
    kinds = {"category": "Perception/Remote Sensing", "l2-category": "count"}
    other = {**kinds, "category": "Reasoning/Monitoring"}
    return [
        {"index": "7", column: base64_of(1), **asked, "answer": "C", **kinds},
        {"index": "9", column: base64_of(1), **asked, "answer": "E", **other},
    ]


def blink() -> list[Row]:
    choices = ["the second image", "the third image"]
    prompt = "Which fits?\nSelect from the following choices.\n(A) the second image\n(B) the third image"
    rows = [
        {"idx": "val_Jigsaw_1", "sub_task": "Jigsaw", "answer": "(B)", "reds": (1, 2, 3)},
        {"idx": "val_Jigsaw_2", "sub_task": "Jigsaw", "answer": "(A)", "reds": (1, 2, 4)},
        {"idx": "test_Jigsaw_1", "sub_task": "Jigsaw", "answer": "hidden", "reds": (5,)},
    ]
    made = []
    for row in rows:
        reds = row.pop("reds")
        pictures = {f"image_{i + 1}": hugging(reds[i]) if i < len(reds) else None for i in range(4)}
        made.append({**row, "question": "Which fits?", "choices": choices, "prompt": prompt, **pictures})
    return made


def scienceqa() -> list[Row]:
    asked = {"question": "Which is a metal?", "choices": ["wood", "iron", "glass"], "answer": 1}
    return [
        {"image": hugging(1), **asked, "hint": "Look at the picture.", "subject": "natural science"},
        {"image": None, **asked, "hint": "", "subject": "natural science"},
    ]


def vsp(folder: str = "imgs") -> list[Row]:
    asked = "Solve the maze.\n\nHere is the map: <image>\n\nThe final answer MUST BE put in \\boxed{}."
    return [
        {"text_input": asked, "image_input": f"./{folder}/1.png", "map_id": "31", "map_desc": [[2, -1, 1], [0, 0, 0]]},
        {"text_input": asked, "image_input": f"./{folder}/1.png", "map_id": "32", "map_desc": "[[1, 2], [0, -1]]"},
    ]


def tablevqa(subset: str) -> list[Row]:
    answers = {"vtabfact": ("1", "0")}.get(subset, ("2004", "Oslo|Rome"))
    return [
        {
            "qa_id": f"{subset}_{i}",
            "question": "which year ?",
            "gt": answer,
            "image": hugging(i),
            "text_html_table": "<t>",
        }
        for i, answer in enumerate(answers)
    ]
