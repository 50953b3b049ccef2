"""The two ways to write a formula: as a line of text, and as MathML.

Source of the elements: https://www.w3.org/TR/mathml-core/.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol, TypeAlias

from ..text import visible

Index: TypeAlias = tuple[int | str, ...]

SUBSCRIPTS = dict(zip("aehijklmnoprstuvx0123456789", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ₀₁₂₃₄₅₆₇₈₉", strict=True))
SUPERSCRIPTS = dict(zip("T0123456789−", "ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹⁻", strict=True))


class Writer(Protocol):
    """Writes the parts of a formula."""

    is_flat: bool
    """Whether all is written in one line: a fraction needs parentheses, a label has brackets."""

    def name(self, name: str) -> str: ...
    def number(self, digits: str) -> str: ...
    def words(self, words: str) -> str: ...
    def sign(self, sign: str) -> str: ...
    def minus(self) -> str: ...
    def times(self, dot: str) -> str: ...
    def row(self, *parts: str) -> str: ...
    def fenced(self, inside: str, left: str = "(", right: str = ")") -> str: ...
    def indexed(self, base: str, index: Index) -> str: ...
    def raised(self, base: str, exponent: str) -> str: ...
    def fraction(self, above: str, below: str) -> str: ...
    def root(self, inside: str) -> str: ...
    def called(self, name: str, arguments: Sequence[str]) -> str: ...
    def labelled(self, inside: str, label: str) -> str: ...
    def over(self, sign: str, index: Index) -> str: ...
    def lines(self, lines: Sequence[str]) -> str: ...


class Text:
    """One line of Unicode: `y = γ (x − μ) / √(σ² + ε)`."""

    is_flat = True

    def name(self, name: str) -> str:
        return visible(name)

    number = words = name

    def sign(self, sign: str) -> str:
        return f"{sign} " if sign == "," else f" {sign} "

    def minus(self) -> str:
        return "−"

    def times(self, dot: str) -> str:
        return dot or " "

    def row(self, *parts: str) -> str:
        return "".join(parts)

    def fenced(self, inside: str, left: str = "(", right: str = ")") -> str:
        return f"{left}{inside}{right}"

    def indexed(self, base: str, index: Index) -> str:
        if not index:
            return base
        if all(i in SUBSCRIPTS for i in index):
            return base + "".join(SUBSCRIPTS[str(i)] for i in index)
        return f"{base}[{','.join(visible(str(i)) for i in index)}]"

    def raised(self, base: str, exponent: str) -> str:
        if all(c in SUPERSCRIPTS for c in exponent):
            return base + "".join(SUPERSCRIPTS[c] for c in exponent)
        return f"{base}^{exponent if exponent.isalnum() else self.fenced(exponent)}"

    def fraction(self, above: str, below: str) -> str:
        return f"{above} / {below}" if {" ", "/"} & {*above, *below} else f"{above}/{below}"

    def root(self, inside: str) -> str:
        return f"√{inside}" if inside.isalnum() else f"√({inside})"

    def called(self, name: str, arguments: Sequence[str]) -> str:
        return f"{name}({', '.join(arguments)})"

    def labelled(self, inside: str, label: str) -> str:
        return f"[{label}: {inside}]"

    def over(self, sign: str, index: Index) -> str:
        return f"{self.indexed(sign, index)} "

    def lines(self, lines: Sequence[str]) -> str:
        return "; ".join(lines)


class MathML:
    """Elements of MathML Core, without `math` around them."""

    is_flat = False

    def name(self, name: str) -> str:
        return f"<mi>{escape(visible(name))}</mi>"

    def number(self, digits: str) -> str:
        mantissa, e, exponent = digits.partition("e")
        if not e:
            return f"<mn>{mantissa}</mn>"
        return f"<mrow><mn>{mantissa}</mn><mo>·</mo><msup><mn>10</mn><mn>{exponent}</mn></msup></mrow>"

    def words(self, words: str) -> str:
        return f"<mtext>{escape(visible(words))}</mtext>"

    def sign(self, sign: str) -> str:
        return f"<mo>{escape(sign)}</mo>"

    def minus(self) -> str:
        return "<mo>−</mo>"

    def times(self, dot: str) -> str:
        return "<mo>·</mo>" if dot == "·" else '<mo>&#x2062;</mo><mspace width="0.17em"></mspace>'

    def row(self, *parts: str) -> str:
        return f"<mrow>{''.join(parts)}</mrow>"

    def fenced(self, inside: str, left: str = "(", right: str = ")") -> str:
        return f"<mrow><mo>{left}</mo>{inside}<mo>{right}</mo></mrow>"

    def indexed(self, base: str, index: Index) -> str:
        return f"<msub>{base}{self._index(index)}</msub>" if index else base

    def raised(self, base: str, exponent: str) -> str:
        return f"<msup>{base}{exponent}</msup>"

    def fraction(self, above: str, below: str) -> str:
        return f"<mfrac>{above}{below}</mfrac>"

    def root(self, inside: str) -> str:
        return f"<msqrt>{inside}</msqrt>"

    def called(self, name: str, arguments: Sequence[str]) -> str:
        inside = "<mo>,</mo>".join(arguments)
        return f"<mrow><mi>{name}</mi><mo>&#x2061;</mo>{self.fenced(inside)}</mrow>"

    def labelled(self, inside: str, label: str) -> str:
        return f"<munder>{inside}<mtext>{escape(visible(label))}</mtext></munder>"

    def over(self, sign: str, index: Index) -> str:
        operator = f"<mo>{sign.replace('Σ', '∑')}</mo>"
        return f"<munder>{operator}{self._index(index)}</munder>" if index else operator

    def lines(self, lines: Sequence[str]) -> str:
        rows = "".join(f'<mtr><mtd style="text-align: left">{line}</mtd></mtr>' for line in lines)
        return f'<mtable displaystyle="true">{rows}</mtable>'

    def _index(self, index: Index) -> str:
        marks = (f"<mn>{i}</mn>" if isinstance(i, int) else self.name(i) for i in index)
        return f"<mrow>{'<mo>,</mo>'.join(marks)}</mrow>"
