# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of files that can be read, by the suffix of their names: the one place where another kind is added."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

from dasflex_core.errors import ConfigError, DasflexError, SourceError
from dasflex_core.loading import load
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_files.describing import Described

__all__ = ["BATCH", "KINDS", "DataFile", "Kind", "kind_of", "opened"]

#: About how many bytes of values are read at once.
BATCH: Final = 1 << 20


class DataFile(Protocol):
    """A file of records, open until `close`.

    It is made with its path, the name of its variable of times, or blank, and what the table `[files]` says, as JSON.

    What is wrong with the file is a `SourceError`.
    """

    @property
    def described(self) -> Described:
        """What the file says of itself."""
        ...

    def constant(self, name: str) -> NDArray[Any]:
        """The values of a variable that does not depend on the record."""
        ...

    def batches(self, names: tuple[str, ...], begin: int, end: int) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The records of times in [begin, end), in nanoseconds since 1970, about `BATCH` bytes of them at once.

        The times stand under the name of their variable, in the units that the description says, beside the variables
        that are named.
        """
        ...

    def close(self) -> None:
        """Lets the file go."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: the suffixes of its names, what opens it, the library that this needs, and what pip installs.

    A kind without `opens` is a stream, which the decoder of its type reads.
    """

    title: str
    suffixes: tuple[str, ...]
    opens: str = ""
    library: str = ""
    requirement: str = ""


KINDS: Final = (
    Kind("das2 and das3 streams", ("d2s", "d2t", "d3b", "d3t")),
    Kind("CDF", ("cdf",), "dasflex_files.cdf_file:CdfFile", "pycdfpp", "dasflex[cdf]"),
    Kind("CSV and other tables of text", ("csv", "tsv", "txt", "dat", "tab"), "dasflex_files.text_file:TextFile"),
    Kind("NetCDF", ("nc", "nc4", "cdf4", "h5"), "dasflex_files.netcdf_file:NetcdfFile", "h5netcdf", "dasflex[netcdf]"),
    Kind("Parquet", ("parquet", "pq"), "dasflex_files.parquet_file:ParquetFile", "pyarrow", "dasflex[arrow]"),
)


def kind_of(suffix: str, where: str) -> Kind:
    """The kind of files with a suffix. Raises `ConfigError`: for one that none has, and where a library is missing."""
    found = next((each for each in KINDS if suffix in each.suffixes), None)
    if found is None:
        known = " ".join(f".{each}" for kind in KINDS for each in kind.suffixes)
        raise ConfigError(
            f"{where}: nothing reads files with the suffix .{suffix}; there are {known}", kind="config.bad-value"
        )
    if found.library and find_spec(found.library) is None:
        message = f"{where}: to read {found.title} files, pip install '{found.requirement}'"
        raise ConfigError(message, kind="config.missing-extra")
    return found


def opened(kind: Kind, path: str, time: str, told: str = "") -> DataFile:
    """A file, open. Raises `SourceError` for one that is none of its kind, whose path only the administrator sees."""
    try:
        made: DataFile = load(kind.opens)(path, time, told)
    except DasflexError as error:
        error.detail = f"{path}\n{error.detail}".rstrip()
        raise
    except Exception as error:  # libraries raise whatever they like of a broken file
        name = path.rpartition("/")[2]
        raise SourceError(
            f"{name} cannot be read as {kind.title}", kind="source.stream", detail=f"{path}: {error!r}"
        ) from error
    return made
