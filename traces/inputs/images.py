"""Images of requests, from files or synthetic, as data URLs."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..content import Content
from ..errors import InputError
from ..reading.field_checks import BadField, shown
from .lengths import Normal

ImageFormat = Literal["png", "jpeg", "random"]

MOST_PIXELS = 1 << 26
"""Largest number of pixels of a synthetic image: 64 million, 192 MB uncompressed."""

_URLS = ("http://", "https://", "data:image/")


def image_url(field: str, given: str, folder: Path | None) -> str:
    """Return an image of a row as a URL: a URL unchanged, a file as a data URL.

    Args:
        field: Name of the field, for messages.
        given: A URL, or a path relative to the working directory or to the folder.
        folder: Folder of the file with the row.

    Raises:
        BadField: The file does not exist, or is not a PNG, JPEG, WebP or GIF.
    """
    if given.startswith(_URLS):
        return given
    if "://" in given or given.startswith("data:"):
        raise BadField(field, f"{shown(given)} is no image's URL; http:, https:, data:image/ or a file belong there")
    places = [Path(given)] if folder is None else [Path(given), folder / given]
    for place in places:
        if place.is_file():
            try:
                return data_url(place.read_bytes())
            except ValueError:
                raise BadField(field, f"{shown(given)} is no PNG, JPEG, WebP or GIF image") from None
            except OSError as error:
                raise BadField(field, f"{shown(given)} cannot be read: {error.strerror}") from None
    raise BadField(field, f"there is no image {shown(given)}, from here or from where the file is")


def folder_images(folder: Path) -> tuple[str, ...]:
    """Return the PNG, JPEG, WebP and GIF files of a folder as data URLs, sorted by name.

    Raises:
        InputError: The folder does not exist or has no image.
    """
    if not folder.is_dir():
        raise InputError(str(folder), "is no folder of images")
    urls = []
    for path in sorted(folder.iterdir()):
        if path.is_file():
            data = path.read_bytes()
            if _kind(data) is not None:
                urls.append(data_url(data))
    if not urls:
        raise InputError(str(folder), "holds no image; PNG, JPEG, WebP and GIF are sent")
    return tuple(urls)


def synthetic_images(
    n: int, width: Normal, height: Normal, *, format: ImageFormat = "png", seed: int = 0
) -> tuple[str, ...]:
    """Return images with random sizes and different colours as data URLs.

    They are smooth gradients under a coarse pattern and compress about as well as diagrams: a server decodes the full
    number of pixels, and the request stays small.

    Args:
        n: Number of images.
        width: Distribution of the width in pixels.
        height: Distribution of the height in pixels.
        format: "png"; "jpeg", which needs Pillow; or "random", which is either.
        seed: Seed, at least 0.

    Raises:
        InputError: An image would have more than 64 million pixels, or Pillow is missing.
    """
    draws = np.random.default_rng([seed, 13]).random((3, n))
    widths, heights = width.draw(draws[0]), height.draw(draws[1])
    urls = []
    for place in range(n):
        kind = format if format != "random" else ("png" if draws[2, place] < 0.5 else "jpeg")
        size = int(widths[place]), int(heights[place])
        if size[0] * size[1] > MOST_PIXELS:
            raise InputError("synthetic images", f"{size[0]} x {size[1]} pixels; at most {MOST_PIXELS:,} are made")
        pixels = _pixels(*size, np.random.default_rng([seed, 14, place]))
        urls.append(data_url(_png(pixels) if kind == "png" else _jpeg(pixels)))
    return tuple(urls)


def with_images(contents: Sequence[Content], images: Sequence[str], *, per_request: int = 1) -> list[Content]:
    """Return the contents with this number of images each, taken in turn; rows with images keep them."""
    if not images:
        return list(contents)
    made, at = [], 0
    for content in contents:
        if content.images is None:
            taken = tuple(images[(at + place) % len(images)] for place in range(per_request))
            at += per_request
            content = msgspec.structs.replace(content, images=taken)
        made.append(content)
    return made


def data_url(data: bytes) -> str:
    """Return an image's bytes as a data URL (RFC 2397).

    Raises:
        ValueError: The bytes are not a PNG, JPEG, WebP or GIF.
    """
    kind = _kind(data)
    if kind is None:
        raise ValueError("not an image")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _kind(data: bytes) -> str | None:
    """Return an image's type from its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return "gif" if data.startswith((b"GIF87a", b"GIF89a")) else None


def _pixels(width: int, height: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return red, green and blue of each pixel: a diagonal gradient with slightly lighter tiles."""
    corners = random.random((2, 3)) * 191
    across = np.linspace(0, 1, width)[None, :, None]
    down = np.linspace(0, 1, height)[:, None, None]
    blend = (across + down) / 2
    tiles = np.floor(random.random((8, 8)) * 2) * 64
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    pixels: NDArray[np.uint8] = (corners[0] * (1 - blend) + corners[1] * blend).astype(np.uint8)
    pixels += tiles[rows[:, None], columns[None, :], None].astype(np.uint8)
    return pixels


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an 8-bit RGB PNG (RFC 2083): a header, one deflated stream of rows with filter 0, and an end."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    try:
        from PIL import Image
    except ImportError:
        raise InputError(
            "synthetic images", "JPEG needs Pillow: pip install 'tokentape[images]'; PNG needs nothing"
        ) from None
    out: Any = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=85)
    return bytes(out.getvalue())
