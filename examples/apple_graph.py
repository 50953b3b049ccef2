"""Section 5.4: the computational graph of two apples and three oranges, with tax.

Every node multiplies or adds two numbers; `backward` says how the price changes with each of them.
"""

from backprop import Add, Mul

apples, oranges, fruit, total = Mul(), Mul(), Add(), Mul()

apple_price = apples.forward(100, 2, training=True)
orange_price = oranges.forward(150, 3, training=True)
fruit_price = fruit.forward(apple_price, orange_price, training=True)
price = total.forward(fruit_price, 1.1, training=True)
print(f"price {price:.0f}")

d_fruit, d_tax = total.backward(1.0)
d_apples, d_oranges = fruit.backward(d_fruit)
d_apple, d_apple_number = apples.backward(d_apples)
d_orange, d_orange_number = oranges.backward(d_oranges)
print(f"per unit of apple price {d_apple:.1f}, of apples {d_apple_number:.0f}")
print(f"per unit of orange price {d_orange:.1f}, of oranges {d_orange_number:.0f}")
print(f"per unit of tax {d_tax:.0f}")
