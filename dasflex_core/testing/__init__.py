# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugin authors test with: contracts that every stage must keep, strategies, and small streams.

A stage's test is a class that inherits its contract, as in `contracts`. `strategies` makes streams for hypothesis,
`golden` has small ones that everyone can read, and `comparing` tells what differs between two. pytest loads `plugin`
by itself, which costs next to nothing: everything else is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dasflex_core.testing.contracts import DecoderContract, FormatterContract, ReaderContract, ReducerContract
    from dasflex_core.testing.file_contract import FileFormatterContract

__all__ = ["DecoderContract", "FileFormatterContract", "FormatterContract", "ReaderContract", "ReducerContract"]


def __getattr__(name: str) -> object:
    """The contracts, imported when they are used."""
    if name in __all__:
        from dasflex_core.testing import contracts, file_contract

        return getattr(file_contract if name == "FileFormatterContract" else contracts, name)
    raise AttributeError(f"module 'dasflex_core.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
