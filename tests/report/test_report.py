"""The page of a run, and what it is made of."""

from __future__ import annotations

import base64
import copy
import re
import shutil
import subprocess
import sys
import tracemalloc
from dataclasses import asdict
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from backends import Backend
from backprop import (
    SGD,
    Adam,
    Affine,
    BatchNormalization,
    Dropout,
    MeanSquaredError,
    Momentum,
    Network,
    ReLU,
    SimpleConvNet,
    Training,
    TwoLayerNet,
)
from backprop.cli import main
from backprop.cli.build import defaults
from backprop.diagnosis.batch import Gradient, Histogram, LayerOutput, histogram
from backprop.diagnosis.signs import warning_signs
from backprop.optimizers import Optimizer
from backprop.pictures import image_shape
from backprop.report import diagnose, figures, points, write_comparison, write_report
from backprop.report.diagnosis import _not_among, confusion_matrix, first_weights, frequent_confusions
from backprop.report.html import number, setting
from backprop.report.images import png, sample_image, weight_image
from backprop.report.record import Record, read_record
from backprop.report.sections import _matrix, _most_frequent
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from backprop.schedules import Cosine

Arrays = tuple[np.ndarray, np.ndarray]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def images(n: int, seed: int, shape: tuple[int, ...] = (8, 8)) -> Arrays:
    """Noise, brighter where the class's rows are: three classes that are not easy to tell apart."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, n)
    x = rng.integers(0, 200, (n, *shape)).astype(np.uint8)
    for label in range(3):
        x[t == label, ..., 2 * label : 2 * label + 2, :] //= 2
        x[t == label, ..., 2 * label : 2 * label + 2, :] += 80
    return x, t


TRAIN, TEST = images(600, 0), images(90, 1)


def kept_run(folder: Path, network: Network, its: Optimizer | None = None, **settings: Any) -> Path:
    """A run folder as `backprop train --out` leaves it."""
    folder.mkdir()
    data = folder.parent / "data.npz"
    if not data.exists():
        np.savez(data, x_train=TRAIN[0], t_train=TRAIN[1], x_test=TEST[0], t_test=TEST[1])
    settings = {"data": str(data), "device": "cpu", "batch_size": 50, "epochs": 3, **settings}
    (x, t), (x_test, t_test) = TRAIN, TEST
    if network.input_shape is not None and len(network.input_shape) == 3:
        x, x_test = x[:, None], x_test[:, None]
    training = Training(network, x, t, optimizer=its, epochs=3, batch_size=50, rng=0, test=(x_test, t_test))
    lines = [{"event": "epoch", **asdict(metrics)} for metrics in training]
    history_file.write_history(folder, lines)
    checkpoint = training.checkpoint()
    checkpoint.description["run"] = {"command": "backprop train --epochs 3", "settings": settings}
    run_folder.save(folder, checkpoint, 2)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return kept_run(tmp_path / "run", TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0), lr=0.1)


class Reader(HTMLParser):
    """Tags that must be balanced, ids that must be unique, and the text."""

    VOID = ("meta", "img", "br", "link", "hr", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag == "img":
            assert given["alt"]
            assert (given["src"] or "").startswith("data:image/png;base64,")
        if tag == "svg":
            assert given["role"] == "img"
            assert given["aria-label"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(path: Path) -> Reader:
    """The page, which must be whole and stand for itself."""
    page = path.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>\n<html lang=")
    assert not re.search(r"https?://|<script|<link|javascript:|@import", page)
    return Reader(page)


def tables(path: Path) -> list[dict[str, list[str]]]:
    """The cells of every table, row by row, by the row's heading."""
    found = []
    for table in re.findall(r"<table.*?</table>", path.read_text("utf-8"), re.DOTALL):
        rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
        found.append({text(name): re.findall(r"<td.*?>(.*?)</td>", cells) for name, cells in rows})
    return found


def text(markup: str) -> str:
    """Without its tags."""
    return unescape(re.sub(r"<.*?>", "", markup))


# ----------------------------------------------------------------------------------------- diagnosis


def trained(backend: Backend) -> Network:
    """A network with one dead unit at least."""
    network = TwoLayerNet(64, 10, 3, weight_init_std=0.1, device=backend, rng=0)
    for _ in Training(network, *TRAIN, epochs=1, batch_size=50, rng=0):
        pass
    b = np.array(backend.to_numpy(network.params["b1"]))
    b[4] = -1e3
    network.params["b1"] = backend.asarray(b)
    return network


