"""The operators of variables: arithmetic makes nodes, comparisons compare the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import functions

if TYPE_CHECKING:
    from .variable import Variable


class Operators:
    """What `Variable` can do in an expression."""

    value: Any

    __array_priority__ = 1000.0
    __hash__ = object.__hash__

    def __add__(self, other: Any) -> Variable:
        return functions.add(self, other)

    def __radd__(self, other: Any) -> Variable:
        return functions.add(other, self)

    def __sub__(self, other: Any) -> Variable:
        return functions.subtract(self, other)

    def __rsub__(self, other: Any) -> Variable:
        return functions.subtract(other, self)

    def __mul__(self, other: Any) -> Variable:
        return functions.multiply(self, other)

    def __rmul__(self, other: Any) -> Variable:
        return functions.multiply(other, self)

    def __truediv__(self, other: Any) -> Variable:
        return functions.divide(self, other)

    def __rtruediv__(self, other: Any) -> Variable:
        return functions.divide(other, self)

    def __pow__(self, other: Any) -> Variable:
        return functions.power(self, other)

    def __rpow__(self, other: Any) -> Variable:
        return functions.power(other, self)

    def __matmul__(self, other: Any) -> Variable:
        return functions.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Variable:
        return functions.matmul(other, self)

    def __neg__(self) -> Variable:
        return functions.negative(self)

    def __eq__(self, other: object) -> Any:
        return self.value == _value(other)

    def __ne__(self, other: object) -> Any:
        return self.value != _value(other)

    def __lt__(self, other: Any) -> Any:
        return self.value < _value(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= _value(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > _value(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= _value(other)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Variable:
        """NumPy's functions of one entry at a time, such as `np.exp`, and its arrays' operators."""
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return _in_place_of(name, inputs, options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Variable:
        """NumPy's other functions, such as `np.sum`."""
        return _in_place_of(function.__name__, inputs, options)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("a Variable is no array, and would lose how it was computed; give its value, v.value")


def _in_place_of(name: str, inputs: Any, options: dict[str, Any]) -> Variable:
    known = functions.BY_NAME.get(name)
    if known is None:
        raise TypeError(
            f"numpy.{name} has no node for variables; there are {', '.join(sorted(functions.BY_NAME))}; "
            "for the value alone, give v.value"
        )
    return known(*inputs, **options)


def _value(other: Any) -> Any:
    return other.value if isinstance(other, Operators) else other
