"""What templates are given: filters, and addresses of assets that change when the asset does."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, request, url_for

from web.pages.dashboard.chart import stacked

STATIC = Path(__file__).parents[1] / "static"
YEAR = 31_536_000


def install(app: Flask) -> None:
    versions = {
        str(path.relative_to(STATIC)): sha256(path.read_bytes()).hexdigest()[:12]
        for path in STATIC.rglob("*")
        if path.is_file()
    }

    @app.template_global()
    def asset(name: str) -> str:
        return url_for("static", filename=name, v=versions[name])

    app.add_template_global(stacked)

    @app.template_filter()
    def number(value: int) -> str:
        return f"{value:,}"

    @app.after_request
    def keep_assets(response: Response) -> Response:
        """An asset asked for by its version never changes."""
        if request.endpoint == "static" and response.status_code in (200, 304):
            versioned = request.args.get("v") == versions.get((request.view_args or {}).get("filename", ""))
            response.headers["Cache-Control"] = (
                f"public, max-age={YEAR}, immutable" if versioned else "no-cache"
            )
        return response