def forward(network: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden units and scores, in NumPy."""
    p = {name: network.backend.to_numpy(value).astype("f8") for name, value in network.params.items()}
    hidden = np.maximum(x.reshape(len(x), -1) / 255.0 @ p["W1"] + p["b1"], 0.0)
    return hidden, hidden @ p["W2"] + p["b2"]


def test_diagnosis_of_the_test_data(backend: Backend) -> None:
    network, (x, t) = trained(backend), TEST
    diagnosis = diagnose(network, *TRAIN, x, t)
    _, scores = forward(network, x)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    predictions, losses = scores.argmax(axis=1), -np.log(probabilities[np.arange(len(t)), t])
    assert diagnosis.test_accuracy == np.mean(predictions == t)
    assert diagnosis.test_loss == pytest.approx(losses.mean(), rel=1e-5)
    expected = [[sum((t == i) & (predictions == j)) for j in range(3)] for i in range(3)]
    np.testing.assert_array_equal(diagnosis.confusion, expected)
    wrong = np.nonzero(predictions != t)[0]
    assert [m.index for m in diagnosis.mistakes] == sorted(wrong, key=lambda i: -losses[i])[:20]
    for m in diagnosis.mistakes:
        assert (m.label, m.prediction) == (t[m.index], predictions[m.index])
        assert m.probability == pytest.approx(probabilities[m.index].max(), rel=1e-4)
        assert m.loss == pytest.approx(losses[m.index], rel=1e-4)
        np.testing.assert_array_equal(m.x, x[m.index])


def test_diagnosis_of_a_batch(backend: Backend) -> None:
    network, (x, t) = trained(backend), TRAIN
    diagnosis = diagnose(network, x, t, *TEST, SGD(0.5))
    hidden, _ = forward(network, x[:500])
    affine, relu, last = diagnosis.outputs
    assert (affine.name, relu.name, last.shape) == ("Affine1", "Relu1", (500, 3))
    assert (relu.units, relu.dead) == (10, (hidden == 0.0).all(axis=0).sum())
    assert relu.dead is not None
    assert relu.dead >= 1
    assert (affine.units, affine.dead) == (None, None)
    assert relu.zeros == pytest.approx((hidden == 0.0).mean(), abs=1e-4)
    assert relu.mean == pytest.approx(hidden.mean(), rel=1e-5)
    assert relu.std == pytest.approx(hidden.std(), rel=1e-5)
    assert relu.histogram.counts.sum() == 5000
    asarray, to_numpy = backend.asarray, backend.to_numpy
    grads = network.gradient(asarray(x[:500]), asarray(t[:500]))
    assert [gradient.name for gradient in diagnosis.gradients] == list(network.params)
    for gradient in diagnosis.gradients:
        g, p = (to_numpy(arrays[gradient.name]).astype("f8") for arrays in (grads, network.params))
        assert gradient.shape == p.shape
        assert gradient.norm == pytest.approx(np.linalg.norm(g), rel=1e-5)
        assert gradient.parameter_norm == pytest.approx(np.linalg.norm(p), rel=1e-5)
        assert gradient.update == pytest.approx(0.5 * np.linalg.norm(g) / np.linalg.norm(p), rel=1e-3)
        assert gradient.histogram.counts.sum() == g.size
    assert diagnosis.rate == 0.5
    assert all(gradient.update is None for gradient in diagnose(network, x, t, *TEST).gradients)


def test_network_and_optimizer_are_left_as_they_were(backend: Backend) -> None:
    rng = np.random.default_rng(0)

    def arrays(*shape: int) -> Any:
        return backend.asarray(rng.standard_normal(shape).astype("f"))

    network = Network([
        Affine(arrays(64, 9), arrays(9)), BatchNormalization(arrays(9), arrays(9)), ReLU(),
        Dropout(0.3, seed=1), Affine(arrays(9, 3), arrays(3)),
    ])  # fmt: skip
    optimizer = Adam(0.01)
    for _ in Training(network, *TRAIN, optimizer=optimizer, iterations=5, rng=0):
        pass

    def everything() -> dict[str, Any]:
        kept = {**network.params, **network.state, **optimizer.slots, "grads": network.flat_grads["flat"]}
        return {key: copy.deepcopy(backend.to_numpy(value)).tolist() for key, value in kept.items()}

    before, steps = everything(), optimizer.steps
    diagnosis = diagnose(network, *TRAIN, *TEST, optimizer)
    assert everything() == before
    assert optimizer.steps == steps
    assert all(gradient.update for gradient in diagnosis.gradients if gradient.weight)


def test_regression_has_no_classes() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 4)), rng.standard_normal((40, 2))
    network = Network([Affine(rng.standard_normal((4, 2)), np.zeros(2))], MeanSquaredError())
    diagnosis = diagnose(network, x, t, x[:10], t[:10])
    assert diagnosis.test_loss == pytest.approx(np.mean((network.predict(x[:10]) - t[:10]) ** 2))
    assert (diagnosis.test_accuracy, diagnosis.confusion, diagnosis.weights) == (None, None, None)
    assert diagnosis.confusions is None
    assert diagnosis.mistakes == ()


def test_dead_channels_of_a_convolution() -> None:
    network = SimpleConvNet((1, 8, 8), {"filter_num": 4, "filter_size": 3}, 5, 3, rng=0)
    network.params["b1"][1:3] = -1e3
    x, t = TRAIN[0][:20, None], TRAIN[1][:20]
    diagnosis = diagnose(network, x, t, x, t)
    assert (diagnosis.outputs[0].units, diagnosis.outputs[0].dead) == (4, 2)
    assert diagnosis.guessing is not None
    assert any(
        line.startswith("Conv1 with Relu1 and Pool1: 2 of 4 units (50%) are dead")
        for line in diagnosis.guessing.causes
    )
    assert diagnosis.weights is not None
    np.testing.assert_array_equal(diagnosis.weights, network.params["W1"])


def test_one_hot_labels_are_classes() -> None:
    network = trained(TwoLayerNet(2, 2, 2).backend)
    one_hot = np.eye(3, dtype=np.int64)
    plain = diagnose(network, *TRAIN, *TEST)
    found = diagnose(network, TRAIN[0], one_hot[TRAIN[1]], TEST[0], one_hot[TEST[1]])
    np.testing.assert_array_equal(found.confusion, plain.confusion)
    assert found.test_loss == pytest.approx(plain.test_loss)


def test_confusion_matrix_has_labels_in_rows() -> None:
    matrix = confusion_matrix(np.asarray([0, 0, 2]), np.asarray([1, 1, 2]), 4)
    assert matrix.tolist() == [[0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_confusions_are_those_of_the_matrix() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 9, (2, 500))
    matrix = confusion_matrix(labels, predictions, 9)
    confusions = frequent_confusions(labels, predictions)
    found = np.zeros((9, 9), int)
    found[confusions[:, 0], confusions[:, 1]] = confusions[:, 2]
    np.testing.assert_array_equal(found, matrix - np.diag(np.diag(matrix)))
    assert (np.diff(confusions[:, 2]) <= 0).all()
    assert frequent_confusions(labels, labels).shape == (0, 3)


def test_many_classes_take_little_memory() -> None:
    """A matrix of 10,000 classes would have 800 MB, and the scores of all samples 160 MB."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((4000, 3)).astype("f"), rng.integers(0, 10_000, 4000)
    network = TwoLayerNet(3, 2, 10_000, rng=0)
    tracemalloc.start()
    diagnosis = diagnose(network, x[:20], t[:20], x, t)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * 1000 * 10_000  # a part of the scores in float64, and what softmax makes of it
    scores = network.predict(x)
    wrong = scores.argmax(axis=1) != t
    assert diagnosis.confusion is None
    assert diagnosis.confusions is not None
    assert diagnosis.confusions[:, 2].sum() == wrong.sum()
    assert diagnosis.test_accuracy == 1.0 - wrong.mean()
    assert diagnosis.test_loss == pytest.approx(network.evaluate(x, t)[0], rel=1e-5)


@pytest.mark.parametrize(("classes", "dense"), [(30, True), (31, False)])
def test_where_the_matrix_ends(classes: int, dense: bool) -> None:
    t = np.arange(classes)
    x = np.eye(classes, dtype="float32")
    diagnosis = diagnose(TwoLayerNet(classes, 4, classes, rng=0), x, t, x, t)
    assert (diagnosis.confusion is not None) is dense
    assert diagnosis.confusions is not None


def test_histogram_leaves_out_what_is_not_finite() -> None:
    assert histogram(np.asarray([1.0, np.nan, np.inf, 2.0])).counts.sum() == 2


def output(name: str = "ReLU1", dead: int = 0, *, finite: bool = True) -> LayerOutput:
    return LayerOutput(name, (5, 20), 0.0, 1.0, 0.5, False, finite, 20, dead, histogram(np.ones(3)))


def gradient(number: int, norm: float, update: float | None = 1e-3) -> Gradient:
    shape, counts = (2, 2), histogram(np.ones(4))
    return Gradient(f"W{number}", f"Affine{number}", True, shape, 1.0, norm, update, counts)


@pytest.mark.parametrize(
    ("outputs", "gradients", "signs"),
    [
        ([output(dead=2)], [gradient(1, 1.0), gradient(2, 1.0)], []),
        ([output(dead=3)], [], ["ReLU1: 3 of 20 units (15%) are dead"]),
        ([output(finite=False)], [], ["ReLU1 puts out numbers that are NaN or infinite."]),
        ([], [gradient(1, 1.1e-3), gradient(2, 1.0)], []),
        ([], [gradient(1, 0.9e-3), gradient(2, 1.0)], ["Affine1: the gradient of W1 vanishes"]),
        ([], [gradient(1, 0.9e-7), gradient(2, 2e-7)], ["Affine1: W1 has no gradient to speak of"]),
        ([], [gradient(1, 1.0, 0.2)], ["Affine1: a step changes W1 by 0.2 of its norm, which is much"]),
        ([], [gradient(1, 1.0, np.nan)], ["Affine1: a step changes W1 by nan of its norm, which is much"]),
        ([], [gradient(1, 1.0, 5e-7)], ["Affine1: a step changes W1 by 5e-07 of its norm, which is next to"]),
        ([], [gradient(1, 1.0, None)], []),
    ],
)
def test_warning_signs(outputs: list[LayerOutput], gradients: list[Gradient], signs: list[str]) -> None:
    found = list(warning_signs(outputs, gradients))
    assert len(found) == len(signs)
    assert all(line.startswith(sign) for line, sign in zip(found, signs, strict=True))


def test_a_schedule_may_end_with_small_updates() -> None:
    assert not list(warning_signs([], [gradient(1, 1.0, 0.0)], scheduled=True))


# -------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("sample", "shape"),
    [
        ((28, 28), (1, 28, 28)), ((3, 8, 9), (3, 8, 9)), ((784,), (1, 28, 28)), ((64,), (1, 8, 8)),
        ((49,), None), ((65,), None), ((2, 8, 8), None), ((), None), ((1, 1, 8, 8), None),
    ],
)  # fmt: skip
def test_which_samples_are_images(sample: tuple[int, ...], shape: tuple[int, ...] | None) -> None:
    assert image_shape(sample) == shape


