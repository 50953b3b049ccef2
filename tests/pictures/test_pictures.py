"""Pictures of one's own: opened, and made into what the training data was."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import SimpleConvNet, TwoLayerNet
from backprop.cli import main
from backprop.datasets import mnist
from backprop.pictures import MNIST, PictureError, Style, fitted, learn_style, read_picture
from backprop.pictures.files import LARGEST
from backprop.pictures.preparation import ink_of
from backprop.pictures.style import lies_in
from backprop.saving.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from backprop.saving.network import load_network, save_network

from ..commands import fails

Image = pytest.importorskip("PIL.Image")
features = pytest.importorskip("PIL.features")

FILE = "a.safetensors"
DIGITS = 60


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a run on the packaged MNIST."""
    out = str(tmp_path_factory.mktemp("runs") / "run")
    words = "--device cpu --epochs 4 --batch-size 200 --hidden 100 --optimizer adam --no-report --quiet"
    assert main(["train", *words.split(), "--out", out]) == 0
    return out


def saved(network: Any, style: Style | None) -> None:
    """A checkpoint of the network, trained on data of that style."""
    save_network(FILE, network)
    checkpoint = read_checkpoint(FILE)
    pictures = style and style.as_entry()
    write_checkpoint(
        FILE, Checkpoint({**checkpoint.description, "data": {"pictures": pictures}}, checkpoint.arrays)
    )


def seen(capsys: pytest.CaptureFixture[str], name: str, run: str = FILE) -> tuple[np.ndarray, str]:
    """What the network sees of a picture, and what is said of it."""
    capsys.readouterr()
    assert main(["predict", run, "--input", name, "--show-input", "seen.png"]) == 0
    with Image.open("seen.png") as shown:
        return np.asarray(shown), capsys.readouterr().err


