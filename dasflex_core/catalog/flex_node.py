# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as a node of the federated catalog: `HttpStreamSrc` for clients of both generations, and `WebSocSrc`.

`protocol` is what the server takes, `interface` what a person sees; `set` ties a property of the second to a parameter
of the first. Every parameter for which there is a plan is there, and no other. The keys of the older forms (0.5, 0.6)
are beside those of 0.7 under names of their own: `classic_keys` makes them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from dasflex_core.catalog.addresses import socket_url, source_url, uris
from dasflex_core.catalog.classic_keys import with_classic_keys
from dasflex_core.catalog.interface import Interface, kinds_of

if TYPE_CHECKING:
    from dasflex_core.catalog.model import Contacts, Definition
    from dasflex_core.config import Config
    from dasflex_core.plan.offering import Offer

__all__ = ["contact_list", "flex_json", "json_bytes", "live_json", "source_url"]

#: An object of JSON.
Node = dict[str, Any]
_CONTACT: Final = re.compile(r"\s*([^<>,]*?)\s*(?:<\s*([^<>]*?)\s*>)?\s*(?:,|$)")


def json_bytes(node: Node) -> bytes:
    """A node as it is published: UTF-8 that begins with `{`."""
    try:
        return orjson.dumps(node, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # half of a character, which no UTF-8 has
        text = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace") + b"\n"


def contact_list(contacts: Contacts) -> list[Node]:
    """Each contact with its type, name and address."""
    return [
        {"type": kind, "name": found[1] or found[2]} | ({"email": found[2]} if found[2] else {})
        for kind, text in (("technical", contacts.technical), ("scientific", contacts.scientific))
        for found in _CONTACT.finditer(text)
        if found[1] or found[2]
    ]


def flex_json(definition: Definition, config: Config, offer: Offer) -> bytes:
    """The node of a source for requests over HTTP. Addresses are absolute, below the server's public one."""
    making = Interface(definition, offer, kinds_of(offer), {})
    node = _head(definition, config, "HttpStreamSrc", "0.7")
    node["protocol"] = {
        "method": "GET",
        "convention": "HTTP/1.1",
        "baseUrls": [source_url(config, definition.id, "flex")],
        **_protocol(definition, config, making),
    }
    node["interface"] = making.interface()
    return json_bytes(with_classic_keys(node, making))


def live_json(definition: Definition, config: Config, offer: Offer) -> bytes:
    """The node of what a source gives as it comes in, over a WebSocket; `offer` is that of its live readers."""
    making = Interface(definition, offer, kinds_of(offer), {}, live=True)
    node = _head(definition, config, "WebSocSrc", "0.2")
    node["title"] = f"{definition.title}, live"
    node["protocol"] = {
        "convention": "WebSocket",
        "baseUrls": [socket_url(config, definition.id)],
        **_protocol(definition, config, making),
    }
    node["interface"] = making.interface()
    return json_bytes(node)


def _protocol(definition: Definition, config: Config, making: Interface) -> Node:
    """Who may ask, and what."""
    closed = bool(definition.access.allow)
    realm = {"realm": definition.access.realm or config.server_name} if closed else {}
    return {"authorization": {"required": closed, **realm}, "httpParams": making.http_params()}


def _head(definition: Definition, config: Config, kind: str, version: str) -> Node:
    """What every node of a source begins with."""
    name = definition.label or definition.id.rpartition("/")[2]
    file = "flexrt" if kind == "WebSocSrc" else "flex"
    node: Node = {
        "type": kind,
        "version": version,
        "name": name,
        "label": name,
        "title": definition.title,
        "summary": definition.summary.strip(),
        "contacts": contact_list(definition.contacts),
        "uris": uris(config, f"{definition.id.lower()}/{file}"),
    }
    return {key: value for key, value in node.items() if value not in ("", [])}