def pixels(source: str) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    import io

    return np.asarray(image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def test_png_holds_its_pixels() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        values = rng.integers(0, 256, (5, 7, channels)).astype(np.uint8)
        np.testing.assert_array_equal(pixels(png(values)).reshape(5, 7, channels), values)


def test_samples_as_images() -> None:
    bytes_, floats = TEST[0][0], np.linspace(-1.0, 3.0, 64)
    assert sample_image(np.zeros(5)) is None
    np.testing.assert_array_equal(pixels(sample_image(bytes_) or ""), bytes_)
    np.testing.assert_array_equal(
        pixels(sample_image(floats) or "").ravel(), (np.arange(64) * 255 / 63).round()
    )
    assert pixels(sample_image(np.zeros((3, 200, 300), np.uint8)) or "").shape == (50, 75, 3)
    assert pixels(sample_image(np.ones((8, 8))) or "").max() == 0


def test_weights_as_images() -> None:
    found = pixels(weight_image(np.asarray([[[-2.0, 0.0, 1.0, 0.5]]]), 1.0))[0]
    assert found[:, 3].tolist() == [255, 0, 255, 128]  # clear at 0, on a light and on a dark page
    assert found[0, :3].argmax() == 2  # blue
    assert found[2, :3].argmax() == 0  # red
    assert found[3, :3].tolist() == found[2, :3].tolist()
    rgb = pixels(weight_image(np.asarray([[[-1.0]], [[0.0]], [[1.0]]]), 1.0))
    assert rgb.tolist() == [[[0, 128, 255]]]


def test_first_weights() -> None:
    network = TwoLayerNet(64, 5, 3, rng=0)
    found = first_weights(network, (8, 8))
    assert found is not None
    np.testing.assert_array_equal(found[2, 0], network.params["W1"][:, 2].reshape(8, 8))
    assert first_weights(network, (3, 8)) is None
    assert first_weights(Network([ReLU()]), (8, 8)) is None
    two_channels = SimpleConvNet((2, 8, 8), {"filter_num": 4, "filter_size": 3}, 5, 3, rng=0)
    found = first_weights(two_channels, (2, 8, 8))
    assert found is not None
    assert found.shape == (8, 1, 3, 3)


# ---------------------------------------------------------------------------------------------- page


def test_page(run: Path) -> None:
    pytest.importorskip("matplotlib")
    assert write_report(run) == run / "report.html"
    page = read(run / "report.html")
    history = history_file.read_history(run)
    for text in (
        "TwoLayerNet on data",
        "the checkpoint of step 36, the last one kept",
        f"test accuracy{history[-1]['test_accuracy']:.2%}",
        "parameters683",
        "backprop train --epochs 3",
        "Curves",
        "Confusion matrix",
        "Misclassified",
        "W2 gradient",
        "Relu1 output",
        "The update is the next step's, at the rate 0.1.",
    ):
        assert text in page.text
    wrong = round((1.0 - history[-1]["test_accuracy"]) * len(TEST[0]))
    assert page.tags.count("img") == min(wrong, 20) + 10
    assert page.tags.count("svg") == 2 + 3 + 4
    matrix = [[int(cell) for cell in row[:3]] for row in tables(run / "report.html")[0].values()]
    assert [sum(row) for row in matrix] == np.bincount(TEST[1]).tolist()


def test_most_frequent_confusions_come_first() -> None:
    labels, predictions = np.repeat([[0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 2]], [9, 4, 7, 9, 1, 9], axis=1)
    confusions = frequent_confusions(labels, predictions)
    cells = re.findall(r"<t[hd](?: scope=.row.)?>(\d+)<", _most_frequent(confusions, 2))
    assert cells == ["1", "0", "7", "0", "1", "4"]
    assert _most_frequent(confusions, 9).count('scope="row"') == 3


def test_page_without_matplotlib(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = read(write_report(run))
    assert "matplotlib is not installed (pip install matplotlib)" in page.text
    assert "svg" not in page.tags
    assert len(tables(run / "report.html")) == 6  # confusion, pairs, outputs, gradients, epochs, settings


def test_page_without_the_data(run: Path) -> None:
    (run.parent / "data.npz").unlink()
    page = read(write_report(run))
    assert "There is no diagnosis of the network: " in page.text
    assert "data.npz: no such file or folder" in page.text
    assert "Confusion" not in page.text
    assert f"test loss{number(history_file.read_history(run)[-1]['test_loss'])}" in page.text


def test_page_of_a_checkpoint_without_settings(run: Path) -> None:
    training = Training(TwoLayerNet(64, 4, 3, rng=0), *TRAIN, epochs=1, rng=0)
    next(training)
    write_checkpoint(run / run_folder.BEST, training.checkpoint())
    page = read(write_report(run))
    assert "the checkpoint does not say what data the run was on" in page.text
    assert "step 6, the one with the lowest loss on the validation data" in page.text


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    network = TwoLayerNet(64, 4, 3, rng=0)
    folder = kept_run(tmp_path / "a<i>&", network, init="<script>alert(1)</script>&amp;")
    data = tmp_path / "<b>&.npz"
    (tmp_path / "data.npz").rename(data)
    path = run_folder.checkpoints(folder)[-1]
    checkpoint = read_checkpoint(path)
    checkpoint.description["run"]["settings"]["data"] = str(data)
    checkpoint.description["run"]["command"] = 'backprop train --data "<b>&.npz"'
    write_checkpoint(path, checkpoint)
    page = read(write_report(folder))
    for text in ("on <b>&", "a<i>&: ", '--data "<b>&.npz"', "<script>alert(1)</script>&amp;"):
        assert text in page.text
    assert not {"b", "i", "script"} & set(page.tags)
    other = kept_run(tmp_path / "c", TwoLayerNet(64, 4, 3, rng=0))
    page = read(write_comparison([folder, other], tmp_path / "comparison.html"))
    assert "a<i>&, c" in page.text


def test_names_of_layers_are_shown_with_their_control_characters(run: Path) -> None:
    path = run_folder.checkpoints(run)[-1]
    checkpoint = read_checkpoint(path)
    network = checkpoint.description["network"]
    network["layers"] = {f"{name}\x1b[2J<i>": layer for name, layer in network["layers"].items()}
    write_checkpoint(path, checkpoint)
    page = read(write_report(run))
    assert "Relu1\\x1b[2J<i> output" in page.text
    assert "i" not in page.tags
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", (run / "report.html").read_text("utf-8"))


def test_data_that_are_no_path(run: Path) -> None:
    path = run_folder.checkpoints(run)[-1]
    for data in (3, [1], {"a": 1}, "\0"):
        checkpoint = read_checkpoint(path)
        checkpoint.description["run"]["settings"]["data"] = data
        checkpoint.description["data"] = {"name": "some"}
        write_checkpoint(path, checkpoint)
        assert "no such file or folder" in read(write_report(run)).text


@pytest.mark.parametrize("place", [("training", "step"), ("network", "layers"), ("run",), ("data",)])
def test_a_damaged_description_is_a_checkpoint_error(place: tuple[str, ...], run: Path) -> None:
    path = run_folder.checkpoints(run)[-1]
    checkpoint = read_checkpoint(path)
    within = checkpoint.description
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = 5 if place[-1] != "step" else "x"
    write_checkpoint(path, checkpoint)
    for write in (lambda: write_report(run), lambda: write_comparison([run], run / "comparison.html")):
        with pytest.raises(CheckpointError, match=re.escape(str(path))):
            write()


def test_page_of_a_convolution(tmp_path: Path) -> None:
    network = SimpleConvNet((1, 8, 8), {"filter_num": 4, "filter_size": 3}, 5, 3, "he", rng=0)
    folder = kept_run(tmp_path / "run", network, Momentum(0.01), optimizer="momentum")
    page = read(write_report(folder))
    assert "There is no diagnosis" not in page.text
    assert "N × 4 × 3 × 3" in page.text
    updates = [cells[-1] for name, cells in tables(folder / "report.html")[3].items() if name[0] == "W"]
    assert len(updates) == 3
    assert all(float(update) > 0.0 for update in updates)


def test_updates_go_on_from_what_the_optimizer_has_kept(tmp_path: Path) -> None:
    optimizer = Adam(0.01)
    network = TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0)
    folder = kept_run(tmp_path / "run", network, optimizer, optimizer="adam", lr=0.01)
    write_report(folder)
    found = [cells[-1] for cells in tables(folder / "report.html")[3].values()]
    expected = diagnose(network, *TRAIN, *TEST, optimizer).gradients
    assert found == [number(gradient.update) for gradient in expected]
    fresh = diagnose(network, *TRAIN, *TEST, Adam(0.01)).gradients
    assert found != [number(gradient.update) for gradient in fresh]


def with_optimizer(run: Path, **values: Any) -> None:
    """Change what the run's checkpoint says of the optimizer."""
    path = run_folder.checkpoints(run)[-1]
    checkpoint = read_checkpoint(path)
    checkpoint.description["optimizer"].update(values)
    write_checkpoint(path, checkpoint)


def test_an_optimizer_that_does_not_fit(run: Path) -> None:
    with_optimizer(run, **{"class": "Adam", "settings": {}})
    page = read(write_report(run))
    assert "There is no diagnosis of the network: " in page.text
    assert "optimizer.m.flat: missing" in page.text


def test_settings_that_an_optimizer_does_not_take(run: Path) -> None:
    with_optimizer(run, settings={"momentum": 0.9})
    text = read(write_report(run)).text
    assert "There is no diagnosis of the network: " in text
    assert "the description of the optimizer cannot be followed: " in text


def test_updates_of_a_checkpoint_that_holds_the_optimizer_s_repr(tmp_path: Path) -> None:
    optimizer = Adam(Cosine(0.01, 100))
    folder = kept_run(tmp_path / "run", TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0), optimizer)
    write_report(folder)
    expected = tables(folder / "report.html")
    with_optimizer(folder, settings=repr(optimizer))
    write_report(folder)
    assert tables(folder / "report.html") == expected
    assert all(float(cells[-1]) > 0.0 for name, cells in expected[3].items() if name[0] == "W")


