"""Section 5.4: the computational graph of two apples and three oranges, with tax.

Every node multiplies or adds two numbers; `backward` says how the price changes with each of them.
"""

from _common import Page

from backprop import Add, Mul
from backprop.backends import get_backend

page = Page(__doc__, seed=False)
backend = get_backend(page.device)
apple, apple_number, orange, orange_number, tax = (
    backend.asarray(value, dtype="float64") for value in (100, 2, 150, 3, 1.1)
)

apples, total = Mul(), Mul()
apple_price = apples.forward(apple, apple_number, training=True)
price = total.forward(apple_price, tax, training=True)
d_apple_price, d_tax = total.backward(backend.asarray(1.0, dtype="float64"))
d_apple, d_apple_number = apples.backward(d_apple_price)
for what, book, ours in (
    ("price", 220, price), ("apple price, backward", 2.2, d_apple),
    ("number of apples, backward", 110, d_apple_number), ("tax, backward", 200, d_tax),
):  # fmt: skip
    page.row(f"ch. 5, two apples, {what}", book, float(backend.to_numpy(ours)), ".1f")

oranges, fruit = Mul(), Add()
orange_price = oranges.forward(orange, orange_number, training=True)
fruit_price = fruit.forward(apple_price, orange_price, training=True)
price = total.forward(fruit_price, tax, training=True)
d_fruit, d_tax = total.backward(backend.asarray(1.0, dtype="float64"))
d_apple_price, d_orange_price = fruit.backward(d_fruit)
d_apple, d_apple_number = apples.backward(d_apple_price)
d_orange, d_orange_number = oranges.backward(d_orange_price)

edges = [  # from, to, forward, backward
    ((0, 4), (2, 3.5), "apple", apple, d_apple),
    ((0, 3), (2, 3.5), "number", apple_number, d_apple_number),
    ((0, 2), (2, 1.5), "orange", orange, d_orange),
    ((0, 1), (2, 1.5), "number", orange_number, d_orange_number),
    ((2, 3.5), (4, 2.5), "", apple_price, d_apple_price),
    ((2, 1.5), (4, 2.5), "", orange_price, d_orange_price),
    ((4, 2.5), (6, 2), "", fruit_price, d_fruit),
    ((0, 0), (6, 2), "tax", tax, d_tax),
    ((6, 2), (8, 2), "", price, 1),
]


def draw(ax):
    for (x0, y0), (x1, y1), name, there, back in edges:
        ax.annotate("", (x1, y1), (x0, y0), arrowprops={"arrowstyle": "->", "shrinkB": 11, "color": "gray"})
        x, y = 0.6 * x0 + 0.4 * x1, 0.6 * y0 + 0.4 * y1
        ax.text(x, y + 0.06, f"{float(there):g}", ha="center", va="bottom")
        ax.text(x, y - 0.06, f"{float(back):.4g}", ha="center", va="top", color="tab:red")
        ax.text(x0 - 0.1, y0, name, ha="right", va="center")
    for place, sign in {(2, 3.5): "×", (2, 1.5): "×", (4, 2.5): "+", (6, 2): "×"}.items():
        ax.text(*place, sign, ha="center", va="center", size=14, bbox={"boxstyle": "circle", "fc": "white"})
    ax.set(xlim=(-0.9, 8.1), ylim=(-0.3, 4.3), title="Forward in black, backward in red")
    ax.axis("off")


page.figure(draw, size=(8, 4))
page.row("ch. 5, two apples and three oranges, price", 715, float(backend.to_numpy(price)), ".1f")
