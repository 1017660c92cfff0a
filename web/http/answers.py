"""Shapes that answers share."""

from __future__ import annotations

from typing import Any

from flask import request

from domain.clock import instant


def listing(results: list[dict[str, Any]], total: int, page: int, per_page: int) -> dict[str, Any]:
    """A page of a list, as listmonk has it: all figures are 0 when there is nothing."""
    return {
        "results": results,
        "search": request.args.get("subscriber", "").strip(),
        "query": "",
        "total": total,
        "per_page": per_page if total else 0,
        "page": page if total else 0,
    }
