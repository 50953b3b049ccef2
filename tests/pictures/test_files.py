"""Picture files."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from backprop import TwoLayerNet
from backprop.datasets import mnist
from backprop.pictures import PictureError, read_picture
from backprop.pictures.files import MOST_PIXELS
from backprop.saving.network import save_network

from ..commands import fails
from .photographs import DIGIT, Image, photograph
from .predicting import FILE

features = pytest.importorskip("PIL.features")


def read(name: str, channels: int = 1) -> np.ndarray:
    return read_picture(name, channels).pixels


def bytes_of(name: str, channels: int = 1) -> np.ndarray:
    return np.rint(255.0 * read(name, channels)).astype(np.uint8)


FORMATS = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "gif": ("1", "L", "P", "RGB"),
    "bmp": ("1", "L", "P", "RGB"),
    "tiff": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"),
    "ppm": ("1", "L", "RGB"),
    "webp": ("RGB", "RGBA"),
}


@pytest.mark.parametrize(
    ("ending", "mode"), [(end, mode) for end, modes in FORMATS.items() for mode in modes]
)
def test_formats_and_modes(ending: str, mode: str) -> None:
    if ending == "webp" and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    picture = np.where(DIGIT > 127, 255, 0).astype(np.uint8)
    made = Image.fromarray(picture).convert("RGB" if mode == "CMYK" else "L").convert(mode)
    made.save(f"a.{ending}", **({"lossless": True} if ending == "webp" else {}))
    assert (bytes_of(f"a.{ending}")[0] == picture).all()
    assert (bytes_of(f"a.{ending}", channels=3) == picture).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(mode: str) -> None:
    Image.fromarray(DIGIT).resize((280, 280)).convert("RGB").convert(mode).save("a.jpg", quality=95)
    expected = np.asarray(Image.fromarray(DIGIT).resize((280, 280)), float)
    assert np.abs(bytes_of("a.jpg")[0] - expected).mean() < 3.0


def test_colours() -> None:
    Image.fromarray(np.full((2, 2, 3), (255, 0, 0), "uint8")).save("a.png")
    np.testing.assert_allclose(read("a.png"), 0.299, rtol=1e-5)
    assert (bytes_of("a.png", channels=3)[:, 0, 0] == (255, 0, 0)).all()


def test_palette() -> None:
    made = Image.new("P", (28, 28))
    made.putdata((DIGIT < 128).astype(int).ravel().tolist())
    made.putpalette([255, 255, 255, 0, 0, 0])
    made.save("a.png")
    assert (bytes_of("a.png")[0] == np.where(DIGIT < 128, 0, 255)).all()
    made.save("b.png", transparency=1)  # black is transparent, leaving white ink
    assert (bytes_of("b.png")[0] == np.where(DIGIT < 128, 0, 255)).all()


@pytest.mark.parametrize("largest", [1, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["uint16", "int32", "float32"])
def test_pixels_of_more_than_8_bits(kind: str, largest: int) -> None:
    picture = np.rint(DIGIT / 255.0 * largest).astype(kind)
    name = "a.png" if kind == "uint16" else "a.tiff"
    Image.fromarray(picture).save(name)
    np.testing.assert_allclose(read(name)[0], picture / largest, rtol=1e-6)
    assert read(name, channels=3).shape == (3, 28, 28)


@pytest.mark.parametrize("value", [-1.0, 70000.0, np.nan, np.inf])
def test_invalid_pixel_values(value: float) -> None:
    picture = DIGIT.astype(np.float32)
    picture[3, 3] = value
    Image.fromarray(picture).save("a.tiff")
    with pytest.raises(PictureError, match=r"a.tiff: expected pixels from 0 to 65,535, got .*; scale them"):
        read("a.tiff")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    upright = Image.fromarray(photograph(DIGIT, (280, 300)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = upright if turn is None else upright.transpose(turn)
    lying.save("a.jpg", exif=exif, quality=95)
    assert np.abs(bytes_of("a.jpg")[0].astype(int) - np.asarray(upright)).mean() < 3.0


def test_paper_with_transparent_corners() -> None:
    sheet = np.dstack([np.stack([photograph(DIGIT)] * 3, axis=-1), np.full((280, 280), 255, "uint8")])
    sheet[:20, :20, 3] = sheet[-20:, -20:, 3] = 0
    Image.fromarray(sheet).save("a.png")
    assert (bytes_of("a.png")[0] == photograph(DIGIT)).all()


def test_first_frame_is_used() -> None:
    frames = [Image.fromarray(picture) for picture in mnist().x_test[:3]]
    for name in ("a.gif", "a.tiff", "a.png"):
        frames[0].save(name, save_all=True, append_images=frames[1:])
        assert (bytes_of(name)[0] == DIGIT).all()
        assert read_picture(name, 1).notes == ("used the first frame",)
    frames[0].save("b.gif")
    frames[0].save("b.jpg", "MPO", save_all=True, append_images=frames[1:])  # as from a camera, with previews
    for name in ("b.gif", "b.jpg"):
        assert read_picture(name, 1).notes == ()


def bomb(side: int) -> bytes:
    """A PNG of side × side black pixels of one bit."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (side + 7) // 8)) for _ in range(side)) + packer.flush()
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_too_many_pixels_are_not_decoded(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    for side, found in ((9000, "9,000 × 9,000"), (13_500, "more")):  # Pillow itself refuses the second
        Path("a.png").write_bytes(bomb(side))
        tracemalloc.start()
        message = fails(capsys, "predict", FILE, "--input", "a.png")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (
            f"a.png: expected at most {MOST_PIXELS:,} pixels, got {found}; make the picture smaller"
            in message
        )
        assert peak < 10_000_000


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\nshowpage\n"


def test_unlisted_formats_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Path("text.png").write_text("<html>")
    Path("a.eps").write_bytes(EPS)
    Path("eps.png").write_bytes(EPS)
    Image.fromarray(DIGIT).save("a.ico")
    for name in ("text.png", "a.eps", "eps.png", "a.ico"):
        assert (
            f"{name}: expected a .npy or .npz file, or a picture: PNG, JPEG, GIF, BMP, TIFF, WEBP or PPM"
            in fails(capsys, "predict", FILE, "--input", name)
        )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_only_regular_files_are_opened(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    os.mkfifo("pipe.png")
    Path("folder.png").mkdir()
    for name in ("pipe.png", "/dev/zero"):
        assert f"{name}: expected a file, got a pipe or a device" in fails(
            capsys, "predict", FILE, "--input", name
        )
    assert "folder.png: expected a file, got a folder; name its files, such as folder.png/*.png" in fails(
        capsys, "predict", FILE, "--input", "folder.png"
    )
    assert "no.png: no such file or directory" in fails(capsys, "predict", FILE, "--input", "no.png")


def test_damaged_pictures_raise_picture_error() -> None:
    rng = np.random.default_rng(0)
    for ending in ("png", "jpg", "gif", "tiff", "bmp", "ppm"):
        Image.fromarray(DIGIT).save(f"whole.{ending}")
        whole = Path(f"whole.{ending}").read_bytes()
        for _ in range(40):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), 3):
                damaged[place] = rng.integers(256)
            Path("a").write_bytes(damaged[: rng.integers(1, len(whole))] if rng.random() < 0.3 else damaged)
            with suppress(PictureError):
                assert read("a").shape[0] == 1


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_is_refused_by_name(brand: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Path("a.heic").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    message = fails(capsys, "predict", FILE, "--input", "a.heic")
    assert "a.heic: an HEIC picture, the format of iPhones: save it as JPEG or PNG" in message


def test_pillow_is_loaded_for_pictures_only() -> None:
    code = "import sys, backprop.cli.predict, backprop.cli.train; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
