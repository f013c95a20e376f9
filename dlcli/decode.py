"""One decoder for every picture: a file becomes pixels in the same way wherever it is read.

- The orientation written in EXIF is applied.
- What is transparent shows white.
- Palettes and CMYK become RGB; 16-bit grey is scaled to 8 bits (Pillow alone clips it to white).
- Of an animation the first frame counts.
- Another size is reached by squashing: antialiased, nothing is cut off, proportions may change.
"""

import io
import warnings
import zlib
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image

from dlcli.file_bytes import Unreadable, held, open_file, turn

# Few readers, little to attack: Pillow knows 40 formats, some with a history of faults.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tiff", ".tif", ".ppm", ".pgm", ".pbm")

MAX_PIXELS = 89_478_485  # Pillow's own threshold for a bomb: 256 MiB as RGB

# Above this one picture at a time is decoded.
LARGE_PIXELS = 1 << 23

# Rows that are laid on white at a time, so that a large picture is not held four times over.
STRIP = 512

# Above this a JPEG is decoded at 1/2, 1/4 or 1/8 where that is still twice the size asked for.
DRAFT_ABOVE = 1_000_000
SCANS = 200  # of a JPEG that is drawn bit by bit

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# How a whole file ends; for the other formats only decoding tells.
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b"\x3b"}

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")

warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Header(NamedTuple):
    """What a file says of itself. channels: 1 when it can only be grey, else 3."""

    height: int
    width: int
    channels: int
    animated: bool


def decode(data: bytes, *, size: tuple[int, int] | None = None, channels: int | None = None):
    """The pixels of a file's bytes, uint8 (H, W, C); size is (height, width).

    Raises: Unreadable.
    """
    return examine(data, size=size, channels=channels)[1]


def examine(data: bytes, *, size: tuple[int, int] | None = None, channels: int | None = None):
    """Header and pixels of a file's bytes, by one reading.

    Raises: Unreadable.
    """
    with _opened(io.BytesIO(data)) as image, turn(image.width * image.height > LARGE_PIXELS):
        header = _header(image)
        _check_png(image, data)
        _check_scans(image, data)
        if size and image.width * image.height > DRAFT_ABOVE:
            image.draft(None, (2 * max(size), 2 * max(size)))
        upright = _upright(image)
        return header, _fit(upright, size or upright.size[::-1], channels or header.channels)


def look(path: str) -> Header:
    """The header alone, and a look at the file's end, which is missing where it was cut off.

    Raises: Unreadable.
    """
    with open_file(path) as file, _opened(file) as image:
        header, end = _header(image), _ENDS.get(image.format)
        file.seek(0, io.SEEK_END)
        file.seek(max(0, file.tell() - 64))
        if end and file.read().rstrip(b"\0").endswith(end):
            if image.info.get("progressive"):
                file.seek(0)
                _check_scans(image, file.read())
            return header
    with held(path) as data:
        return check(data)


def check(data: bytes) -> Header:
    """The header of a file that can be decoded to its end.

    Raises: Unreadable.
    """
    with _opened(io.BytesIO(data)) as image, turn(image.width * image.height > LARGE_PIXELS):
        header = _header(image)
        _check_png(image, data)
        _check_scans(image, data)
        image.draft(None, (1, 1))  # a JPEG is still read to its end, in a quarter of the time
        image.load()
        return header


def _check_scans(image, data: bytes) -> None:
    """Raises: Unreadable where a picture is drawn over and over again: a scan of 23 bytes takes as long as the picture is
    large. Encoders write some ten."""
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > SCANS:
        raise Unreadable(f"more than {SCANS} scans draw one picture")


def fit(pixels: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    """Pixels (H, W, C) in another size and number of channels, as `decode` would give them."""
    if pixels.shape == (height, width, channels):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return _fit(image, (height, width), channels)


@contextmanager
def _opened(file):
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(_too_large(f"{image.width} x {image.height}"))
            yield image
    except (Unreadable, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(_too_large("too many")) from error
    except Image.UnidentifiedImageError as error:
        file.seek(0)
        raise Unreadable("not a picture" if file.read(1) else "empty file") from error
    except Exception as error:  # broken bytes make decoders raise almost anything
        raise Unreadable(str(error).split("\n")[0] or type(error).__name__) from error


def _too_large(size: str) -> str:
    return f"{size} pixels, above the limit of {MAX_PIXELS // 10**6} million"


def _header(image) -> Header:
    if image.mode not in _MODES and not image.mode.startswith("I;16"):
        known = {"I": "32-bit integer grey", "F": "floating-point grey"}
        raise Unreadable(f"{known.get(image.mode, image.mode)} pixels, whose range is unknown")
    width, height = image.size
    # Pillow itself turns TIFF upright, size included.
    if image.format != "TIFF" and _orientation(image) >= 5:
        width, height = height, width
    grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I;16") or _grey_palette(image)
    return Header(height, width, 1 if grey else 3, _animated(image))


def _check_png(image, data: bytes) -> None:
    """Compare the checksums of a PNG's pixels, which Pillow passes over."""
    at, view = 8, memoryview(data)
    while image.format == "PNG" and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        crc = int.from_bytes(view[end : end + 4], "big")
        if view[at + 4 : at + 8] == b"IDAT" and zlib.crc32(view[at + 4 : end]) != crc:
            raise Unreadable("damaged: a checksum is wrong")
        at = end + 4


def _animated(image) -> bool:
    return image.format in ("GIF", "WEBP", "PNG", "TIFF") and getattr(image, "is_animated", False)


def _grey_palette(image) -> bool:
    if image.mode != "P" or image.palette is None:
        return False
    step = len(image.palette.rawmode or image.palette.mode)
    colours = bytes(image.palette.palette)
    colours = colours[: len(colours) // step * step]
    return colours[0::step] == colours[1::step] == colours[2::step]


def _orientation(image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF, sound picture
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _upright(image):
    """A file's picture as 8-bit grey or RGB, turned as EXIF asks."""
    image.load()
    plain = _plain(image)
    orientation = _orientation(image)
    return plain.transpose(_UPRIGHT[orientation]) if orientation > 1 else plain


def _plain(image):
    if image.mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(258, (16,))  # TIFF's BitsPerSample
        white = 4095 if bits == (12,) else 65535
        values = np.asarray(image)
        grey = np.empty(values.shape, np.uint8)
        for i in range(0, len(values), STRIP):
            grey[i : i + STRIP] = (values[i : i + STRIP].astype(np.uint32) * 255 + white // 2) // white
        return Image.fromarray(grey)
    if "A" in image.mode or "transparency" in image.info:
        mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
        plain = Image.new(mode, image.size)
        for top in range(0, image.height, STRIP):
            strip = image.crop((0, top, image.width, min(image.height, top + STRIP))).convert("RGBA")
            paper = Image.new("RGBA", strip.size, "white")
            plain.paste(Image.alpha_composite(paper, strip).convert(mode), (0, top))
        return plain
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _fit(image, size: tuple[int, int], channels: int) -> np.ndarray:
    """A grey or RGB picture -> uint8 (H, W, C)."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    height, width = size
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[..., None] if channels == 1 else pixels
