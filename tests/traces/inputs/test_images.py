"""Images: PNG as everyone reads it, folders, and images beside texts."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces.content import Content
from tokentape.traces.errors import InputError
from tokentape.traces.inputs.images import folder_images, synthetic_images, with_images
from tokentape.traces.inputs.lengths import Normal


def opened(url: str) -> Any:
    """The image of a data URL as Pillow reads it, every pixel decoded."""
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True)))
    image.load()
    return image


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_synthetic_png_is_read_by_others(width: int, height: int, seed: int) -> None:
    (url,) = synthetic_images(1, Normal(width), Normal(height), seed=seed)
    image = opened(url)
    assert url.startswith("data:image/png;base64,")
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (width, height))


def test_sizes_are_drawn_and_images_differ() -> None:
    urls = synthetic_images(40, Normal(64, 10), Normal(32, 5), seed=1)
    sizes = np.array([opened(url).size for url in urls])
    assert len(set(urls)) == 40
    assert abs(sizes.mean(0) - [64, 32]).max() < 7
    assert sizes.std(0).min() > 2
    assert urls == synthetic_images(40, Normal(64, 10), Normal(32, 5), seed=1)
    assert urls != synthetic_images(40, Normal(64, 10), Normal(32, 5), seed=2)


def test_pixels_of_png_and_jpeg_are_nearly_the_same() -> None:
    png, jpeg = (synthetic_images(1, Normal(80), Normal(60), format=kind)[0] for kind in ("png", "jpeg"))  # type: ignore[arg-type]
    one, two = np.asarray(opened(png), np.int64), np.asarray(opened(jpeg), np.int64)
    assert opened(jpeg).format == "JPEG"
    assert np.abs(one - two).mean() < 8
    assert one.std() > 10


def test_either_format() -> None:
    kinds = {url[:16] for url in synthetic_images(20, Normal(4), Normal(4), format="random")}
    assert kinds == {"data:image/png;b", "data:image/jpeg;"}


def test_a_request_stays_small() -> None:
    (url,) = synthetic_images(1, Normal(1024), Normal(1024))
    assert len(url) < 200_000


def test_too_many_pixels() -> None:
    with pytest.raises(InputError, match="10000 x 10000 pixels; at most 67,108,864 are made"):
        synthetic_images(1, Normal(10_000), Normal(10_000))


def test_jpeg_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert synthetic_images(1, Normal(4), Normal(4))
    with pytest.raises(InputError, match=r"JPEG needs Pillow: pip install 'tokentape\[images\]'"):
        synthetic_images(1, Normal(4), Normal(4), format="jpeg")


def test_a_folder(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image").new("RGB", (2, 3), "red")
    for name, kind in (("d.webp", "WEBP"), ("a.jpg", "JPEG"), ("b", "PNG"), ("c.gif", "GIF")):
        image.save(tmp_path / name, kind)
    (tmp_path / "notes.txt").write_text("no image")
    urls = folder_images(tmp_path)
    assert [url.split(";")[0] for url in urls] == [f"data:image/{kind}" for kind in ("jpeg", "png", "gif", "webp")]
    assert {opened(url).size for url in urls} == {(2, 3)}
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no image; PNG, JPEG, WebP and GIF are sent"):
        folder_images(tmp_path / "none")
    with pytest.raises(InputError, match="is no folder of images"):
        folder_images(tmp_path / "b")


def test_images_are_taken_in_turn() -> None:
    contents = [Content(text="a"), Content(text="b", images=("own",)), Content(text="c")]
    assert [content.images for content in with_images(contents, ["1", "2", "3"], per_request=2)] == [
        ("1", "2"), ("own",), ("3", "1")
    ]  # fmt: skip
    assert with_images(contents, []) == contents
