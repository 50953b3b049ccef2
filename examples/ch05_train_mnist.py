"""Section 5.7.4: train the book's network on MNIST; --seeds 10 trains ten of them, one after another."""

from _common import Page

from backprop import SGD, Training, TwoLayerNet
from backprop.datasets import load_mnist

page = Page(__doc__, seeds=1)
train, test = load_mnist(normalize=False)  # bytes stay bytes until a batch is scaled
steps = 1200 if page.quick else 10_000

runs = []
for seed in range(page.seed, page.seed + page.options.seeds):
    network = TwoLayerNet(784, 50, 10, device=page.device, rng=seed)
    print(f"{network}, seed {seed}")
    x, t = (network.backend.asarray(values) for values in train)
    losses, epochs = [], []
    for metrics in Training(
        network, x, t, optimizer=SGD(0.1), iterations=steps, batch_size=100, sampling="with-replacement",
        rng=seed, test=test, progress=losses.append, progress_steps=20,
    ):  # fmt: skip
        epochs.append((metrics.step, network.accuracy(x, t), metrics.test_accuracy))
        print("step {:6,d}  train accuracy {:.4f}  test accuracy {:.4f}".format(*epochs[-1]))
    runs.append((losses, epochs))


def draw(left, right):
    left.plot([p.step for p in runs[0][0]], [p.loss for p in runs[0][0]], linewidth=1)
    left.set(xlabel="step", ylabel="loss", ylim=(0, None), title="Loss, means of 20 steps")
    step, on_train, on_test = zip(*runs[0][1], strict=True)
    right.plot(step, on_train, "o-", label="train", markersize=4)
    right.plot(step, on_test, "s--", label="test", markersize=4)
    right.set(xlabel="step", ylabel="accuracy", title="Accuracy after every epoch")
    right.legend()


page.figure(draw, 1, 2)
epochs = runs[0][1]
_, on_train, on_test = next((e for e in epochs if e[0] == 9600), epochs[-1])  # the book's last line
final = [epochs[-1][2] for _, epochs in runs]
page.row("ch. 5, train accuracy, first epoch", 0.9047, epochs[0][1])
page.row("ch. 5, train accuracy at step 9,600", 0.9779, on_train)
page.row("ch. 5, test accuracy at step 9,600", 0.9690, on_test)
note = "" if len(final) == 1 else f"from {min(final):.4f} to {max(final):.4f} over {len(final)} seeds"
page.row(
    "ch. 5, test accuracy after 10,000 steps, mean", 0.9702, sum(final) / len(final), note=note, measured=True
)
