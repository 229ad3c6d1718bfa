# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as answers: what `flex` with the same parameters would run, and its price, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dasflex_cgi.compressing import weight
from dasflex_cgi.exchange import JSON, TEXT, Answer
from dasflex_core.errors import QueryError, shown

if TYPE_CHECKING:
    from dasflex_cgi.visit import Visit
    from dasflex_core.queries import Pairs
    from dasflex_core.site import Source
    from dasflex_core.solved import Plan

__all__ = ["plan_answer", "prefers_json"]


def plan_answer(visit: Visit, source: Source, pairs: Pairs) -> Answer:
    """The plan as text, as JSON or as a graph: `format=`, else what the client accepts. Raises `QueryError`."""
    from dasflex_core.site import Request

    forms = [value.lower() for name, value in pairs if name.lower() == "format" and value]
    how = _form(forms, visit.asked.headers.get("accept", ""))
    rest = tuple(pair for pair in pairs if pair[0].lower() != "format")
    plan = Request(source, rest, claim=visit.claim).plan()
    visit.user = plan.user
    text = plan.explain(how)
    if how == "json" and '"refused": null' not in text:
        text = _with_addresses(visit, plan, text)
    visit.mark("plan")
    kind = JSON if how == "json" else TEXT
    kept = "private, no-store" if source.protected else "no-cache"
    headers = (("Content-Type", kind), ("Vary", "Accept"), ("Cache-Control", kept))
    return Answer(200, headers, text.encode())


def _with_addresses(visit: Visit, plan: Plan, text: str) -> str:
    """The JSON of a plan that would be refused, with what would be granted, and the addresses that ask for it."""
    refused = plan.refusal()
    if refused is None:
        return text
    import json

    from dasflex_cgi.pricing import refusal_facts

    facts = refusal_facts(plan.request.source.site, visit, refused)
    told = json.loads(text) | {name: facts[name] for name in ("limits", "suggestions")}
    return json.dumps(told, indent=2) + "\n"


def _form(forms: list[str], accepted: str) -> Literal["text", "json", "mermaid"]:
    """The form in which a plan is told."""
    if not forms:
        return "json" if prefers_json(accepted) else "text"
    if forms[0] not in ("text", "json", "mermaid"):
        raise QueryError(f"format={shown(forms[0])} is none of text, json, mermaid", kind="query.bad-value")
    return "json" if forms[0] == "json" else "mermaid" if forms[0] == "mermaid" else "text"


def prefers_json(accepted: str) -> bool:
    """Whether an `Accept` names JSON, and not text as well or rather.

    >>> prefers_json("application/json"), prefers_json("text/plain, application/json;q=0.5"), prefers_json("*/*")
    (True, False, False)
    """
    weights: dict[str, float] = {}
    for each in accepted.lower().split(","):
        kind, _, rest = each.partition(";")
        weights[kind.strip()] = weight(rest)
    text = max(weights.get("text/plain", 0.0), weights.get("text/*", 0.0), weights.get("text/html", 0.0))
    return weights.get("application/json", 0.0) > text
