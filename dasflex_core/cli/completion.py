# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell offers for a word that is not finished: sources, their parameters, and the values of these.

Nothing is made for it: where there is no root yet, nothing is offered.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from click.shell_completion import CompletionItem

from dasflex_core.errors import DasflexError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from dasflex_core.site import Site, Source
    from dasflex_core.stages import ParamSpec

__all__ = ["complete_parameter", "complete_source"]

_GOAL: Final = {"format.version": ("2", "3"), "format.serial": ("text", "binary")}


def complete_source(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sources whose id begins so, case aside."""
    site = _site(context)
    if site is None:
        return []
    entries = [(entry.id, entry.title) for entry in site.catalog.entries() if entry.listed]
    return [CompletionItem(name, help=title) for name, title in entries if name.lower().startswith(incomplete.lower())]


def complete_parameter(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The parameters of the source on the line, or the values of the one that the word begins with.

    bash ends a word at `=`, so that the name may be the word before; click leaves out a `=` that stands last.
    """
    site = _site(context)
    name = str(context.params.get("source") or "")
    if site is None or not name:
        return []
    try:
        source = site[name]
    except DasflexError:
        return []
    before = [str(word) for word in context.params.get("words") or ()]
    if before[-1:] == ["="]:
        return _values(site, source, before[-2] if len(before) > 1 else "", incomplete, "")
    if before and not incomplete and before[-1] in _names(site, source):
        return _values(site, source, before[-1], "", "")
    key, sign, value = incomplete.partition("=")
    if sign:
        return _values(site, source, key, value, f"{key}=")
    return [
        CompletionItem(f"{each}=", help=about)
        for each, about in sorted(_names(site, source).items())
        if each.startswith(incomplete)
    ]


def _site(context: click.Context) -> Site | None:
    """The site that the line means, if there is one."""
    from dasflex_core.config import CONFIG_FILE
    from dasflex_core.roots import user_root
    from dasflex_core.site import open_site

    named = context.params.get("root") or os.environ.get("DASFLEX_CONFIG")
    if not named and not (user_root() / CONFIG_FILE).is_file():
        return None
    try:
        return open_site(named)
    except DasflexError:
        return None


def _specs(site: Site, source: Source) -> Iterator[ParamSpec]:
    """The parameters that the source's own stages and the installed ones declare."""
    bound = site.planner.bound(source.definition, {})
    for each in bound.stages.values():
        yield from each.spec.params
    for stage in site.registry.stages:
        yield from stage.params


def _names(site: Site, source: Source) -> dict[str, str]:
    """The names that may be given, with what they mean."""
    names = {"time": "The range A/B", "format.type": "The format of the answer", **dict.fromkeys(_GOAL, "")}
    for spec in _specs(site, source):
        if "{" not in spec.name:
            names.setdefault(spec.name, spec.title)
    return names


def _values(site: Site, source: Source, name: str, begun: str, prefix: str) -> list[CompletionItem]:
    """The values that a parameter may have, where they can be listed."""
    known: dict[str, str] = dict.fromkeys(_GOAL.get(name, ()), "")
    if name == "format.type":
        made = {stage.produces.kind for stage in site.registry.stages}
        types = [info for info in reversed(site.registry.stream_types) if info.suffix and info.type.kind in made]
        known = {info.type.kind: info.title for info in types}
    for spec in _specs(site, source):
        if spec.name == name:
            known |= dict(spec.values)
            known |= dict.fromkeys(("true", "false"), "") if spec.type == "boolean" else {}
    return [CompletionItem(f"{prefix}{value}", help=about) for value, about in known.items() if value.startswith(begun)]
