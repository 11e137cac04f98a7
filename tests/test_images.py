"""Every kind of image file is read as the colours it shows."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from zoo.images import CorruptImageError, header_size, resized, rgb, strict_decoding

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """Write a PNG by hand (PNG specification, sections 5 and 11), independent of Pillow."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_grey_becomes_equal_channels() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    read = rgb(encoded(Image.fromarray(values)))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, np.repeat(values[:, :, None], 3, axis=2))


def test_one_bit_is_black_and_white() -> None:
    read = rgb(encoded(Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")))
    assert read.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_palette_gives_its_colours() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    assert rgb(encoded(image)).tolist() == [[[*RED], [*BLUE]]]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entry_becomes_white(kind: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    assert rgb(encoded(image, kind, transparency=1)).tolist() == [[[*RED], [255, 255, 255]]]


def test_palette_with_graded_transparency_is_composited_on_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    read = rgb(encoded(image, transparency=bytes([255, 51])))
    assert read.tolist() == [[[*RED], [204, 204, 255]]]  # 0.2 · blue + 0.8 · white


def test_alpha_is_composited_on_white() -> None:
    values = np.array([[[*RED, 255], [*RED, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    expected = [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]
    assert rgb(encoded(Image.fromarray(values))).tolist() == expected
    assert rgb(values).tolist() == expected


def test_grey_with_alpha_is_composited_on_white() -> None:
    image = Image.merge("LA", (Image.new("L", (1, 1), 0), Image.new("L", (1, 1), 51)))
    assert rgb(encoded(image)).tolist() == [[[204, 204, 204]]]


def test_transparent_colour_of_an_rgb_png_becomes_white() -> None:
    image = Image.fromarray(np.array([[RED, GREEN]], dtype=np.uint8))
    assert rgb(encoded(image, transparency=GREEN)).tolist() == [[[*RED], [255, 255, 255]]]


def test_sixteen_bit_grey_keeps_its_upper_byte() -> None:
    rows = b"\x00" + struct.pack(">4H", 0x0000, 0x00FF, 0x80FF, 0xFFFF)
    assert rgb(png(4, 1, 16, 0, rows))[0, :, 0].tolist() == [0x00, 0x00, 0x80, 0xFF]


def test_sixteen_bit_colour_keeps_its_upper_bytes() -> None:
    rows = b"\x00" + struct.pack(">3H", 0x12FF, 0x80FF, 0xFF00)
    assert rgb(png(1, 1, 16, 2, rows)).tolist() == [[[0x12, 0x80, 0xFF]]]


@pytest.mark.parametrize("kind", ["TIFF", "PPM"])
def test_sixteen_bit_grey_in_other_formats(kind: str) -> None:
    image = Image.fromarray(np.array([[0, 0x80FF, 0xFFFF]], dtype=np.uint16))
    assert rgb(encoded(image, kind))[0, :, 0].tolist() == [0, 0x80, 0xFF]


def test_floating_point_pixels_are_refused() -> None:
    image = Image.fromarray(np.ones((2, 2), dtype=np.float32))
    with pytest.raises(CorruptImageError, match="floating-point pixels; save it with 8 or 16 bits"):
        rgb(encoded(image, "TIFF"))


def test_cmyk_tiff() -> None:
    read = rgb(encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"))
    assert read.tolist() == [[[*RED]]]


def without_adobe_marker(data: bytes) -> bytes:
    """Cut the APP14 segment out of a JPEG."""
    at = data.index(b"\xff\xee")
    (length,) = struct.unpack(">H", data[at + 2 : at + 4])
    return data[:at] + data[at + 2 + length :]


def test_adobe_cmyk_jpeg_is_inverted_and_a_plain_one_is_not() -> None:
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert b"Adobe" in data
    assert np.abs(rgb(data).astype(int) - RED).max() <= 3
    # The same stored numbers without the marker mean the opposite inks: (255, 0, 0, 255) is black.
    assert rgb(without_adobe_marker(data)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    upright = np.zeros((16, 24, 3), dtype=np.uint8)
    upright[:8, :12], upright[:8, 12:], upright[8:, :12] = RED, GREEN, BLUE
    # How a camera stores it (EXIF 2.32, tag 0x0112: which side row 0 and column 0 are).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert header_size(data) == (16, 24)
    np.testing.assert_array_equal(rgb(data), upright)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert rgb(data)[0, 0].tolist() == [*RED]


def test_resizing_averages_what_it_shrinks() -> None:
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shrunk = resized(rgb(encoded(Image.fromarray(checkers))), (8, 8))
    assert shrunk.shape == (8, 8, 3)
    assert np.abs(shrunk.astype(int) - 127).max() <= 2  # without antialiasing: 0 or 255


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (333, 7)])
def test_odd_sizes(height: int, width: int) -> None:
    data = encoded(Image.new("RGB", (width, height), BLUE), "PNG")
    assert header_size(data) == (height, width)
    assert rgb(data).shape == (height, width, 3)
    assert resized(rgb(data), (32, 48)).shape == (32, 48, 3)
    assert (resized(rgb(data), (32, 48)) == BLUE).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files_are_corrupt(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with strict_decoding(), pytest.raises(CorruptImageError):
        rgb(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_no_image_is_corrupt(data: bytes) -> None:
    for read in (rgb, header_size):
        with pytest.raises(CorruptImageError, match="not an image"):
            read(data)


def test_decompression_bombs_are_corrupt() -> None:
    for width, height in ((60_000, 60_000), (10_000, 9_500)):  # beyond twice the limit, beyond it
        bomb = png(width, height, 1, 0, b"")
        with strict_decoding(), pytest.raises(CorruptImageError, match="too large to be decoded"):
            rgb(bomb)


def test_formats_that_run_programs_are_not_read() -> None:
    eps = encoded(Image.new("RGB", (4, 4), RED), "EPS")
    assert Image.open(io.BytesIO(eps)).format == "EPS"
    for read in (rgb, header_size):
        with pytest.raises(CorruptImageError, match="not an image in any known format"):
            read(eps)
