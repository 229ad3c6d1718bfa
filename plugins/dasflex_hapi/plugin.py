# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: data sets of HAPI servers as sources, and the formats of HAPI, declared by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import Mount, ReaderKind, TaskKind, hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

__all__ = ["HAPI_SERVERS", "STAGES", "TYPES", "dasflex_reader_kinds", "dasflex_stages", "dasflex_stream_types"]

HAPI_SERVERS: Final = ReaderKind(
    "hapi-server", "Data sets of HAPI servers", "url", "dasflex_hapi.binding:bind", scheme="hapi"
)

_CSV: Final = StreamType("hapi-csv")
_BINARY: Final = StreamType("hapi-binary")
_JSON: Final = StreamType("hapi-json")
_PARAMS: Final = (
    ParamSpec("format.hapi.form", title="The form in which the records were described", attribute="form"),
    ParamSpec(
        "format.hapi.parameters",
        "modifier",
        "list",
        title="Which parameters are written",
        help="Names of HAPI parameters. The time is always among them. Not given: all.",
        attribute="parameters",
    ),
    ParamSpec("format.hapi.start", "modifier", "time", title="Time of the first record, at least", attribute="start"),
    ParamSpec("format.hapi.stop", "modifier", "time", title="Time that all records are before", attribute="stop"),
    ParamSpec(
        "format.hapi.sizes",
        "modifier",
        "list",
        title="How many values there is room for",
        help="NAME:COUNT for variables whose records have different numbers of values, NAME#:BYTES for texts.",
        attribute="sizes",
    ),
    ParamSpec(
        "format.hapi.varying",
        "modifier",
        "list",
        title="Coordinates that are given with each record",
        attribute="varying",
    ),
)
#: What the `spec` of `HapiCsv`, `HapiBinary` and `HapiJson` are; a test compares them.
STAGES: Final = (
    StageSpec(
        name="hapi-csv",
        title="HAPI records as csv",
        accepts=ARRAYS,
        produces=_CSV,
        factory="dasflex_hapi.writing.stages:HapiCsv",
        params=_PARAMS,
        cost=Cost(0.05, 12.0),
    ),
    StageSpec(
        name="hapi-binary",
        title="HAPI records in the binary form",
        accepts=ARRAYS,
        produces=_BINARY,
        factory="dasflex_hapi.writing.stages:HapiBinary",
        params=_PARAMS,
        cost=Cost(0.05, 2.0),
    ),
    StageSpec(
        name="hapi-json",
        title="HAPI records as rows of JSON, with `,` and a line end between two",
        accepts=ARRAYS,
        produces=_JSON,
        factory="dasflex_hapi.writing.stages:HapiJson",
        params=_PARAMS,
        cost=Cost(0.05, 20.0),
    ),
)
TYPES: Final = (
    StreamTypeInfo(_CSV, "HAPI csv records", "text/csv", "", text=True, many=False),
    StreamTypeInfo(_BINARY, "HAPI binary records", "application/octet-stream", "", many=False),
    StreamTypeInfo(_JSON, "HAPI JSON records", "application/json", "", text=True, many=False),
)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers the formatters."""
    for each in STAGES:
        register(each)


@hookimpl
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers the types of what they write."""
    for each in TYPES:
        register(each)


@hookimpl
def dasflex_reader_kinds(register: Callable[[ReaderKind], None]) -> None:
    """Registers the reader of HAPI servers."""
    register(HAPI_SERVERS)


@hookimpl
def dasflex_task_kinds(register: Callable[[TaskKind], None]) -> None:
    """Registers the task that describes data sets."""
    register(
        TaskKind(
            "hapi-info",
            "Describe the HAPI data sets of a source from its examples; without a SOURCE, of all",
            "dasflex_hapi.serving.task:run",
            arguments=("source",),
            prepare="dasflex_hapi.serving.task:prepare",
            installed=True,
        )
    )


@hookimpl
def dasflex_mounts(register: Callable[[Mount], None]) -> None:
    """Registers the server of HAPI."""
    register(Mount("/hapi", "HAPI 3.3", "dasflex_hapi.serving.application:application"))


@hookimpl
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers `dasflex hapi`."""
    from dasflex_hapi.serving.command import hapi

    register(hapi)
