# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of the server hold that are objects of JSON, as JSON Schema (2020-12)."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["SCHEMAS"]

#: An object of JSON.
Node = dict[str, Any]
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SECONDS: Final = {"type": "number", "minimum": 0}
_WHEN: Final = {"type": "string", "format": "date-time"}
_REQUEST: Final = {"type": "object", "additionalProperties": _TEXT, "description": "Parameters by their names"}


def _object(about: str, **properties: Node) -> Node:
    """An object with these properties, and no others."""
    return {
        "description": about,
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


_STAGE: Final = _object(
    "A stage of a plan",
    id=_COUNT,
    name=_TEXT,
    role={"enum": ["reader", "reducer", "formatter", "converter"]},
    kind=_TEXT,
    title=_TEXT,
    produces=_TEXT,
    consumes=_TEXTS,
    inputs={"type": "array", "items": _COUNT},
    seconds=_SECONDS,
)

_KNOWN: Final = {"type": ["integer", "null"], "minimum": 0}
_ESTIMATE: Final = _object(
    "What a request is expected to cost; what is not known is null",
    bytes=_KNOWN,
    records=_KNOWN,
    seconds=_SECONDS,
    read=_KNOWN,
    basis=_TEXT,
)

#: The schemas by their names.
SCHEMAS: Final[dict[str, Node]] = {
    "Identity": _object("Who a server is", id=_TEXT, name=_TEXT, title=_TEXT, url=_TEXT, software=_TEXT),
    "Health": _object(
        "Whether a server is well", status=_TEXT, version=_TEXT, background={"enum": ["off", "idle", "on"]}
    ),
    "Record": _object(
        "What became of a request",
        id={"type": "string", "pattern": "^[0-9a-z]{22}$"},
        source=_TEXT,
        request=_REQUEST,
        plan=_TEXT,
        answer=_TEXT,
        started=_TEXT,
        ended=_TEXT,
        seconds=_SECONDS,
        complete={"type": "boolean"},
        bytes=_COUNT,
        records={"type": ["integer", "null"]},
        sha256=_TEXT,
        error_kind=_TEXT,
        error=_TEXT,
        convention=_TEXT,
        format=_TEXT,
        read=_COUNT,
    ),
    "Asked": _object(
        "The request behind an answer", answer=_TEXT, source=_TEXT, request=_REQUEST, convention=_TEXT, url=_TEXT
    ),
    "Job": _object(
        "What became of a request that is answered later",
        job={"type": "string", "pattern": "^[0-9a-z]{22}$"},
        state={"enum": ["waiting", "running", "complete", "failed", "cancelled"]},
        source=_TEXT,
        request=_REQUEST,
        answer=_TEXT,
        note=_TEXT,
        asked=_WHEN,
        started={**_WHEN, "type": ["string", "null"]},
        ended={**_WHEN, "type": ["string", "null"]},
        bytes=_COUNT,
        records={"type": ["integer", "null"]},
        fraction={"type": ["number", "null"], "minimum": 0, "maximum": 1},
        sha256=_TEXT,
        error={"oneOf": [{"type": "null"}, _object("Why it failed", kind=_TEXT, message=_TEXT)]},
        url=_TEXT,
        result={"type": ["string", "null"]},
        media_type=_TEXT,
        file_name=_TEXT,
        kept_until={**_WHEN, "type": ["string", "null"]},
        record={"type": ["string", "null"]},
    ),
    "Ticket": _object(
        "A ticket to the WebSocket of a source",
        ticket=_TEXT,
        expires={"type": "string", "format": "date-time"},
    ),
    "Coverage": _object(
        "When a source has data",
        source=_TEXT,
        begin=_WHEN,
        end=_WHEN,
        width={"type": "integer", "minimum": 1, "description": "Seconds of each bin"},
        records={"type": "array", "items": {"type": ["integer", "null"], "minimum": 0}},
        made=_WHEN,
        changed={"type": ["integer", "null"], "description": "The date of the data, in seconds since 1970"},
    ),
    "Plan": _object(
        "A plan, and its price",
        source=_TEXT,
        convention=_TEXT,
        request=_REQUEST,
        produces=_TEXT,
        traits=_TEXTS,
        seconds=_SECONDS,
        gigabytes={"type": ["number", "null"]},
        nodes={"type": "array", "items": _STAGE},
        alternatives={
            "type": "array",
            "items": _object("A plan that lost", stages=_TEXTS, seconds=_SECONDS, reason=_TEXT),
        },
        cache={
            "oneOf": [
                {"type": "null"},
                _object("Cache blocks that are used", level=_TEXT, blocks=_COUNT, missing=_COUNT),
            ]
        },
        declined={"type": "array", "items": _object("A stage that declined", stage=_TEXT, reason=_TEXT)},
        remarks=_TEXTS,
        answer=_TEXT,
        plan=_TEXT,
        estimate=_ESTIMATE,
        refused={"type": ["string", "null"], "description": "What a client is told where it costs too much"},
    )
    | {"additionalProperties": True},
    "Failure": _object("What went wrong", kind=_TEXT, message=_TEXT, status=_COUNT, request={"type": "string"})
    | {"additionalProperties": True},
    "StreamReport": _object(
        "The verdict on a stream",
        verdict={"type": "string", "enum": ["ok", "deviation", "fault"]},
        form=_TEXT,
        size=_COUNT,
        headers={
            "type": "array",
            "items": _object(
                "A header of the stream", packet=_TEXT, offset=_COUNT, root=_TEXT, name=_TEXT, verdict=_TEXT
            ),
        },
        findings={
            "type": "array",
            "items": _object(
                "Something that is wrong",
                verdict=_TEXT,
                rule=_TEXT,
                place=_TEXT,
                message=_TEXT,
                text=_TEXT,
                count=_COUNT,
            ),
        },
        left_out=_COUNT,
    ),
    "Node": {
        "description": "A node of the federated catalog",
        "type": "object",
        "properties": {
            "type": _TEXT,
            "version": _TEXT,
            "name": _TEXT,
            "label": _TEXT,
            "title": _TEXT,
            "uris": _TEXTS,
            "separator": _TEXT,
            "catalog": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Stub"}},
            "protocol": {"type": "object"},
            "interface": {"type": "object"},
        },
        "required": ["type", "version", "name", "label", "title"],
    },
    "Stub": {
        "description": "A node as an entry of another, which may hold its own entries",
        "type": "object",
        "properties": {
            "type": _TEXT,
            "name": _TEXT,
            "label": _TEXT,
            "title": _TEXT,
            "urls": {"type": "array", "items": {"type": "string", "format": "uri"}, "minItems": 1},
            "catalog": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Stub"}},
        },
        "required": ["type", "name", "label", "title", "urls"],
    },
}
