"""The sections of a page that show a diagnosis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backends import HostArray
from ..diagnosis import Gradient, Histogram, LayerOutput, LearningProblem
from ..pages import html
from ..pages.images import sample_image, weight_image
from . import figures
from .diagnosis import MOST_CLASSES, Diagnosis

MOST_WEIGHTS = 100


def warnings(diagnosis: Diagnosis) -> str:
    """Why the network does not learn, or not well."""
    problem, others = diagnosis.learning_problem, diagnosis.warnings
    if not (problem or others):
        text = (
            "None: the network does more than guess, and has no dead ReLUs, no vanishing gradients, and no "
            "updates that are too large or too small."
        )
        return html.section("Warnings", html.paragraph(text))
    parts = [*_problem(problem)] if problem else []
    if others:
        parts += [html.paragraph("Other warnings:")] if problem else []
        parts.append(html.items(others))
    return html.section("Warnings", *parts, kind="warnings")


def _problem(problem: LearningProblem) -> Iterator[str]:
    """The summary, and the causes as a list."""
    yield html.paragraph(_sentence(problem.summary))
    if problem.causes:
        yield html.paragraph("Likely causes, in order:")
        yield html.items(map(_sentence, problem.causes), ordered=True)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def confusion(diagnosis: Diagnosis) -> str:
    """The confusion matrix, or the most frequent confusions."""
    matrix, confusions = diagnosis.confusion, diagnosis.confusions
    if confusions is None:
        return ""
    if matrix is None:
        return html.section("Confusions", _most_frequent(confusions, MOST_CLASSES))
    lead = html.paragraph(
        "Numbers of test samples. Blue is relative to the row, orange to the largest number of mistakes."
    )
    return html.section(
        "Confusion matrix",
        lead,
        html.grid("pair", [html.scrollable(_matrix(matrix)), _most_frequent(confusions, len(matrix))]),
    )


def _matrix(matrix: HostArray) -> str:
    totals, correct = np.maximum(matrix.sum(axis=1), 1), np.diag(matrix)
    most = max((matrix - np.diag(correct)).max(), 1)
    classes = len(matrix)
    head = "".join(f'<th scope="col">{i}</th>' for i in range(classes))
    side = f'<th class="side" scope="rowgroup" rowspan="{classes}"><span>label</span></th>'
    rows = ""
    for i, row in enumerate(matrix):
        shares = [n / totals[i] if i == j else n / most for j, n in enumerate(row)]
        cells = "".join(
            _cell(int(n), share, correct=i == j) for j, (n, share) in enumerate(zip(row, shares, strict=True))
        )
        recall = html.percent(float(correct[i] / totals[i]) if row.any() else None, 1)
        rows += f'<tr>{"" if i else side}<th scope="row">{i}</th>{cells}<td>{recall}</td></tr>\n'
    return (
        '<table class="confusion">\n<thead>\n<tr><td class="corner" colspan="2" rowspan="2"></td>'
        f'<th scope="colgroup" colspan="{classes}"><span>predicted</span></th>'
        f'<th scope="col" rowspan="2">correct</th></tr>\n<tr>{head}</tr>\n</thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n"
    )


def _cell(n: int, share: float, *, correct: bool) -> str:
    if n == 0:
        return '<td class="none">0</td>'
    return f'<td class="{"right" if correct else "wrong"}" style="--share: {0.75 * share:.2f}">{n:,}</td>'


def _most_frequent(confusions: HostArray, most: int) -> str:
    """The most frequent confusions."""
    rows = [(str(i), str(j), html.number(n)) for i, j, n in confusions[:most].tolist()]
    return html.table(("label", "predicted as", "test samples"), rows)


def mistakes(diagnosis: Diagnosis) -> str:
    """The worst misclassified samples, as images if possible."""
    confusions, worst = diagnosis.confusions, diagnosis.mistakes
    if confusions is None or not worst:
        return ""
    wrong = int(confusions[:, 2].sum())
    lead = html.paragraph(
        f"The {len(worst)} of {wrong:,} misclassified test samples with the largest loss: label → "
        "prediction, with its probability."
    )
    images = [(mistake, sample_image(mistake.x)) for mistake in worst]
    pictures = [
        html.picture(
            image,
            f"test sample {m.index}, a {m.label} predicted as {m.prediction}",
            f"{m.label} → {m.prediction}, {html.percent(m.probability, 1)}",
        )
        for m, image in images
        if image
    ]
    if pictures:
        return html.section("Misclassified", lead, html.grid("images", pictures))
    rows = [
        (str(m.index), str(m.label), str(m.prediction), html.percent(m.probability, 1), html.number(m.loss))
        for m in worst
    ]
    return html.section(
        "Misclassified", lead, html.table(("index", "label", "prediction", "probability", "loss"), rows)
    )


def weights(diagnosis: Diagnosis) -> str:
    """The first weights as images."""
    W = diagnosis.weights
    if W is None:
        return ""
    shown, largest = W[:MOST_WEIGHTS], float(np.quantile(np.abs(W), 0.995))
    colours = "red above 0, blue below" if W.shape[1] == 1 else "three channels as RGB, grey at 0"
    some = "" if len(shown) == len(W) else f" (the first {len(shown)} of {len(W):,})"
    lead = html.paragraph(
        f"The input weights of each unit or filter{some}: {colours}, full colour at {largest:.2g}."
    )
    pictures = [html.picture(weight_image(one, largest), f"weights {i}") for i, one in enumerate(shown)]
    return html.section("First weights", lead, html.grid("weights", pictures))


def layers(diagnosis: Diagnosis) -> str:
    """The output of each layer and the gradient of each parameter on the batch."""
    outputs, gradients = diagnosis.outputs, diagnosis.gradients
    samples = outputs[0].shape[0] if outputs else 0
    update = (
        ""
        if diagnosis.rate is None
        else f" The update is the next step's, with a learning rate of {diagnosis.rate:g}."
    )
    lead = html.paragraph(f"The first {samples:,} training samples as one batch, in training mode.{update}")
    return html.section(
        "Layers",
        lead,
        *_titled(
            "Outputs", _output_table(outputs), [_bars(f"{o.name} output", o.histogram) for o in outputs]
        ),
        *_titled(
            "Gradients",
            _gradient_table(gradients),
            [_bars(f"{g.name} gradient", g.histogram, figures.COLOURS[2]) for g in gradients],
        ),
    )


def _titled(title: str, table: str, charts: list[str]) -> tuple[str, ...]:
    return f"<h3>{title}</h3>\n", table, html.grid("small", charts)


def _bars(name: str, histogram: Histogram, colour: str = figures.COLOURS[0]) -> str:
    return (
        html.chart(figures.bars(histogram, f"histogram of {name}", colour), name)
        if figures.available()
        else ""
    )


def _output_table(outputs: tuple[LayerOutput, ...]) -> str:
    head = ("layer", "output", "mean", "standard deviation", "zeros", "dead units")
    rows = [
        (
            o.name,
            _shape(("N", *o.shape[1:])),
            html.number(o.mean),
            html.number(o.std),
            html.percent(o.zeros, 1),
            html.NONE if o.units is None else f"{o.dead:,} of {o.units:,}",
        )
        for o in outputs
    ]
    return html.table(head, rows)


def _gradient_table(gradients: tuple[Gradient, ...]) -> str:
    head = ("parameter", "layer", "shape", "norm", "norm of gradient", "norm of update / norm")
    rows = [
        (
            g.name,
            g.layer,
            _shape(g.shape),
            html.number(g.parameter_norm),
            html.number(g.norm),
            html.number(g.update),
        )
        for g in gradients
    ]
    return html.table(head, rows)


def _shape(shape: tuple[object, ...]) -> str:
    return " × ".join(map(str, shape))
