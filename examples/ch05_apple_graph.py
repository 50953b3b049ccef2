"""Section 5.4: the computational graph of two apples and three oranges, with tax.

Every node multiplies or adds two numbers; its backward says how the price changes with each of them.
"""

from _common import Page

from backprop import Add, Mul
from backprop.backends import get_backend
from backprop.graphs import Variable

page = Page(__doc__, seed=False)
backend = get_backend(page.device)
apple, apple_number, orange, orange_number, tax = (
    Variable(backend.asarray(value, dtype="float64"), name)
    for name, value in (
        ("apple", 100), ("number of apples", 2), ("orange", 150), ("number of oranges", 3), ("tax", 1.1)
    )
)  # fmt: skip

apple_price = Mul()(apple, apple_number)
price = Mul()(apple_price, tax)
price.backward()
for what, book, ours in (
    ("price", 220, price.value), ("apple price, backward", 2.2, apple.grad),
    ("number of apples, backward", 110, apple_number.grad), ("tax, backward", 200, tax.grad),
):  # fmt: skip
    page.row(f"ch. 5, two apples, {what}", book, float(backend.to_numpy(ours)), ".1f")

fruit = Add()(apple_price, Mul()(orange, orange_number))
price = fruit * tax  # operators make such nodes, too
price.name = "price"
page.graph(price.graph("Two apples and three oranges: forward in black, backward in red"))
page.row("ch. 5, two apples and three oranges, price", 715, float(price), ".1f")