class Own(Adam):
    """An optimizer of one's own."""


def test_nothing_is_said_of_the_updates_of_an_optimizer_of_one_s_own(tmp_path: Path) -> None:
    for i, optimizer in enumerate((Own(), Adam(lambda step: 0.1 / step))):
        network = TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0)
        folder = kept_run(tmp_path / f"run-{i}", network, optimizer)
        page = read(write_report(folder))
        assert "W2 gradient" in page.text
        assert "The update is" not in page.text


def test_page_with_validation_and_steps(run: Path) -> None:
    pytest.importorskip("matplotlib")
    lines: list[dict[str, Any]] = [
        {"event": "steps", "step": 10 * i, "loss": 10.0 / i, "accuracy": 0.5} for i in range(1, 4)
    ]
    lines.append({
        "event": "epoch", "epoch": 1, "step": 36, "loss": 2.0, "accuracy": 0.5, "validation_loss": 0.01,
        "validation_accuracy": 0.875, "seconds": 2.0,
    })  # fmt: skip
    history_file.write_history(run, lines)
    page = read(write_report(run))
    assert "validation accuracy87.50%" in page.text
    assert "Loss validation train" in page.text
    assert "steps/s18" in page.text


def test_page_of_regression(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import backprop.report.page as page_module

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 4)), rng.standard_normal((40, 2))
    network = Network([Affine(rng.standard_normal((4, 2)), np.zeros(2))], MeanSquaredError())
    diagnosis = diagnose(network, x, t, x, t)
    monkeypatch.setattr(page_module, "diagnose_run", lambda *_: diagnosis)
    line = {**history_file.read_history(run)[-1], "accuracy": None, "test_accuracy": None}
    history_file.write_history(run, [line])
    page = read(write_report(run))
    assert "accuracy" not in page.text.replace("test accuracy–", "").partition("Epochs")[0]
    assert f"test loss{number(diagnosis.test_loss)}" in page.text
    assert "Confusion" not in page.text


