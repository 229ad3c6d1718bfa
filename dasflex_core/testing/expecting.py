# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contracts ask in their tests: each fails with a sentence, where pytest may not rewrite assertions."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.arrays import Item

__all__ = [
    "Among",
    "chunkings",
    "dataset_id",
    "expect",
    "expect_declared",
    "expect_same",
    "expect_source_error",
    "renumbered",
]


def expect(condition: object, why: str) -> None:
    """Fails the test with a sentence."""
    if not condition:
        raise AssertionError(why)


def expect_same(one: object, other: object, why: str, rtol: float = 0.0) -> None:
    """Fails the test where two streams or lists of items differ, and says where."""
    from dasflex_core.testing.comparing import difference

    found = difference(one, other, rtol=rtol)
    expect(not found, f"{why}: {found}")


def expect_declared(items: Iterable[Item], name: str) -> None:
    """Fails the test where records come before the declaration of their dataset, or do not fit it."""
    from dasflex_core.arrays import Dataset, Records
    from dasflex_core.testing.comparing import difference, misfit

    known: dict[int, Dataset] = {}
    for item in items:
        if isinstance(item, Dataset):
            known[item.id] = item
        elif isinstance(item, Records):
            declared = known.get(item.dataset.id)
            expect(declared is not None, f"{name}: records of {item.dataset.name} come before its declaration")
            found = difference(item.dataset, declared)
            expect(not found, f"{name}: records are of another declaration than the last: {found}")
            found = misfit(item)
            expect(not found, f"{name}: {found}")


def expect_source_error(work: Callable[[], object], what: str) -> None:
    """Fails the test unless the work raises a `SourceError`."""
    try:
        work()
    except SourceError:
        return
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__}, which should be a SourceError") from error
    raise AssertionError(f"{what} passes for a whole stream; a SourceError should say that it is none")


def renumbered(item: Item, shift: int) -> Item:
    """The item with the id of its dataset raised."""
    from dataclasses import replace

    from dasflex_core.arrays import Dataset, Records

    if isinstance(item, Dataset):
        return replace(item, id=item.id + shift)
    if isinstance(item, Records):
        return Records(replace(item.dataset, id=item.dataset.id + shift), item.columns)
    return item


def dataset_id(item: Item) -> int:
    """The id of the dataset that an item belongs to; -1 for one of the stream."""
    from dasflex_core.arrays import Dataset, Records

    if isinstance(item, Records):
        return item.dataset.id
    return item.id if isinstance(item, Dataset) else -1


class Among:
    """A set of the very objects."""

    def __init__(self, items: Iterable[object]) -> None:
        self._items = list(items)

    def __contains__(self, item: object) -> bool:
        return any(item is own for own in self._items)


def chunkings(stream: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Ways to cut a stream, with what they are called."""
    for size in (1, 2, 3, 10, 64, 1000):
        if len(stream) <= 20_000 * size:
            yield f"chunks of {size}", [stream[at : at + size] for at in range(0, len(stream), size)]
    for seed in range(10):
        chance = Random(seed)  # noqa: S311 # nosec B311 # a test's cuts, the same each time
        cuts = sorted(chance.randint(0, len(stream)) for _ in range(8))
        yield f"chunks cut at {cuts}", [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
