"""One image file or array, read right: whatever it is, it becomes RGB uint8."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps

EXTENSIONS = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm"}
    | {".ppm", ".tif", ".tiff", ".webp"}
)
"""File names that end like this are images; all others are left alone."""

_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # no programs, as EPS is
_MOST_BYTES = 256 * 10**6
_TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_ORIENTATION = 0x0112  # the EXIF tag; values 5 … 8 swap height and width


class CorruptImageError(ValueError):
    """An image that cannot be read; the text says why."""


def check_bytes(size: int) -> None:
    """Refuse a file by its size, before it is read.

    Raises
    ------
    CorruptImageError
        If it is larger than 256 MB (10⁶ bytes).
    """
    if size > _MOST_BYTES:
        raise CorruptImageError(f"{size / 1e6:,.0f} MB; images may have {_MOST_BYTES // 10**6} MB")


def rgb(data: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read an image as RGB.

    Grey and palette become RGB; transparency is composited on white; CMYK is converted, JPEG's
    inverted kind (with an Adobe marker) as well as the plain one; 16-bit grey keeps its upper
    eight bits; EXIF rotation is applied; of an animation the first frame is read.

    Parameters
    ----------
    data
        An encoded file, or pixels of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4, RGBA).

    Returns
    -------
    NDArray[np.uint8]
        Shape (height, width, 3).

    Raises
    ------
    CorruptImageError
        If the file is truncated, damaged, larger than Pillow's limit for decompression bombs,
        or holds pixels that have no meaning as colours (32-bit, floating point).
    """
    return np.array(_opened(data) if isinstance(data, bytes) else _pixels(data), dtype=np.uint8)


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image in another size, bilinear with antialiasing; its aspect is not kept.

    Parameters
    ----------
    image
        RGB, shape (h, w, 3).
    size
        (height, width) of the result.
    """
    height, width = size
    if image.shape[:2] == size:
        return image
    scaled = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(scaled, dtype=np.uint8)


def header_size(data: bytes | Any) -> tuple[int, int]:
    """Return (height, width) after EXIF rotation without decoding the pixels.

    Parameters
    ----------
    data
        An encoded file: its bytes, a path or a binary stream.

    Raises
    ------
    CorruptImageError
        If the header cannot be read.
    """
    with _reading(), _open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        width, height = image.size
    return (width, height) if turned else (height, width)


@contextlib.contextmanager
def strict_decoding() -> Iterator[None]:
    """Make Pillow's limit for decompression bombs an error, and silence its other remarks.

    The limit is Pillow's ``MAX_IMAGE_PIXELS``, 89 million. Warning filters belong to the whole
    process: enter this in the main thread, round all threads that decode.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _open(file: Any) -> Image.Image:
    """Open a file if it is in one of the formats that we read."""
    return Image.open(file, formats=_available_formats())


@functools.cache
def _available_formats() -> tuple[str, ...]:
    """Return the formats that this Pillow has: AVIF came late."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _opened(data: bytes) -> Image.Image:
    """Decode a file into an RGB image."""
    with _reading(), _open(io.BytesIO(data)) as image:
        image.load()
        upright: Image.Image = ImageOps.exif_transpose(image)
        if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
            # Pillow inverts every CMYK JPEG; only Adobe's files are stored inverted.
            upright = ImageChops.invert(upright)
        return _coloured(upright)


def _coloured(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB."""
    if image.mode in ("F", "I") or image.mode.startswith("I;"):
        return _from_deep_grey(image)
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Convert 16-bit grey; Pillow's own conversion clips at 255."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise CorruptImageError(f"{kind} pixels; save it with 8 or 16 bits per channel")
    return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")


def _pixels(values: NDArray[np.uint8]) -> Image.Image:
    """Wrap pixels that are in memory."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    return _coloured(Image.fromarray(values))


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Turn whatever a decoder raises into one error: its plug-ins raise nearly every kind."""
    try:
        yield
    except CorruptImageError:
        raise
    except Image.UnidentifiedImageError:
        raise CorruptImageError("not an image in any known format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CorruptImageError(f"too large to be decoded safely: {error}") from None
    except Exception as error:
        raise CorruptImageError(str(error) or type(error).__name__) from error