def test_many_classes_are_listed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import backprop.report.page as page_module

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((200, 4)).astype("f"), rng.integers(0, 40, 200)
    diagnosis = diagnose(TwoLayerNet(4, 5, 40, rng=0), x, t, x, t)
    monkeypatch.setattr(page_module, "diagnose_run", lambda *_: diagnosis)
    page = read(write_report(run))
    assert "Confusions" in page.text
    assert "Confusion matrix" not in page.text
    assert "img" not in page.tags  # samples of four numbers: a table
    assert any(len(rows) == 20 for rows in tables(run / "report.html"))


def test_comparison_lists_the_settings_that_differ(run: Path) -> None:
    other = kept_run(run.parent / "other", TwoLayerNet(64, 7, 3, rng=1), lr=0.2, hidden=7, keep=5)
    target = run.parent / "comparison.html"
    assert write_comparison([run, other], target) == target
    assert heads(target)[1] == ["run", "lr", "hidden"]
    assert tables(target)[1] == {"run": ["0.1", "–"], "other": ["0.2", "7"]}
    assert column(target, "parameters") == ["683", "479"]
    accuracies = [history_file.read_history(folder)[-1]["test_accuracy"] for folder in (run, other)]
    assert column(target, "test accuracy") == [f"{accuracy:.2%}" for accuracy in accuracies]
    assert "2 runs" in read(target).text
    write_comparison([run, run], target)
    assert "Settings that differNone." in re.sub(r"\n", "", read(target).text)
    assert f"{run}, {run}" in read(target).text


def heads(path: Path) -> list[list[str]]:
    """The names of every table's columns."""
    found = re.findall(r"<thead>(.*?)</thead>", path.read_text("utf-8"), re.DOTALL)
    return [[text(cell) for cell in re.findall(r"<th.*?>(.*?)</th>", head)] for head in found]


def column(path: Path, name: str) -> list[str]:
    """A column of the results, from the first run to the last row."""
    i = heads(path)[0].index(name) - 1
    return [cells[i] for cells in tables(path)[0].values()]


def with_result(folder: Path, accuracy: float | None, loss: float, **more: float) -> Path:
    """A run whose last epoch has this result, or without an accuracy: on the validation data, like the loss."""
    line = {**history_file.read_history(folder)[-1], "test_accuracy": accuracy, "test_loss": loss, **more}
    history_file.write_history(folder, [line])
    return folder


@pytest.fixture
def seeds(tmp_path: Path) -> list[Path]:
    """Three runs that differ by their seed, and one that does not, among them."""
    results = {"a": (0.9, 0.5), "b": (0.96, 0.3), "other": (0.5, 2.0), "c": (0.9, 0.4)}
    folders = []
    for seed, (name, result) in enumerate(results.items()):
        lr = 9.0 if name == "other" else 0.1
        folder = kept_run(tmp_path / name, TwoLayerNet(64, 4, 3, rng=0), seed=seed, keep=seed, lr=lr)
        folders.append(with_result(folder, *result, seconds=2.0))
    return folders


def test_runs_that_differ_only_by_their_seed_have_a_mean(seeds: list[Path]) -> None:
    target = seeds[0].parent / "comparison.html"
    page = read(write_comparison(seeds, target))
    rows = tables(target)[0]
    assert list(rows) == ["a", "b best", "c", "mean ± sd n = 3", "other"]
    means = dict(zip(heads(target)[0][1:], rows["mean ± sd n = 3"], strict=True))
    assert means["test accuracy"] == "92.00% ±\xa03.46%"  # 0.06 / √3
    assert means["test loss"] == "0.4 ±\xa00.1"
    assert means["seconds"] == "2.0 ±\xa00"
    assert (means["steps"], means["epochs"], means["parameters"]) == (
        "36",
        "3",
        number(64 * 4 + 4 + 4 * 3 + 3),
    )
    assert means["network"] == ""
    assert "of 3 runs that differ only by their seed (0, 1, 3)" in page.text
    assert "with n − 1" in page.text
    assert "a, b, c, other" in page.text


def test_what_keeps_runs_from_having_a_mean(seeds: list[Path]) -> None:
    target = seeds[0].parent / "comparison.html"

    def names(*folders: Path) -> list[str]:
        write_comparison(folders, target)
        return list(tables(target)[0])

    first, second, other, _ = seeds
    assert "mean ± sd n = 2" in names(first, second)
    assert "mean" not in " ".join(names(first, other))
    assert "mean" not in " ".join(names(first, first, second))  # one run twice
    with_result(second, 0.9, 0.5, step=35)  # interrupted
    assert "mean" not in " ".join(names(first, second))


def test_a_mean_needs_the_result_of_every_run(seeds: list[Path]) -> None:
    with_result(seeds[1], None, 0.3)
    target = write_comparison(seeds, seeds[0].parent / "comparison.html")
    assert column(target, "test accuracy") == ["90.00%", "–", "90.00%", "–", "50.00%"]
    assert column(target, "test loss")[3] == "0.4 ±\xa00.1"


