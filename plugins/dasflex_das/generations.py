# SPDX-License-Identifier: GPL-3.0-or-later
"""Two generations of das, one model: the declarations and the records of each as the other has them.

The decoder keeps what a stream said in the words of its generation; these functions say it in the other's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_das.to_das2 import dataset_to_das2, header_to_das2, records_to_das2
from dasflex_das.to_das3 import dataset_to_das3, header_to_das3

if TYPE_CHECKING:
    from dasflex_core.arrays import Dataset, StreamHeader

__all__ = ["records_to_das2", "to_das2", "to_das3"]


def to_das3(header: StreamHeader, dataset: Dataset) -> tuple[StreamHeader, Dataset]:
    """Header and dataset in the words of das3; what is das3 stays as it is. Records need no change."""
    return header_to_das3(header), dataset_to_das3(header, dataset)


def to_das2(header: StreamHeader, dataset: Dataset) -> tuple[StreamHeader, Dataset]:
    """Header and dataset in the words of das2; what is das2 stays as it is. Records need `records_to_das2`.

    Raises `QueryError` (`query.unreachable-type`) that names the first variable which das2 cannot hold: text, ragged
    values, values over more than one inner index.
    """
    header = header_to_das2(header, dataset)
    return header, dataset_to_das2(header, dataset)
