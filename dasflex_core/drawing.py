# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources and plans drawn for a notebook, as small tables of HTML without scripts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dasflex_core.site import Source
    from dasflex_core.solved import Plan

__all__ = ["plan_html", "source_html"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, escaped."""
    titles = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def source_html(source: Source) -> str:
    """The source: its title, its range, its options, its data and its examples."""
    definition = source.definition
    parts = [f"<h4>{escape(source.id)}: {escape(source.title)}</h4>"]
    if source.summary:
        parts.append(f"<p>{escape(source.summary.strip())}</p>")
    if definition.range:
        parts.append(f"<p>{escape(str(definition.range))}</p>")
    if definition.data:
        rows = [(name, item.title, item.units or "", ", ".join(item.axes)) for name, item in definition.data.items()]
        parts.append(_table(("data", "title", "units", "axes"), rows))
    if definition.options:
        options = [
            (
                f"read.{name}",
                each.title,
                ", ".join(value for value, _title in each.values) or each.type,
                each.default or "",
            )
            for name, each in definition.options.items()
        ]
        parts.append(_table(("option", "title", "values", "default"), options))
    examples = [(each.title, " ".join(f"{name}={text}" for name, text in each.request)) for each in definition.examples]
    parts.append(_table(("example", "request"), examples))
    return "".join(parts)


def plan_html(plan: Plan) -> str:
    """The plan: a box for each stage from left to right, and its price."""
    box = "display:inline-block;border:1px solid;border-radius:4px;padding:2px 8px;margin:2px"
    stages = []
    for step in plan.solution.path.steps:
        takes = "".join(f"<br><small>{escape(name)}</small>" for name in step.consumes)
        stages.append(
            f'<span style="{box}"><b>{escape(step.spec.name)}</b>{takes}</span> → {escape(str(step.spec.produces))}'
        )
    return f"<div>{' → '.join(stages)}<p>about {plan.seconds:.2g} s</p></div>"