def on_data(folder: Path, name: str, digest: str) -> None:
    (path,) = run_folder.checkpoints(folder)
    checkpoint = read_checkpoint(path)
    checkpoint.description["data"] = {"name": name, "sha256": digest}
    write_checkpoint(path, checkpoint)


def test_which_run_is_the_best(seeds: list[Path]) -> None:
    target = seeds[0].parent / "comparison.html"

    def best(*folders: Path) -> list[str]:
        page = read(write_comparison(folders, target))
        assert ("Best: the " in page.text) is (" best" in "".join(tables(target)[0]))
        return [name.removesuffix(" best") for name in tables(target)[0] if name.endswith(" best")]

    a, b, other, c = seeds
    assert best(a, other, b, c) == ["b"]
    assert best(a, other, c) == ["c"]  # as many right as a, with a lower loss
    assert (
        "Best: the highest test accuracy, and among the 2 runs that have it the lowest" in read(target).text
    )
    with_result(a, 0.9, 0.4)
    assert best(a, other, c) == ["a", "c"]
    assert "Best: the highest test accuracy; 2 runs are tied." in read(target).text
    assert best(b, other, c) == ["b"]
    assert "Best: the highest test accuracy." in read(target).text
    assert best(a) == []
    for folder, loss in ((a, 0.6), (other, 0.5)):
        with_result(folder, None, loss)
    assert best(a, other) == ["other"]
    assert "the lowest test loss." in read(target).text
    on_data(a, "data", "0" * 64)
    assert best(a, other) == ["other"]  # which does not say what its data are, but for their name
    on_data(other, "data", "1" * 64)
    assert best(a, other) == []
    assert "No run is marked as the best: they are not all on the same data." in read(target).text


def test_no_speed_comes_from_next_to_no_time(run: Path) -> None:
    record = record_of(run, {**epoch_line(2**62), "seconds": 5e-324})
    assert record.results["steps/s"] is None


def test_columns_without_a_value_are_dropped(run: Path) -> None:
    target = write_comparison([run, run], run.parent / "comparison.html")
    assert "test accuracy" in heads(target)[0]
    assert not any("validation" in name for name in heads(target)[0])


def test_a_comparison_links_to_the_pages_that_there_are(run: Path) -> None:
    odd = kept_run(run.parent / 'data:"<i>%41 &', TwoLayerNet(64, 4, 3, rng=0))
    write_report(odd)
    place = run.parent / "pages"
    place.mkdir()
    target = write_comparison([run, odd], place / "comparison.html")
    (address,) = re.findall(r'<a href="(.*?)">', target.read_text("utf-8"))
    assert address.startswith("../data%3A%22%3Ci%3E%2541%20%26/")
    assert (place / unquote(unescape(address))).resolve() == (odd / run_folder.REPORT).resolve()
    assert not {"i", "script"} & set(read(target).tags)
    (address,) = re.findall(
        r'<a href="(.*?)">', write_comparison([odd], run.parent / "c.html").read_text("utf-8")
    )
    assert ":" not in address


# -------------------------------------------------------------------------------------------- points


def record_of(folder: Path, *lines: dict[str, Any]) -> Record:
    history_file.write_history(folder, lines)
    return read_record(folder)[0]


def epoch_line(step: int, **metrics: float) -> dict[str, Any]:
    return {"event": "epoch", "epoch": 1, "step": step, "loss": 1.0, "accuracy": 0.5, **metrics}


def steps_line(step: int, mean_of: Any = None) -> dict[str, Any]:
    line = {"event": "steps", "step": step, "loss": 2.0, "accuracy": 0.5}
    return line if mean_of is None else {**line, "mean_of": mean_of}


def places(record: Record) -> list[tuple[float, int]]:
    return [(point.at, point.mean_of) for point in points.trained(record)]


def test_a_mean_stands_in_the_middle_of_its_steps(run: Path) -> None:
    """A step's loss is from before its update: that of step 1 is of the network at step 0."""
    lines = [steps_line(1, 1), steps_line(4, 4), steps_line(8, 4), epoch_line(9), epoch_line(19)]
    assert places(record_of(run, *lines)) == [(0.0, 1), (1.5, 4), (5.5, 4), (13.5, 10)]
    assert [point.loss for point in points.trained(record_of(run, *lines))] == [2.0, 2.0, 2.0, 1.0]


def test_the_first_batch_does_not_stand_for_its_epoch(run: Path) -> None:
    assert places(record_of(run, steps_line(1, 1), epoch_line(7))) == [(0.0, 1), (3.0, 7)]


def test_lines_of_older_runs_do_not_say_how_many_steps_they_are_of(run: Path) -> None:
    lines = [steps_line(3), steps_line(6), epoch_line(7), steps_line(10), steps_line(13), epoch_line(14)]
    assert places(record_of(run, *lines)) == [(1.0, 3), (4.0, 3), (8.0, 3), (11.0, 3)]


@pytest.mark.parametrize("mean_of", [0, -3, 7, 2.5, 10**18, True, "x", None, [1]])
def test_a_wrong_number_of_steps_is_not_believed(mean_of: Any, run: Path) -> None:
    found = places(record_of(run, {**steps_line(6), "mean_of": mean_of}))
    assert found in ([(2.5, 6)], [])  # the second where the whole line is none


def test_the_points_of_a_training_are_where_the_network_was(run: Path) -> None:
    """With a batch of all samples a step's loss is the loss of the network before it."""
    network = TwoLayerNet(64, 5, 3, weight_init_std=0.1, rng=0)
    (x, t), losses = TRAIN, []
    training = Training(
        network, x, t, iterations=6, batch_size=len(x), test=(x, t), rng=0, optimizer=SGD(0.5)
    )
    training.mean_steps = 1
    before = network.evaluate(x / np.float32(255.0), t)[0]
    lines: list[dict[str, Any]] = []
    for metrics in training:
        lines += [{"event": "steps", **asdict(means)} for means in training.means(metrics.step - 1)]
        lines.append({"event": "epoch", **asdict(metrics)})
        losses.append(metrics.test_loss)
    record = record_of(run, *lines)
    found = {point.at: point.loss for point in points.trained(record)}
    assert found == pytest.approx(dict(enumerate([before, *losses[:-1]])), rel=1e-5)
    assert {point.at: point.loss for point in points.evaluated(record, "test")} == dict(enumerate(losses, 1))


