"""The menu: only what is there, and only what the person may see."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, request
from werkzeug.exceptions import HTTPException

from web.http.access import may
from web.http.services import release

ENTRIES = (
    ("/", "Dashboard"),
    ("/campaigns", "Campaigns"),
    ("/queue", "Queue"),
    ("/servers", "Servers"),
    ("/lists", "Lists"),
    ("/subscribers", "Subscribers"),
    ("/templates", "Templates"),
    ("/log", "Log"),
    ("/settings", "Settings"),
    ("/users", "Users & keys"),
)


@dataclass(frozen=True)
class Entry:
    path: str
    title: str
    current: bool


def install(app: Flask) -> None:
    app.jinja_env.globals.update(menu=menu, release=release)


def menu() -> list[Entry]:
    return [
        Entry(path, title, current=is_within(request.path, path))
        for path, title in ENTRIES
        if may(decision_of(path))
    ]


def is_within(path: str, entry: str) -> bool:
    return path == entry or (entry != "/" and path.startswith(f"{entry}/"))


def decision_of(path: str) -> str:
    """What the page at `path` needs; what nobody has where there is no such page."""
    try:
        endpoint, _ = current_app.url_map.bind("localhost").match(path)
    except HTTPException:
        return "nothing"
    return getattr(current_app.view_functions[endpoint], "needs", "nothing")
