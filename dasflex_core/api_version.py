# SPDX-License-Identifier: GPL-3.0-or-later
"""For which version of the plugin API a plugin was written, and whether this dasflex has that.

The module of a plugin says it: `DASFLEX_API = 1`, or `"1.2"` where it needs what came with 1.2. One that says nothing
is taken to be of the first version, for which plugins need not say anything; a bundled one is of the version that it
came with.
"""

from __future__ import annotations

import re
from typing import Final

from dasflex_core.errors import ConfigError
from dasflex_core.loading import source_of

__all__ = ["checked_api", "stated_api", "written_api"]

_NAME: Final = "DASFLEX_API"
_FIRST: Final = "1"
_VERSION: Final = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")
_LINE: Final = re.compile(rf"^{_NAME}\s*(?::[^=]*)?=\s*[\"']?([\d.]+)", re.MULTILINE)


def stated_api(module: object) -> str:
    """The version that the module of a plugin states, as text; blank where it states none."""
    return str(getattr(module, _NAME, ""))


def written_api(module: str) -> str:
    """The version that stands in the source of a module which cannot be imported; blank where none is found."""
    file = source_of(module)
    found = _LINE.search(file.read_text(encoding="utf-8", errors="replace")) if file else None
    return found[1] if found else ""


def checked_api(stated: str, has: str, *, bundled: bool = False) -> str:
    """The version that a plugin states, if it can be used with the version that this dasflex `has`.

    Raises `ConfigError` for another major version, for a later minor one, and for what is no version.
    """
    wanted = stated or (has if bundled else _FIRST)
    found, own = _VERSION.fullmatch(wanted), _VERSION.fullmatch(has)
    if found is None or own is None:
        what = f"{_NAME} = {wanted!r:.40} is no version of the plugin API; one is 1, or a text such as {has!r}"
        raise ConfigError(what, kind="config.plugin")
    theirs, ours = ((int(each[1]), int(each[2] or 0)) for each in (found, own))
    if theirs[0] == ours[0] and theirs[1] <= ours[1]:
        return stated
    newer = f"install a dasflex that has {wanted}"
    other = f"install a release of the plugin for {ours[0]}"
    remedy = f"{newer}, or {other}" if theirs > ours else other
    raise ConfigError(
        f"it is written for version {wanted} of the plugin API, and this dasflex has {has}: {remedy}",
        kind="config.plugin",
    )
