# SPDX-License-Identifier: GPL-3.0-or-later
"""What das2 clients ask by `server=`: who this is, what there is, how a source is described, and its data.

    server=id | logo | list | discovery | dsdf | dataset | compactdataset | image | peers

The forms are those that the das2 clients in use read; they are older than any text about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_cgi import about
from dasflex_cgi.exchange import TEXT, Answer
from dasflex_cgi.failures import NOT_DATA
from dasflex_core.catalog.identifiers import folded
from dasflex_core.errors import QueryError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.catalog.model import Definition
    from dasflex_core.queries import Pairs
    from dasflex_core.site import Site

__all__ = ["DAS2_TEXT", "SERVERS", "Das2Query", "header", "list_of", "peers", "picture", "read_query"]

DAS2_TEXT: Final = "text/vnd.das2.das2stream; charset=utf-8"
#: The words that `server=` may be.
SERVERS: Final = ("id", "logo", "list", "discovery", "dsdf", "dataset", "compactdataset", "image", "peers")
_OF_A_SOURCE: Final = ("dsdf", "dataset", "compactdataset", "image")
#: The format of pictures, and how das2 clients name their size.
_PICTURE: Final = "png"
_SIZES: Final[Mapping[str, str]] = {"width": "format.width", "height": "format.height"}
_OWN_KEYS: Final = ("server", "dataset")


class Das2Query:
    """A das2 query, taken apart: the word behind `server=`, the id of the source where one is needed, and the rest."""

    def __init__(self, server: str, dataset: str, rest: Pairs) -> None:
        self.server = server
        self.dataset = dataset
        self.rest = rest


def read_query(pairs: Pairs) -> Das2Query:
    """Takes the pairs of a das2 query apart, whatever their order and case.

    Raises `QueryError` for other words.
    """
    server = _single(pairs, "server")
    word = server.lower()
    if word not in SERVERS:
        raise QueryError(f"server={shown(server)} is not answered here; there are {', '.join(SERVERS)}")
    dataset = ""
    if word in _OF_A_SOURCE:
        written = _single(pairs, "dataset").replace(" ", "+")  # no id has a blank: it is a `+` that was sent as it is
        dataset = "/".join(filter(None, written.split("/")))
    return Das2Query(word, dataset, [pair for pair in pairs if pair[0].strip().lower() not in _OWN_KEYS])


def picture(site: Site, rest: Pairs) -> Pairs:
    """The pairs that ask for a picture of what others ask for as data, which may say its `width` and `height`.

    Raises `QueryError` where this server draws none.
    """
    if not any(info.type.kind == _PICTURE for info in site.registry.stream_types):
        lacking = site.registry.lacking(kind=_PICTURE)
        why = f"a picture {lacking}" if lacking else "nothing that is installed draws pictures"
        raise QueryError(f"server=image: {why}; ask for the data with server=dataset", kind="query.not-offered")
    known = [(_SIZES.get(name.strip().lower(), name), value) for name, value in rest]
    return [
        *(pair for pair in known if pair[0].strip().lower() not in ("format.type", "ascii")),
        ("format.type", _PICTURE),
    ]


def _single(pairs: Pairs, key: str) -> str:
    """The one value of a key; empty ones count as absent. Raises `QueryError` for none and for several."""
    values = {value.strip() for name, value in pairs if name.strip().lower() == key and value.strip()}
    if len(values) != 1:
        what = f"needs one {key}=" if not values else f"has {len(values)} of {key}="
        raise QueryError(f"A das2 query {what}; give it once", kind="query.missing-parameter")
    return values.pop()


def list_of(site: Site, *, with_examples: bool) -> Answer:
    """The listed sources, a line `path|title` each, and each directory before what is in it; `path/` is a directory.

    `with_examples` leaves out the sources for which nobody wrote down an example. It is the file that was made when the
    sources were installed, or is made now where that is missing.
    """
    from dasflex_core.catalog.listing import list_files
    from dasflex_core.catalog.published_names import LISTS

    name = LISTS[2 if with_examples else 1]
    try:
        body = (site.config.root / "public" / name).read_bytes()
    except OSError:
        body = list_files(site.catalog.entries(), site.catalog.directories())[name]
    return Answer(200, (("Content-Type", TEXT), ("Cache-Control", "no-cache")), body)


def header(site: Site, definition: Definition) -> Answer:
    """The description of a source as a das2 stream header: its public keys, and no others.

    It is the file that was made when the source was installed, or is made now where that is missing.
    """
    path = site.config.root / "public" / folded(definition.id) / "das2.d2t"
    try:
        body = path.read_bytes()
    except OSError:
        from dasflex_core.catalog.publishing import das2_header
        from dasflex_core.plan.offering import offered

        body = das2_header(definition, offered(definition, site.registry, site.catalog.find, site.external))
    return Answer(200, (("Content-Type", DAS2_TEXT), ("Cache-Control", "no-cache")), body)


def peers(site: Site, note: Callable[[str], None]) -> Answer:
    """The other servers that PEERS_FILE lists, as XML."""
    servers = "".join(
        f"  <server>\n    <name>{_escaped(name)}</name>\n    <url>{_escaped(url)}</url>\n  </server>\n"
        for name, url in about.peers(site.config, note)
    )
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<das2server>\n<peers>\n{servers}</peers>\n</das2server>\n'
    return Answer(200, (("Content-Type", "text/xml; charset=utf-8"), *NOT_DATA), text.encode())


_XML: Final[Mapping[int, str]] = {ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;", ord('"'): "&quot;"}


def _escaped(text: str) -> str:
    """A text that may stand in XML: without the characters that it cannot hold."""
    return _without_controls(text).translate(_XML)


def _without_controls(text: Iterable[str]) -> str:
    """The text without control characters and halves of characters."""
    return "".join(char for char in text if char >= " " and not "\ud800" <= char <= "\udfff" and char < "\ufffe")
