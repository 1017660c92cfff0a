"""Every route has decided who may ask."""

from __future__ import annotations

from typing import get_args

from flask import Flask

from web.access import Permission


def test_every_route_has_a_decision(app: Flask) -> None:
    undecided = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "needs", None) not in get_args(Permission)
    ]
    assert undecided == []