def test_the_page_says_what_its_points_are(run: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [steps_line(1, 1), steps_line(4, 4), steps_line(8, 4), epoch_line(9, test_loss=1.0)]
    history_file.write_history(run, lines)
    said = read(write_report(run)).text
    assert "Each train point is the mean over 4 steps and stands in their middle" in said
    assert "The train point at step 0 is the first batch alone" in said
    assert "Each test point is all test data, at the end of an epoch." in said
    history_file.write_history(run, [steps_line(1), steps_line(2), epoch_line(9)])
    assert "Each train point is one step;" in read(write_report(run)).text
    history_file.write_history(run, [steps_line(9), epoch_line(9), epoch_line(36)])
    said = read(write_report(run)).text
    assert "over 9 to 27 steps" in said
    assert "step 0" not in said


def test_the_axis_of_the_steps_has_whole_numbers() -> None:
    pytest.importorskip("matplotlib")
    for steps in ([0.0], [1], [0.0, 0.5, 2.0], [0, 3], [0, 36], [600, 1200]):
        svg = figures.curves([figures.Line("a", steps, [1.0] * len(steps), "#123456")], "loss", "a")
        axis = re.findall(r'id="a-xtick_.*?<text.*?>(.*?)</text>', svg, re.DOTALL)
        ticks = [int(tick.replace(",", "")) for tick in axis]
        assert ticks == sorted(set(ticks))
        assert ticks[0] == 0
        assert ticks[-1] <= max(1, *steps)


def ticks(svg: str, axis: str) -> list[float]:
    """The numbers of an axis; ticks between them have none."""
    parts = svg.partition(f'id="a-{axis}tick_')[2].split(f'id="a-{axis}tick_')
    texts = [text for part in parts for text in re.findall(r"<text.*?>([^<]*\d[^<]*)</text>", part)[:1]]
    return [float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in texts]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.1],
        [0.3, 3.4],
        [2e16, 1e3, 0.5],
        [2e16, 2.3, 1.1, 0.5],
        [9e18, 1e-30, 1.0],
        [3.1e4, 2.9],
        [float(10 ** (16 - i)) for i in range(17)],
        [2e16, 1.0],
        [2e16, *[0.0] * 4],
        [3e-9, 4e-9],
    ],
)
def test_the_axis_of_the_loss_has_numbers(values: list[float]) -> None:
    pytest.importorskip("matplotlib")
    line = figures.Line("a", list(range(len(values))), values, "#123456")
    found = ticks(figures.curves([line], "loss", "a", may_be_log=True), "y")
    assert len(set(found)) >= 2
    assert found == sorted(found)
    top = figures.top_of([line]) or max(values)
    assert any(0.1 * min(values) <= tick <= 1.1 * top for tick in found)
    assert max(found) <= 10.0 * top


def test_an_outlier_does_not_flatten_a_curve(run: Path) -> None:
    pytest.importorskip("matplotlib")

    def top(*values: list[float]) -> float | None:
        return figures.top_of([figures.Line("a", range(len(own)), own, "#123456") for own in values])

    assert top([2e16, 2.3, 1.1, 0.5]) == 2.3
    assert top([2e16, 2.3, 1.1, 0.5], [9.0, 8.0, 7.0]) == 9.0
    assert top([2e16, 1e15, *np.linspace(2.0, 1.0, 40)]) == 2.0
    for values in ([900.0, 1.0, 0.5], [2e16, 1.0], [2e16, 1e15, 1.0, 0.5], [1.0], [0.0] * 5):
        assert top(values) is None
    steps = [steps_line(step) for step in range(1, 37)]
    for i, line in enumerate(steps):
        line["loss"] = 2.35e16 if i == 0 else 1.0
    history_file.write_history(run, [*history_file.read_history(run), *steps])
    text = read(write_report(run)).text
    assert "Loss (cut off above; the largest is 2.4e+16)" in text
    assert "Accuracy (cut off" not in text


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1e-3, 0.4, 2.0, 3e4, 7e9])
def test_the_numbers_of_a_histogram_stand_by_themselves(scale: float) -> None:
    pytest.importorskip("matplotlib")
    edges = np.linspace(-scale, scale, 11)
    svg = figures.bars(Histogram(np.arange(10), edges), "a")
    found = ticks(svg, "x")
    assert len(found) >= 3
    assert 0.4 * scale <= max(found) <= 1.1 * scale
    assert len(re.findall("<text", svg)) == len(found) + len(ticks(svg, "y"))


def test_what_is_no_better_than_guessing_has_a_list_of_causes(tmp_path: Path) -> None:
    dead = TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0)
    dead.params["b1"] = np.full(10, -100.0, "float32")
    folder = kept_run(tmp_path / "dead", dead, lr=0.1)
    page = write_report(folder).read_text("utf-8")
    section = page[page.index("<h2>Warnings") :].partition("</section>")[0]
    assert "<p>The network is no better than guessing: loss " in section
    causes = re.findall("<li>(.*?)</li>", section[section.index("<ol>") : section.index("</ol>")])
    assert causes[0].startswith("Relu1: 10 of 10 units (100%) are dead")
    assert all(cause.endswith(".") and cause[0].isupper() for cause in causes)
    assert "(1)" not in section
    assert section.count("are dead") == section.count("W1 has no gradient to speak of") == 1


def test_signs_that_causes_tell_of_are_left_out() -> None:
    causes = ["Affine1: W1 has no gradient to speak of, its norm is 1.2e-09", "the inputs are small"]
    signs = [
        "Affine1: W1 has no gradient to speak of, its norm is 3e-10.",
        "Affine2: W2 has no gradient to speak of, its norm is 1.2e-09.",
    ]
    assert list(_not_among(causes, signs)) == signs[1:]


def test_a_class_without_samples_has_no_share() -> None:
    body = _matrix(np.asarray([[2, 1], [0, 0]])).partition("<tbody>")[2]
    assert re.findall(r"<td>(.*?)</td></tr>", body) == ["66.7%", "–"]


def test_the_test_result_of_a_validated_run(run: Path) -> None:
    pytest.importorskip("matplotlib")
    validated = epoch_line(36, validation_loss=0.5, validation_accuracy=0.75, seconds=2.0)
    tested = {"event": "test", "epoch": 3, "step": 36, "test_loss": 0.25, "test_accuracy": 0.875}
    target = run.parent / "comparison.html"
    history_file.write_history(run, [validated, tested])
    write_comparison([run], target)
    assert column(target, "test accuracy") == ["87.50%"]
    assert column(target, "test loss") == ["0.25"]
    assert "Test accuracy run" in read(target).text
    assert "Loss test validation train" in read(write_report(run)).text
    (run.parent / "data.npz").unlink()
    assert "test accuracy87.50%" in read(write_report(run)).text  # without a diagnosis
    for lines in ([validated], [validated, {**tested, "step": 24}]):  # of a run from before; of another step
        history_file.write_history(run, lines)
        write_comparison([run], target)
        assert "test accuracy" not in heads(target)[0]


