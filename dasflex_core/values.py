# SPDX-License-Identifier: GPL-3.0-or-later
"""Frozen dataclasses whose methods are shared, since a process that answers one request pays for each that it makes.

The standard library compiles up to seven methods for each frozen dataclass: half a millisecond a class, and a request
meets seventy of them, which is five times the start of Python itself. Here the same decorator, with the same fields,
slots and meaning, takes a twelfth of that: `dataclasses` collects the fields, and the methods are closures over them.
What `dataclasses` offers of a class (`fields`, `replace`, `asdict`) holds for these. To make a value takes about twice
as long, so that what a stream has by the million is better made by the standard library.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool, slots: bool = False, kw_only: bool = False, **shown: bool) -> Callable[[type], type]:
        """As `dataclasses.dataclass`, for values that do not change: `frozen` is always true.

        `repr=False` and `eq=False` are understood.
        """
        if not frozen or not shown.keys() <= {"repr", "eq"}:
            raise TypeError("this decorator makes plain frozen values; for others there is the standard library's")

        def make(cls: type) -> type:
            made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
            methods: dict[str, object] = {"__init__": _init(made), "__setattr__": _refuse, "__delattr__": _refuse}
            if shown.get("repr", True):
                methods["__repr__"] = _repr(made)
            if shown.get("eq", True):
                methods |= {"__eq__": _eq(made), "__hash__": _hash(made)}
            if slots:
                methods |= {"__getstate__": _state, "__setstate__": _restore}
            for name, method in methods.items():
                if name not in cls.__dict__:
                    setattr(made, name, method)
            return made

        return make


__all__ = ["dataclass"]


def _init(made: type) -> Callable[..., None]:
    """What fills a new value in: from arguments by place and by name, defaults and factories."""
    by_place, names, rest, makers = _given(made)
    needed = names - rest.keys() - makers.keys()
    after = getattr(made, "__post_init__", None)
    put = object.__setattr__

    def __init__(self: Any, /, *args: Any, **given: Any) -> None:  # noqa: ANN401, N807  it is a constructor of anything
        if args:
            if len(args) > len(by_place) or not given.keys().isdisjoint(by_place[: len(args)]):
                raise TypeError(f"{made.__name__} takes {', '.join(by_place)}, each once")
            given.update(zip(by_place, args, strict=False))
        if not given.keys() <= names or not needed <= given.keys():
            wrong = ", ".join(sorted((given.keys() - names) | (needed - given.keys())))
            raise TypeError(f"{made.__name__} is made of {', '.join(names)}; missing, or not among them: {wrong}")
        made_now = {name: make() for name, make in makers.items() if name not in given}
        for name, value in (rest | made_now | given).items():
            put(self, name, value)
        if after is not None:
            after(self)

    return __init__


def _given(made: type) -> tuple[tuple[str, ...], frozenset[str], dict[str, object], dict[str, Callable[[], object]]]:
    """What a constructor takes: the names by place, all names, the defaults, and what makes other defaults."""
    every = dataclasses.fields(made)
    taken = [each for each in every if each.init]
    return (
        tuple(each.name for each in taken if not each.kw_only),
        frozenset(each.name for each in taken),
        {each.name: each.default for each in every if each.default is not dataclasses.MISSING},
        {each.name: each.default_factory for each in every if each.default_factory is not dataclasses.MISSING},
    )


def _compared(made: type) -> tuple[str, ...]:
    """The names of the fields by which two values are told apart."""
    return tuple(each.name for each in dataclasses.fields(made) if each.compare)


def _eq(made: type) -> Callable[[Any, object], bool]:
    """Whether another value is of the same class, and equal in each field that counts."""
    names = _compared(made)

    def __eq__(self: Any, other: object, /) -> bool:  # noqa: ANN401, N807  it compares values of any class
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self is other or all(getattr(self, name) == getattr(other, name) for name in names)

    return __eq__


def _hash(made: type) -> Callable[[Any], int]:
    """The hash of the fields that count."""
    names = tuple(each.name for each in dataclasses.fields(made) if (each.compare if each.hash is None else each.hash))

    def __hash__(self: Any, /) -> int:  # noqa: ANN401, N807  it hashes values of any class
        return hash(tuple(getattr(self, name) for name in names))

    return __hash__


def _repr(made: type) -> Callable[[Any], str]:
    """The class and its fields, as its constructor is called."""
    names = tuple(each.name for each in dataclasses.fields(made) if each.repr)

    def __repr__(self: Any, /) -> str:  # noqa: ANN401, N807  it shows values of any class
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _refuse(self: object, name: str, *_value: object) -> None:
    """A value does not change."""
    raise dataclasses.FrozenInstanceError(
        f"{type(self).__name__}.{name} does not change; `replace` makes another value"
    )


def _state(self: Any) -> list[object]:  # noqa: ANN401  it holds values of any class
    """What a copy is made of."""
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _restore(self: Any, state: list[object]) -> None:  # noqa: ANN401  it makes values of any class
    """Fills a copy in."""
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
