"""Pictures of a benchmark: only inside its folder, only in known formats, only as large as is allowed."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import pandas as pd
import PIL.Image
import pytest

import mediation as med
from mediation.units._prompt import _picture
from tests.datasets import files


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "data" / "images").mkdir(parents=True)
    for one in ("secret.png", "data/in.png", "data/images/deep.png"):
        PIL.Image.new("RGB", (8, 6)).save(tmp_path / one)
    return tmp_path


def size_of(place: Path, image: object, **options: object) -> tuple[int, int]:
    path = files.write(place / "data" / "rows.jsonl", files.vstar(image)[:1])
    return med.datasets.opened(med.datasets.read(path, **options).images[0])[0].size


@pytest.mark.parametrize("name", ["in.png", "./in.png", "deep.png", "images/deep.png", "images/../in.png"])
def test_a_picture_inside_is_read(place, name):
    assert size_of(place, name) == (8, 6)


@pytest.mark.parametrize(
    "name", ["../secret.png", "images/../../secret.png", "{top}/secret.png", "link.png", "up/secret.png"]
)
@pytest.mark.parametrize("held", ["text", "path"])
def test_a_picture_outside_is_refused(place, name, held):
    (place / "data" / "link.png").symlink_to(place / "secret.png")
    (place / "data" / "up").symlink_to(place)
    image = name.format(top=place)
    with pytest.raises(med.errors.DataError, match=r"row 0 of rows\.jsonl.*leaves the folder"):
        size_of(place, image if held == "text" else {"bytes": None, "path": image})


def test_whoever_says_which_folder_may_name_what_is_in_it(place):
    assert size_of(place, f"{place}/secret.png", images=place) == (8, 6)
    assert size_of(place, "secret.png", images=place) == (8, 6)
    with pytest.raises(med.errors.DataError, match="leaves the folder"):
        size_of(place, f"{place}/secret.png", images=place / "data")


def test_a_path_of_python_may_lie_anywhere_and_a_text_of_a_frame_may_not(place, monkeypatch):
    rows = files.vstar(place / "secret.png")
    assert med.datasets.read(pd.DataFrame(rows)).images[0][0].size == (8, 6)
    monkeypatch.chdir(place / "data")
    with pytest.raises(med.errors.DataError, match="leaves the folder"):
        med.datasets.read(pd.DataFrame(files.vstar(str(place / "secret.png"))))


def test_links_of_the_hubs_cache_lead_to_files_of_the_repository(place):
    home = place / "datasets--a--b"
    (home / "blobs").mkdir(parents=True)
    (home / "snapshots" / "rev" / "data").mkdir(parents=True)
    (place / "secret.png").rename(home / "blobs" / "ab12")
    (home / "snapshots" / "rev" / "data" / "x.png").symlink_to("../../../blobs/ab12")
    assert size_of(home / "snapshots" / "rev", "x.png") == (8, 6)
    (home / "snapshots" / "rev" / "data" / "y.png").symlink_to(place / "data" / "in.png")
    with pytest.raises(med.errors.DataError, match="leaves the folder"):
        size_of(home / "snapshots" / "rev", "y.png")


@pytest.mark.parametrize(
    "url", ["http://a.b/x.png", "https://a.b/x", "file:///etc/x.png", "s3://a/x.jpg", "FTP://a/b.png"]
)
def test_nothing_is_fetched(place, url):
    with pytest.raises(med.errors.DataError, match="nothing is fetched"):
        size_of(place, url)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n%%EndComments\n(/tmp/x) (w) file\n%%EOF\n"


def saved_as(kind: str) -> bytes:
    held = io.BytesIO()
    PIL.Image.new("RGB", (8, 6)).save(held, kind)
    return held.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_known_formats_are_read(place, kind):
    assert size_of(place, base64.b64encode(saved_as(kind)).decode()) == (8, 6)


@pytest.mark.parametrize("kind", ["EPS", "PPM", "ICO", "PDF", "SVG", "TGA", "PCX"])
def test_other_formats_are_refused_whatever_their_name(place, kind):
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    raw = {"EPS": EPS, "SVG": svg}.get(kind) or saved_as(kind)
    for image in (base64.b64encode(raw).decode(), "data:image/png;base64," + base64.b64encode(raw).decode()):
        with pytest.raises(med.errors.DataError, match=r"row 0 .* is no image in PNG, JPEG"):
            size_of(place, image)
    (place / "data" / "x.png").write_bytes(raw)
    with pytest.raises(med.errors.DataError, match=r"row 0 .* is no image in PNG, JPEG"):
        size_of(place, "x.png")
    with pytest.raises(med.errors.DataError, match=r"image 0.* is no image in PNG, JPEG"):
        _picture(str(place / "data" / "x.png"), 0)


def png_of(width: int, height: int) -> bytes:
    """A header of a PNG, and hardly any pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 14_000, 100_000])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(place, side, monkeypatch):
    image = base64.b64encode(png_of(side, side)).decode()
    with pytest.raises(med.errors.DataError, match=r"row 0 .* too many pixels .*raise PIL\.Image\.MAX_IMAGE_PIXELS"):
        size_of(place, image)
    (place / "data" / "x.png").write_bytes(png_of(side, side))
    with pytest.raises(med.errors.DataError, match="too many pixels"):
        _picture(place / "data" / "x.png", 0)


def test_the_limit_of_pixels_is_the_users(place, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 47)
    with pytest.raises(med.errors.DataError, match=r"\(8 x 6\); 47 are allowed"):
        size_of(place, "in.png")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 48)
    assert size_of(place, "in.png") == (8, 6)


def test_a_picture_that_was_replaced_is_not_opened(place):
    path = files.write(place / "data" / "rows.jsonl", files.vstar("in.png")[:1])
    picture = med.datasets.read(path).images[0][0]
    PIL.Image.new("RGB", (80, 60)).save(place / "data" / "in.png")
    with pytest.raises(med.errors.DataError, match=r"was \(8, 6\) when it was read, and is \(80, 60\) now"):
        picture.open()