def photograph(
    digit: np.ndarray,
    canvas: tuple[int, int] = (280, 280),
    at: tuple[int, int] = (0, 0),
    paper: float = 255.0,
    shadow: float = 0.0,
    grain: float = 0.0,
) -> np.ndarray:
    """A digit of MNIST ten times as large, dark on paper that grows darker to the right."""
    large = Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC)
    ink = np.zeros(canvas)
    ink[at[0] : at[0] + 280, at[1] : at[1] + 280] = np.asarray(large) / 255.0
    light = np.full(canvas, paper) - shadow * np.linspace(0.0, 1.0, canvas[1])
    noise = np.random.default_rng(0).normal(0.0, grain, canvas) if grain else 0.0
    return np.clip(light * (1.0 - ink) + 30.0 * ink + noise, 0.0, 255.0).astype(np.uint8)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two pictures, one of them moved by a pixel where that is better."""
    moves = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(np.corrcoef(np.roll(one, move, (0, 1)).ravel(), other.ravel())[0, 1] for move in moves)


SCENES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": photograph,
    "grey paper": lambda digit: photograph(digit, paper=190.0),
    "shadow": lambda digit: photograph(digit, paper=150.0, shadow=60.0, grain=4.0),
    "half size": lambda digit: photograph(digit, (560, 560), (140, 140)),
    "top left": lambda digit: photograph(digit, (560, 560), (20, 20)),
    "wide canvas": lambda digit: photograph(digit, (300, 450), (10, 85)),
    "touching the edges": lambda digit: photograph(digit)[40:240, 40:240],
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_digit_is_read_as_it_is_photographed(scene: str, run: str) -> None:
    data = mnist()
    x, t = data.x_test[:DIGITS], data.t_test[:DIGITS]
    network, pictures = load_network(run), []
    for digit in x:
        Image.fromarray(SCENES[scene](digit)).save("a.png")
        pictures.append(fitted(read_picture("a.png", 1).pixels, (28, 28), MNIST).pixels)
    found = network.predict(np.stack(pictures).reshape(DIGITS, 784)).argmax(axis=1)
    assert (found == t).mean() >= 0.95


@pytest.mark.parametrize("scene", SCENES)
def test_show_input_shows_it_as_mnist_has_it(
    scene: str, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    digit = mnist().x_test[0]
    Image.fromarray(SCENES[scene](digit)).save("a.png")
    shown, said = seen(capsys, "a.png", run)
    assert (shown.shape, shown.dtype) == ((28, 28), np.uint8)
    assert lies_in(shown[None] / 255.0, 20)[0]
    assert alike(shown, digit) > (0.8 if scene == "touching the edges" else 0.9)
    assert said == (
        "a.png: dark on bright, so inverted; cropped to the ink, fitted into 20 × 20 and centred in 28 × 28\n"
    )
    os.rename("seen.png", "again.png")
    again, said = seen(capsys, "again.png", run)
    assert (again == shown).all()  # what is prepared stays as it is
    assert said == ""


def test_a_run_knows_the_style_of_its_data(run: str) -> None:
    path = next(Path(run).glob("checkpoint-*"))
    assert Style.of(read_checkpoint(path).description["data"]["pictures"]) == MNIST


def chalk(digit: np.ndarray) -> np.ndarray:
    return 255 - photograph(digit, paper=200.0, shadow=80.0, grain=4.0)


def vignette(digit: np.ndarray) -> np.ndarray:
    across = np.linspace(-1.0, 1.0, 280) ** 2
    return photograph(digit) * (0.8 - 0.25 * (across + across[:, None]))


def edge_of_a_shadow(digit: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:280, :280]
    return photograph(digit, grain=4.0) * np.where(x + 0.6 * y > 230, 0.4, 0.8)


def cropped_to_the_ink(digit: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(digit > 60)
    return photograph(digit)[
        10 * rows.min() : 10 * rows.max() + 10, 10 * columns.min() : 10 * columns.max() + 10
    ]


def specks(digit: np.ndarray) -> np.ndarray:
    made = photograph(digit, paper=200.0, grain=3.0)
    for y, x in ((8, 9), (20, 250), (255, 14), (270, 260)):
        made[y : y + 5, x : x + 5] = 60
    return made


def faint(digit: np.ndarray) -> np.ndarray:
    return 170.0 + photograph(digit, grain=10.0) / 8.0


@pytest.mark.parametrize("scene", [chalk, vignette, edge_of_a_shadow, cropped_to_the_ink, specks, faint])
def test_light_and_paper_do_not_matter(scene: Callable[[np.ndarray], np.ndarray]) -> None:
    for digit in mnist().x_test[:12]:
        made = np.asarray(scene(digit), np.uint8).astype(np.float32) / 255.0
        shown = fitted(made[None], (28, 28), MNIST).pixels[0]
        clean = fitted(photograph(digit)[None].astype(np.float32) / 255.0, (28, 28), MNIST).pixels[0]
        assert alike(shown, clean) > 0.9


def test_grain_is_not_ink() -> None:
    ink = np.zeros((280, 280))
    ink[60:220, 130:150] = 1.0
    light = 200.0 - 100.0 * ink + np.random.default_rng(0).normal(0.0, 15.0, ink.shape)
    found = ink_of(light.astype(np.float32) / 255.0)
    assert found is not None
    assert found[0][ink == 0.0].mean() < 0.01
    assert found[0][65:215, 135:145].mean() > 0.8


def test_a_hairline_is_full_ink() -> None:
    paper = np.full((280, 280), 255, "uint8")
    paper[40:240, 139:141] = paper[238:240, 139:240] = 0  # an L
    shown = fitted(paper[None].astype(np.float32) / 255.0, (28, 28), MNIST).pixels[0]
    assert shown.max() == 255
    assert (shown > 100).sum() > 20


def test_what_the_data_has_in_common() -> None:
    x = mnist().x_train[:300]
    for data in (x, x.reshape(-1, 784), x[:, None], x / 255.0, x.astype("int64"), x > 127):
        assert learn_style(data) == MNIST
    assert learn_style((x - 33.0) / 78.0) == MNIST
    assert learn_style(255 - x) == Style("dark", 20)
    rolled = np.stack([np.roll(picture, k % 7 - 3, axis=1) for k, picture in enumerate(x)])
    assert learn_style(rolled) == Style("bright")  # in the box, but not in the middle
    bars = np.zeros((50, 28, 28))
    bars[:, 14] = 1.0
    assert learn_style(bars) == Style("bright")  # no paper around it
    assert learn_style(x[:, ::2, ::2]) == Style("bright", 10)
    rng = np.random.default_rng(0)
    assert learn_style(rng.integers(0, 256, (300, 28, 28), "uint8")) == Style()
    assert learn_style(rng.integers(0, 256, (300, 3, 32, 32), "uint8")) == Style()
    assert learn_style(np.zeros((9, 28, 28))) == Style()
    assert learn_style(np.where(x, np.nan, 0.0)) == Style()
    assert learn_style(rng.random((300, 5))) is None


def test_dark_ink_stays_dark_where_the_data_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    saved(TwoLayerNet(784, 2, 2, rng=0), Style("dark", 20))
    digit = mnist().x_test[0]
    Image.fromarray(255 - digit).save("a.png")
    shown, said = seen(capsys, "a.png")
    assert (shown == 255 - digit).all()
    assert said == ""
    Image.fromarray(digit).save("a.png")
    shown, said = seen(capsys, "a.png")
    assert (shown == 255 - digit).all()
    assert said == "a.png: bright on dark, so inverted\n"
    Image.fromarray(photograph(digit, paper=190.0)).save("a.png")
    shown, said = seen(capsys, "a.png")
    assert lies_in(1.0 - shown[None] / 255.0, 20)[0]
    assert said.startswith("a.png: cropped to the ink, fitted")


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_flat_and_convolutional_networks_see_the_same(
    network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TwoLayerNet(784, 2, 10, rng=0) if network == "mlp" else SimpleConvNet((1, 28, 28), rng=0)
    saved(made, MNIST)
    digit = mnist().x_test[3]
    Image.fromarray(photograph(digit, paper=190.0)).save("a.png")
    shown, _ = seen(capsys, "a.png")
    assert lies_in(shown[None] / 255.0, 20)[0]


def test_ink_without_a_box_is_resized_with_its_paper(capsys: pytest.CaptureFixture[str]) -> None:
    saved(SimpleConvNet((1, 12, 12), rng=0), Style("bright"))
    picture = np.full((24, 48), 255, "uint8")
    picture[8:16, 20:28] = 0
    Image.fromarray(picture).save("a.png")
    shown, said = seen(capsys, "a.png")
    expected = np.zeros((12, 12), "uint8")
    expected[5:7, 5:7] = 255
    assert (shown == expected).all()
    assert said == "a.png: dark on bright, so inverted; resized to 12 × 12, its aspect kept\n"


def test_photographs_are_resized_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    saved(SimpleConvNet((3, 12, 12), rng=0), Style())
    picture = np.zeros((24, 48, 3), "uint8")
    picture[...] = (250, 200, 10)
    Image.fromarray(picture).save("a.png")
    shown, said = seen(capsys, "a.png")
    assert shown.shape == (12, 12, 3)
    assert (shown == (250, 200, 10)).all()  # the strips above and below, too
    assert said == "a.png: resized to 12 × 12, its aspect kept\n"


def test_what_is_not_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Image.fromarray(photograph(mnist().x_test[0])).save("a.png")
    shown, said = seen(capsys, "a.png")
    assert shown[4:24, 4:24].max() > 200 > 100 > shown[0].max()
    assert said == (
        "a.png: dark on bright, so inverted; resized to 28 × 28, its aspect kept; what the network was "
        "trained on is not in its checkpoint: taken for bright ink on dark\n"
    )


def test_a_description_that_cannot_be_followed(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Image.fromarray(mnist().x_test[0]).save("a.png")
    checkpoint = read_checkpoint(FILE)
    for entry in ("bright", {"ink": "green"}, {"ink": ["bright"]}, {"box": 20.0}, {"box": True}):
        data = {"data": {"pictures": entry}}
        write_checkpoint(FILE, Checkpoint({**checkpoint.description, **data}, checkpoint.arrays))
        message = fails(capsys, "predict", FILE, "--input", "a.png")
        assert f"{FILE}: what it says of the pictures it was trained on cannot be followed" in message
    saved(TwoLayerNet(784, 2, 2, rng=0), Style("bright", 10**9))
    assert "a box of 1000000000 does not fit" in fails(capsys, "predict", FILE, "--input", "a.png")


def test_networks_that_take_no_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(mnist().x_test[0]).save("a.png")
    for network, takes in (
        (TwoLayerNet(5, 2, 2, rng=0), "5"),
        (SimpleConvNet((4, 12, 12), rng=0), "4 × 12 × 12"),
    ):
        save_network(FILE, network)
        message = fails(capsys, "predict", FILE, "--input", "a.png")
        assert (
            f"a picture does not fit this network, which takes {takes} numbers; give a .npy file" in message
        )


def read(name: str, channels: int = 1) -> np.ndarray:
    return read_picture(name, channels).pixels


def bytes_of(name: str, channels: int = 1) -> np.ndarray:
    return np.rint(255.0 * read(name, channels)).astype(np.uint8)


DIGIT = mnist().x_test[0]


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


def test_a_palette_is_colours_and_not_their_order() -> None:
    made = Image.new("P", (28, 28))
    made.putdata((DIGIT < 128).astype(int).ravel().tolist())
    made.putpalette([255, 255, 255, 0, 0, 0])
    made.save("a.png")
    assert (bytes_of("a.png")[0] == np.where(DIGIT < 128, 0, 255)).all()
    made.save("b.png", transparency=1)  # what is black is transparent: white ink on nothing
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
def test_numbers_that_are_no_brightness(value: float) -> None:
    picture = DIGIT.astype(np.float32)
    picture[3, 3] = value
    Image.fromarray(picture).save("a.tiff")
    with pytest.raises(PictureError, match=r"a.tiff: expected pixels from 0 to 65,535, got .*; scale them"):
        read("a.tiff")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_upright(orientation: int) -> None:
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


@pytest.mark.parametrize("ink", [0, 128, 255])
def test_ink_on_a_transparent_sheet(ink: int) -> None:
    sheet = np.dstack([np.full((28, 28, 3), ink, "uint8"), DIGIT])
    Image.fromarray(sheet).save("a.png")
    shown = fitted(read("a.png"), (28, 28), MNIST).pixels[0]
    if ink == 128:  # half as dark as its paper is bright: brought to full ink
        assert alike(shown, DIGIT) > 0.95
    else:
        assert (shown == DIGIT).all()


def test_paper_with_transparent_corners_is_paper() -> None:
    sheet = np.dstack([np.stack([photograph(DIGIT)] * 3, axis=-1), np.full((280, 280), 255, "uint8")])
    sheet[:20, :20, 3] = sheet[-20:, -20:, 3] = 0
    Image.fromarray(sheet).save("a.png")
    assert (bytes_of("a.png")[0] == photograph(DIGIT)).all()


def test_the_first_frame_is_taken_and_this_is_said() -> None:
    frames = [Image.fromarray(picture) for picture in mnist().x_test[:3]]
    for name in ("a.gif", "a.tiff", "a.png"):
        frames[0].save(name, save_all=True, append_images=frames[1:])
        assert (bytes_of(name)[0] == DIGIT).all()
        assert read_picture(name, 1).notes == ("the first of its frames",)
    frames[0].save("b.gif")
    frames[0].save("b.jpg", "MPO", save_all=True, append_images=frames[1:])  # a camera's, with previews
    for name in ("b.gif", "b.jpg"):
        assert read_picture(name, 1).notes == ()


@pytest.mark.parametrize("style", [MNIST, Style("bright"), Style("dark"), None])
@pytest.mark.parametrize("paper", [0, 128, 255])
def test_an_empty_picture(style: Style | None, paper: int, capsys: pytest.CaptureFixture[str]) -> None:
    saved(TwoLayerNet(784, 2, 2, rng=0), style)
    Image.new("L", (90, 60), paper).save("a.png")
    assert "a.png: there is nothing in it: it is of one colour" in fails(
        capsys, "predict", FILE, "--input", "a.png"
    )
    Image.new("RGBA", (90, 60), (paper, paper, paper, 0)).save("a.png")
    assert "a.png: there is nothing in it: it is transparent everywhere" in fails(
        capsys, "predict", FILE, "--input", "a.png"
    )


@pytest.mark.parametrize("grain", [1.0, 8.0, 25.0])
@pytest.mark.parametrize("shadow", [0.0, 60.0])
def test_blank_paper_has_no_ink(grain: float, shadow: float) -> None:
    paper = photograph(np.zeros((28, 28), "uint8"), paper=190.0, shadow=shadow, grain=grain)
    assert ink_of(paper.astype(np.float32) / 255.0) is None
    with pytest.raises(PictureError, match="no ink stands out from the paper"):
        fitted(paper[None].astype(np.float32) / 255.0, (28, 28), MNIST)


def bomb(side: int) -> bytes:
    """A PNG of side × side black pixels, of a bit each."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (side + 7) // 8)) for _ in range(side)) + packer.flush()
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_more_pixels_than_a_camera_has_are_not_decoded(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    for side, found in ((9000, "9,000 × 9,000"), (13_500, "more")):  # Pillow refuses the second by itself
        Path("a.png").write_bytes(bomb(side))
        tracemalloc.start()
        message = fails(capsys, "predict", FILE, "--input", "a.png")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert f"a.png: expected at most {LARGEST:,} pixels, got {found}; make the picture smaller" in message
        assert peak < 10_000_000


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\nshowpage\n"


def test_what_is_no_picture_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Path("text.png").write_text("<html>")
    Path("a.eps").write_bytes(EPS)
    Path("eps.png").write_bytes(EPS)
    Image.fromarray(DIGIT).save("a.ico")
    for name in ("text.png", "a.eps", "eps.png", "a.ico"):
        assert (
            f"{name}: expected a .npy or .npz file or a picture, as PNG, JPEG, GIF, BMP, TIFF, WEBP or PPM"
            in fails(capsys, "predict", FILE, "--input", name)
        )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_only_files_are_opened(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    os.mkfifo("pipe.png")
    Path("folder.png").mkdir()
    for name in ("pipe.png", "/dev/zero"):
        assert f"{name}: expected a file, got a pipe or a device" in fails(
            capsys, "predict", FILE, "--input", name
        )
    assert "folder.png: expected a file, got a folder; name the files in it, as folder.png/*.png" in fails(
        capsys, "predict", FILE, "--input", "folder.png"
    )
    assert "no.png: no such file or directory" in fails(capsys, "predict", FILE, "--input", "no.png")


def test_damaged_pictures_are_one_error() -> None:
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


def test_show_input_is_for_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    np.save("x.npy", DIGIT)
    message = fails(capsys, "predict", FILE, "--input", "x.npy", "--show-input", "b.png")
    assert "--show-input is for a picture, and x.npy holds arrays" in message
    Image.fromarray(DIGIT).save("a.png")
    before = Path("a.png").read_bytes()
    assert "a.png is the picture itself" in fails(
        capsys, "predict", FILE, "--input", "a.png", "--show-input", "./a.png"
    )
    assert Path("a.png").read_bytes() == before
    assert (
        "no/b.png cannot be written: there is no folder no; write it elsewhere with --show-input FILE\n"
        in fails(capsys, "predict", FILE, "--input", "a.png", "--show-input", "no/b.png")
    )


def test_what_was_seen_of_a_refused_picture_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    saved(TwoLayerNet(784, 2, 2, rng=0), MNIST)
    Image.new("L", (90, 60), 200).save("a.png")
    message = fails(capsys, "predict", FILE, "--input", "a.png", "--show-input", "seen.png")
    assert "a.png: there is nothing in it: it is of one colour; what was seen of it is in seen.png" in message
    with Image.open("seen.png") as shown:
        assert (np.asarray(shown) == 200).all()


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_is_named(brand: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    save_network(FILE, TwoLayerNet(784, 2, 2, rng=0))
    Path("a.heic").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    message = fails(capsys, "predict", FILE, "--input", "a.heic")
    assert "a.heic: an HEIC picture, as iPhones take: save it as JPEG or PNG" in message


def test_pillow_is_loaded_for_pictures_only() -> None:
    code = "import sys, backprop.cli.predict, backprop.cli.train; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def several(picture: np.ndarray) -> list[str]:
    return [words for words in fitted(picture[None], (28, 28), MNIST).done if "separate pieces" in words]


def test_two_digits_in_one_picture_are_noticed_and_one_is_not() -> None:
    x = mnist().x_test.astype(np.float32) / 255
    alone = sum(bool(several(digit)) for digit in x)
    assert alone < 0.005 * len(x)
    pairs = np.random.default_rng(0).integers(0, len(x), (1000, 2))
    for large in (False, True):
        noticed = 0
        for i, j in pairs[:200] if large else pairs:
            pair = np.hstack([x[i], x[j]])
            noticed += bool(several(1.0 - np.kron(pair, np.ones((6, 6), "f")) if large else pair))
        assert noticed > 0.98 * (200 if large else 1000)


def strokes(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A picture (60, 60) with bright boxes: the first and the last row and column of each."""
    picture = np.zeros((60, 60), "float32")
    for top, bottom, left, right in boxes:
        picture[top : bottom + 1, left : right + 1] = 1.0
    return picture


@pytest.mark.parametrize(
    ("picture", "count"),
    [
        (strokes((10, 50, 10, 15), (10, 50, 25, 30)), 2),
        (strokes((10, 50, 5, 10), (10, 50, 25, 30), (10, 50, 45, 50)), 3),
        (strokes((10, 50, 10, 15), (12, 14, 25, 30)), 0),
        (strokes((10, 14, 20, 24), (20, 50, 20, 24)), 0),
        (strokes((10, 28, 20, 24), (35, 55, 20, 24)), 2),
        (strokes((10, 50, 10, 15), (10, 14, 20, 50), (30, 34, 20, 50)), 0),
        (strokes((10, 13, 20, 45), (20, 50, 20, 25)), 0),
    ],
    ids=[
        "two",
        "three",
        "a bar that has come off",
        "the dot of an i",
        "one above the other",
        "two bars",
        "the bar of a 5",
    ],
)
def test_pieces_of_one_size(picture: np.ndarray, count: int) -> None:
    told = f"{count} separate pieces of ink, where one sign is expected: crop the picture to one"
    expected = [told] if count else []
    assert several(picture) == expected
    assert several(1.0 - picture) == expected
