"""The decoder and the stores, against pixels that are known beforehand."""

import io
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli import decode, file_bytes, images, store
from dlcli.errors import DISK, DataError, DlcliError
from dlcli.file_bytes import Unreadable
from dlcli.images import ArrayImages, FileImages, fingerprints, scan

WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def encoded(image, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(rng, height, width, channels=3):
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def corners():
    """Two rows of three pixels, all different: (H=2, W=3)."""
    return np.array([[10, 20, 30], [40, 50, 60]], np.uint8)


# ---- the decoder ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_pixels_back(rng, kind):
    pixels = noise(rng, 5, 7)
    assert np.array_equal(decode.decode(encoded(Image.fromarray(pixels), kind)), pixels)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    """v / 257, rounded: 0x8080 is 128; Pillow alone would give 255."""
    values = np.array([[0, 257, 0x8080, 65535, 128, 129]], np.uint16)
    got = decode.decode(encoded(Image.fromarray(values), kind))
    assert got[..., 0].tolist() == [[0, 1, 128, 255, 0, 1]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_grey_is_refused_because_its_white_is_unknown(mode):
    with pytest.raises(Unreadable, match="range is unknown"):
        decode.decode(encoded(Image.new(mode, (4, 4)), "TIFF"))


def test_one_bit_is_black_and_white():
    image = Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1")
    assert decode.decode(encoded(image)).tolist() == [[[0], [255], [255]]]


def test_cmyk_jpeg_becomes_rgb():
    """Full cyan without other inks is R 0, G 255, B 255."""
    got = decode.decode(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95))
    assert got.shape == (16, 16, 3)
    assert np.abs(got.astype(int) - (0, 255, 255)).max() <= 3


def test_alpha_is_laid_on_white():
    image = Image.new("RGBA", (3, 1))
    image.putdata([(255, 0, 0, 255), (0, 255, 0, 0), (0, 0, 0, 128)])
    got = decode.decode(encoded(image))[0].tolist()
    assert got[:2] == [list(RED), list(WHITE)]
    assert got[2] == [127] * 3


def test_grey_with_alpha_stays_grey():
    image = Image.new("LA", (2, 1))
    image.putdata([(7, 255), (7, 0)])
    assert decode.decode(encoded(image)).tolist() == [[[7], [255]]]


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    assert decode.decode(encoded(image)).tolist() == [[list(RED), list(BLUE)]]
    assert decode.decode(encoded(image, transparency=1)).tolist() == [[list(RED), list(WHITE)]]


def test_a_palette_of_greys_counts_as_grey():
    image = Image.new("P", (2, 1))
    image.putpalette([9, 9, 9, 200, 200, 200])
    image.putdata([0, 1])
    assert decode.decode(encoded(image)).tolist() == [[[9], [200]]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    header, pixels = decode.examine(data, channels=3)
    assert header.animated
    assert np.abs(pixels.astype(int) - RED).max() <= 3


# What each orientation stores for the upright picture `corners`: the inverse of what a viewer does.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation, kind):
    """A camera held at a quarter turn stores the rows as columns and says so."""
    upright = np.kron(corners(), np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(stored, kind, exif=exif, **options)
    header, pixels = decode.examine(data, channels=1)
    assert header[:2] == (16, 24)
    assert np.array_equal(pixels[..., 0], upright)


@pytest.mark.filterwarnings("ignore")
def test_damaged_exif_does_not_spoil_the_picture():
    data = encoded(Image.new("RGB", (8, 8), RED), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert decode.decode(data).shape == (8, 8, 3)


@pytest.mark.parametrize("cut", [0.5, 0.9, -2])
def test_a_truncated_jpeg_is_found(rng, tmp_path, cut):
    data = encoded(Image.fromarray(noise(rng, 64, 64)), "JPEG")
    data = data[:cut] if cut < 0 else data[: int(len(data) * cut)]
    (tmp_path / "a.jpg").write_bytes(data)
    for look in (
        lambda: decode.decode(data),
        lambda: decode.check(data),
        lambda: decode.look(tmp_path / "a.jpg"),
    ):
        with pytest.raises(Unreadable, match="truncated"):
            look()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not a picture"),
        (b"%PDF-1.4", "not a picture"),
        (encoded(Image.new("L", (20, 20)))[:-30], "truncated"),
    ],
    ids=["empty", "text", "pdf", "cut"],
)
def test_what_is_no_picture_is_refused_with_a_reason(data, reason):
    with pytest.raises(Unreadable, match=reason):
        decode.decode(data)


def test_a_flipped_bit_in_a_png_is_found(rng):
    data = bytearray(encoded(Image.fromarray(noise(rng, 32, 32))))
    data[len(data) // 2] ^= 1
    for use in (decode.decode, decode.check):
        with pytest.raises(Unreadable, match="checksum"):
            use(bytes(data))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("side", [9_500, 14_000, 100_000])
def test_a_small_file_of_very_many_pixels_is_refused(side):
    """Only the header counts; at 14 000 and more Pillow itself refuses, below only warns."""
    data = bytearray(encoded(Image.new("L", (1, 1))))
    data[16:24] = side.to_bytes(4) * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    with pytest.raises(Unreadable, match="above the limit"):
        decode.decode(bytes(data))


def test_decoders_of_other_formats_are_not_reached():
    with pytest.raises(Unreadable, match="not a picture"):
        decode.decode(encoded(Image.new("RGB", (4, 4)), "PCX"))


def test_resizing_averages_what_it_shrinks():
    """Antialiased: a fine checkerboard becomes grey; picking pixels would give black or white."""
    board = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    small = decode.decode(encoded(Image.fromarray(board.astype(np.uint8))), size=(8, 8))
    assert np.abs(small.astype(int) - 127.5).max() < 8


def test_resizing_squashes_to_height_and_width():
    assert decode.decode(encoded(Image.new("RGB", (30, 10))), size=(5, 8)).shape == (5, 8, 3)


def test_a_jpeg_of_endless_scans_is_refused_at_once(tmp_path):
    """Each draws the whole picture once more, which 23 bytes ask for."""
    held = io.BytesIO()
    Image.new("L", (64, 64), 90).save(held, "JPEG", progressive=True)
    data = held.getvalue()
    at = data.rindex(b"\xff\xda")
    bomb = data[:at] + data[at:-2] * 1000 + b"\xff\xd9"
    (tmp_path / "bomb.jpg").write_bytes(bomb)
    with pytest.raises(Unreadable, match="more than 200 scans"):
        decode.check(bomb)
    with pytest.raises(Unreadable, match="more than 200 scans"):
        decode.look(str(tmp_path / "bomb.jpg"))
    (tmp_path / "good.jpg").write_bytes(data)
    assert decode.look(str(tmp_path / "good.jpg")) == decode.check(data)


def test_a_large_jpeg_is_drafted_and_looks_the_same():
    """Decoding at half the size must not change the colours or turn the picture."""
    ramp = np.linspace(0, 255, 1600).astype(np.uint8)
    photo = Image.merge("RGB", [Image.fromarray(np.tile(ramp, (1200, 1))), *[Image.new("L", (1600, 1200), 80)] * 2])
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(photo, "JPEG", quality=95, exif=exif)
    got = decode.decode(data, size=(100, 75)).astype(int)
    truth = np.asarray(photo.rotate(-90, expand=True).resize((75, 100), Image.Resampling.BOX)).astype(int)
    assert np.abs(got - truth)[1:-1].max() <= 4


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_raise_unreadable_and_nothing_else(rng):
    """150 random damages of each format."""
    image = Image.fromarray(noise(rng, 24, 24))
    for kind in decode.FORMATS:
        whole = encoded(image, kind)
        for _ in range(150):
            data = bytearray(whole)
            for i in rng.integers(0, min(len(data), 400), 3):
                data[i] = rng.integers(256)
            for use in (decode.decode, decode.check):
                try:
                    use(bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.3 else data))
                except Unreadable:
                    continue


# ---- pictures ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, rng):
    """20 PNGs of 12 x 10, and their pixels."""
    pixels = np.stack([noise(rng, 12, 10) for _ in range(20)])
    for i, one in enumerate(pixels):
        Image.fromarray(one).save(tmp_path / f"{i:02}.png")
    return [str(path) for path in sorted(tmp_path.iterdir())], pixels


@pytest.mark.parametrize("scanned", [False, True])
@pytest.mark.parametrize("memory", [1 << 30, 100])
def test_files_are_read_by_position(folder, monkeypatch, scanned, memory):
    monkeypatch.setenv("DLCLI_IMAGE_MEMORY", str(memory))
    paths, pixels = folder
    found = scan(paths).images if scanned else FileImages(paths)
    assert found.size() == (12, 10, 3)
    part = found.take([3, 1, 19, 7]).prepare(12, 10, 3)
    assert isinstance(part.store.records, np.ndarray) == (memory > 100)
    for _ in range(2):
        got = part.read(np.array([2, 0, 0]))
        assert got.dtype == np.uint8
        assert np.array_equal(got, pixels[[19, 3, 3]])
    assert np.array_equal(part.take([1]).read(np.array([0])), pixels[[1]])
    assert len(part) == 4


@pytest.mark.parametrize("shape", [(12, 10, 1), (6, 6, 3), (6, 6, 1), (20, 20, 3)])
@pytest.mark.parametrize("memory", [1 << 30, 100])
def test_kept_streamed_and_in_memory_pictures_agree(folder, monkeypatch, shape, memory):
    """However a picture is kept, a model sees the same pixels."""
    paths, pixels = folder
    monkeypatch.setenv("DLCLI_IMAGE_MEMORY", str(memory))
    everything = np.arange(20)
    kept = scan(paths).images.prepare(*shape).read(everything)
    fresh = FileImages(paths).prepare(*shape).read(everything)
    array = ArrayImages(pixels).prepare(*shape).read(everything)
    truth = np.stack([decode.decode(file_bytes.read(p), size=shape[:2], channels=shape[2]) for p in paths])
    for got in (kept, fresh, array):
        assert np.array_equal(got, truth)


def test_each_file_is_decoded_once(folder, monkeypatch):
    paths, _ = folder
    calls = []
    original = decode.examine
    monkeypatch.setattr(decode, "examine", lambda *a, **k: calls.append(1) or original(*a, **k))
    found = scan(paths).images
    train, val = found.take(np.arange(15)), found.take(np.arange(15, 20))
    for part in (train, val, train):
        part.prepare(12, 10, 3).read(np.arange(len(part)))
    assert len(calls) == 20
    one, other = train.prepare(6, 6, 3), val.prepare(6, 6, 3)
    assert one.store is other.store


def test_odd_pictures_among_equal_ones_are_resized(folder, tmp_path, rng):
    paths, pixels = folder
    odd = noise(rng, 30, 31)
    Image.fromarray(odd).save(tmp_path / "odd.png")
    Image.fromarray(pixels[0, ..., 0]).save(tmp_path / "grey.png")
    found = scan([*paths, str(tmp_path / "odd.png"), str(tmp_path / "grey.png")]).images
    assert found.size() == (12, 10, 3)
    got = found.prepare(12, 10, 3).read(np.array([20, 21, 0]))
    assert np.array_equal(got[0], decode.fit(odd, 12, 10, 3))
    assert np.array_equal(got[1], np.repeat(pixels[0, ..., :1], 3, -1))
    small = found.prepare(6, 5, 3).read(np.array([20]))  # from the file, not from the resized one
    assert np.array_equal(small[0], decode.fit(odd, 6, 5, 3))


def test_size_is_the_median_and_grey_only_when_all_are_grey(tmp_path):
    paths = []
    for i, (height, width) in enumerate([(10, 10), (20, 30), (40, 50)]):
        paths.append(str(tmp_path / f"{i}.png"))
        Image.new("L", (width, height)).save(paths[-1])
    assert scan(paths).images.size() == FileImages(paths).size() == (20, 30, 1)
    Image.new("RGB", (5, 5)).save(tmp_path / "c.png")
    assert scan([*paths, str(tmp_path / "c.png")]).images.size()[2] == 3


def test_a_scan_names_bad_files_with_reasons(folder, tmp_path):
    paths, _ = folder
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(Path(paths[0]).read_bytes()[:-40])
    paths += [str(tmp_path / name) for name in ("empty.png", "cut.png", "gone.png")]
    found = scan(paths)
    assert list(found.bad) == [20, 21, 22]
    assert found.bad[20] == "empty file"
    assert found.bad[22] == "No such file or directory"
    assert found.good.tolist() == list(range(20))


def test_a_large_set_is_scanned_by_headers_and_ends(folder, tmp_path, monkeypatch):
    paths, _ = folder
    (tmp_path / "cut.png").write_bytes(Path(paths[0]).read_bytes()[:-40])
    monkeypatch.setattr(images, "CHECKED_PIXELS", 100)
    found = scan([*paths, str(tmp_path / "cut.png")])
    assert list(found.bad) == [20]
    assert found.images.source.kept is None


def test_a_file_that_broke_after_the_scan_is_named(folder, monkeypatch):
    monkeypatch.setenv("DLCLI_IMAGE_MEMORY", "100")
    paths, _ = folder
    part = scan(paths).images.prepare(12, 10, 3)
    Path(paths[7]).write_bytes(b"")
    with pytest.raises(DataError, match=r"07\.png could not be read: empty file"):
        part.read(np.arange(20))


def test_threads_may_read_at_once(folder, monkeypatch):
    paths, pixels = folder
    for memory in ("100", "1000000000"):
        monkeypatch.setenv("DLCLI_IMAGE_MEMORY", memory)
        part = FileImages(paths).prepare(12, 10, 3)
        wrong = []

        def work(seed, part=part, wrong=wrong):
            rng = np.random.default_rng(seed)
            for _ in range(20):
                order = rng.permutation(20)
                if not np.array_equal(part.read(order), pixels[order]):
                    wrong.append(seed)

        threads = [threading.Thread(target=work, args=[seed]) for seed in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not wrong


def test_large_pictures_are_decoded_in_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "PARALLEL_ABOVE", 10)
    paths = [str(tmp_path / f"{i}.png") for i in range(9)]
    for i, path in enumerate(paths):
        Image.new("L", (20, 20), i).save(path)
    found = scan(paths).images
    assert found.source.large
    assert found.prepare(4, 4, 1).read(np.arange(9))[:, 0, 0, 0].tolist() == list(range(9))


def test_arrays_of_their_own_size_are_not_copied(rng):
    array = rng.integers(0, 256, (6, 4, 5), dtype=np.uint8)
    found = ArrayImages(array)
    assert found.size() == (4, 5, 1)
    part = found.take([4, 2]).prepare(4, 5, 1)
    assert np.shares_memory(part.store.records, array)
    assert np.array_equal(part.read(np.array([1]))[..., 0], array[[2]])


def test_fingerprints_are_equal_for_equal_pictures_only(folder, tmp_path):
    paths, pixels = folder
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(paths[2]).read_bytes())
    for found in (FileImages([*paths, str(copy)]), scan([*paths, str(copy)]).images):
        prints = fingerprints(found)
        assert prints[20] == prints[2]
        assert len(set(prints)) == 20
        assert fingerprints(found.take([2])) == [prints[2]]
    prints = fingerprints(ArrayImages(np.concatenate([pixels, pixels[:1]])))
    assert prints[20] == prints[0]
    assert len(set(prints)) == 20


def test_too_little_temporary_space_is_said_at_once(folder, monkeypatch):
    monkeypatch.setenv("DLCLI_IMAGE_MEMORY", "100")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    with pytest.raises(DlcliError, match="do not fit") as caught:
        FileImages(folder[0]).prepare(12, 10, 3)
    assert caught.value.code == DISK
