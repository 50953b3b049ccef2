"""`Stack`: the layers of a network by name."""

from __future__ import annotations

from typing import Any, NoReturn

from ..layers import Layer
from ..layers.adapter import adapted
from ..layers.naming import display_names
from .checks import check_stack


class Stack(dict[str, Layer]):
    """A network's layers by name. Only layers without parameters and state can be replaced."""

    @property
    def shown(self) -> dict[str, str]:
        """The display name of each layer: a merged one lists the layers it combines."""
        names = display_names({name: layer.__class__.__name__ for name, layer in self.items()})
        local = {name for name, layer in self.items() if not getattr(layer, "synchronized", True)}
        return {name: f"{shown} (local)" if name in local else shown for name, shown in names.items()}

    def __setitem__(self, name: str, layer: Layer) -> None:
        own, layer = self.get(name), adapted(layer, name)
        if layer is own:
            return
        if own is None or any(node.params or node.state for node in (own, layer)):
            raise TypeError(
                f"{name}: only a layer without parameters can be replaced, by another one without, since a "
                "network's parameters are parts of one vector. Build a new Network"
            )
        check_stack({name: layer}, None)
        layer.name, layer.is_owned = name, True
        own.is_owned = False
        super().__setitem__(name, layer)

    def __missing__(self, name: object) -> NoReturn:
        hint = ""
        if isinstance(name, int) and -len(self) <= name < len(self):
            hint = f"; by position: list(network.layers.values())[{name}]"
        raise KeyError(f"no layer {name!r}: expected one of {', '.join(map(repr, self))}{hint}")

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a network's layers cannot be added or removed: build a new Network")

    __delitem__ = pop = popitem = clear = update = setdefault = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)