def test_the_matrix_says_what_its_axes_are(run: Path) -> None:
    page = write_report(run).read_text("utf-8")
    head, body = re.findall(r'<table class="confusion">(.*?)<tbody>(.*?)</tbody>', page, re.DOTALL)[0]
    assert '<th scope="colgroup" colspan="3"><span>predicted</span></th>' in head
    assert re.findall(r'scope="col">(\d)<', head) == ["0", "1", "2"]
    assert body.count("<tr>") == 3
    assert re.match(r'\s*<tr><th class="side" scope="rowgroup" rowspan="3"><span>label</span></th><th', body)


def test_numbers_and_settings() -> None:
    found = [number(value) for value in (None, 12345, 0.123456, 12345.6, 1e-5, 0.0)]
    assert found == ["–", "12,345", "0.1235", "1.2e+04", "1.0e-05", "0"]
    assert [setting(value) for value in (None, True, False, 0.1, "he")] == ["–", "yes", "no", "0.1", "he"]


def test_command(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    assert main(["report", "run"]) == 0
    assert capsys.readouterr().out == f"{Path('run', 'report.html')}\n"
    assert main(["report", "run", "--out", "page.html"]) == 0
    assert capsys.readouterr().out == "page.html\n"
    assert main(["report", "run", "run"]) == 0
    *rows, page = capsys.readouterr().out.splitlines()
    assert page == "comparison.html"
    accuracy = f"{history_file.read_history(run)[-1]['test_accuracy']:.2%}"
    assert [row.split() for row in rows] == [["run", "test", "accuracy"], *[["run", accuracy]] * 2]
    for name in ("run/report.html", "page.html", "comparison.html"):
        read(run.parent / name)


def test_the_command_shows_means_and_leaves_other_comparisons(
    seeds: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds[0].parent)

    def compared(*words: str) -> list[str]:
        assert main(["report", *words]) == 0
        return capsys.readouterr().out.splitlines()

    *rows, page = compared("a", "b", "c", "other")
    assert page == "comparison.html"
    assert [re.split(r"  +", row) for row in rows] == [
        ["run", "test accuracy"],
        ["a", "90.00%"],
        ["b", "96.00%"],
        ["c", "90.00%"],
        ["mean ± sd, n = 3", "92.00% ±\xa03.46%"],
        ["other", "50.00%"],
    ]
    first = Path(page).read_bytes()
    assert compared("a", "b")[-1] == "comparison-2.html"
    assert compared("b", "c")[-1] == "comparison-3.html"
    assert compared("b", "./a")[-1] == "comparison-2.html"  # the same runs
    assert compared("other", "c", "b", "a")[-1] == "comparison.html"
    assert compared("a", "c", "--out", "comparison.html")[-1] == "comparison.html"
    assert Path("comparison.html").read_bytes() != first
    Path("comparison.html").write_text("mine")
    assert compared("a", "c")[-1] == "comparison-4.html"


def test_settings_that_were_not_given_are_those_that_were_used(tmp_path: Path) -> None:
    its: dict[str, Any] = {"net": "two-layer", "optimizer": "sgd", "seed": 0}
    network = TwoLayerNet(64, 50, 3, rng=0)
    one = kept_run(tmp_path / "one", network, **its)
    two = kept_run(tmp_path / "two", network, **{**its, "optimizer": "adamw", "lr": 0.3, "hidden": 50})
    more = kept_run(tmp_path / "more", network, **{**its, "net": "deep-conv", "dropout": 0.1, "epochs": 2})
    target = write_comparison([one, two], tmp_path / "c.html", defaults)
    assert dict(zip(heads(target)[1][1:], zip(*tables(target)[1].values(), strict=True), strict=True)) == {
        "lr": ("0.1", "0.3"),
        "weight-decay": ("0.0", "0.01"),
        "optimizer": ("sgd", "adamw"),
    }
    write_comparison([one, more], target, defaults)
    rows = tables(target)[1]
    found = dict(zip(heads(target)[1][1:], zip(*rows.values(), strict=True), strict=True))
    assert found["init"] == ("0.01", "–")
    assert found["dropout"] == ("–", "0.1")
    assert "hidden" not in found


def test_a_spread_does_not_break_at_its_hyphen(seeds: list[Path]) -> None:
    with_result(seeds[1], 0.9, 0.5 + 1e-4)
    with_result(seeds[3], 0.9, 0.5)
    target = write_comparison(seeds, seeds[0].parent / "comparison.html")
    assert '<span class="whole">±\xa05.8e-05</span>' in target.read_text("utf-8")


def test_command_on_what_is_no_run(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    Path("empty").mkdir()
    assert main(["report", "nowhere"]) == 1
    assert main(["report", "empty", "run"]) == 1
    assert main(["report", "run", "--out", "nowhere/page.html"]) == 1
    run_folder.checkpoints(run)[-1].write_bytes(b"damaged")
    assert main(["report", "run"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "backprop: error: nowhere is no folder of a run: there is no such folder"
    assert lines[1] == "backprop: error: empty is no folder of a run: there is no checkpoint in it"
    said = "backprop: error: nowhere/page.html cannot be written: there is no folder nowhere; "
    assert lines[2] == f"{said}write the page elsewhere with --out FILE"
    assert "is not a checkpoint that can be read" in lines[3]
    assert len(lines) == 4


def test_a_network_without_a_training_is_no_run(tmp_path: Path) -> None:
    from backprop.saving.network import save_network

    save_network(tmp_path / run_folder.BEST, TwoLayerNet(4, 3, 2, rng=0))
    with pytest.raises(CheckpointError, match="best.safetensors is not of a training run"):
        write_report(tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_the_page(run: Path) -> None:
    page = write_report(run)
    picture, profile = run / "page.png", run / "profile"
    assert CHROMIUM is not None

    def chromium(*options: str) -> subprocess.CompletedProcess[str]:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--enable-logging=stderr", "--window-size=400,900", *options, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    done = chromium("--dump-dom")
    assert "TwoLayerNet on data" in done.stdout
    assert "CONSOLE" not in done.stderr
    chromium(f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
