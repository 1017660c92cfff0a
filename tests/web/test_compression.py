"""What goes out compressed, and to whom."""

from __future__ import annotations

import gzip

from flask.testing import FlaskClient

from tests.web.world import World

ASSET = "/static/base.css"


def test_an_asset_is_compressed_for_who_can_read_it_and_not_for_others(client: FlaskClient) -> None:
    plain = client.get(ASSET)
    packed = client.get(ASSET, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


def test_a_compressed_asset_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get(ASSET, headers={"Accept-Encoding": "gzip"})
    tag = first.headers["ETag"]
    assert tag.startswith("W/")
    again = client.get(ASSET, headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_who_refuses_gzip_gets_none(client: FlaskClient) -> None:
    for refusal in ("gzip;q=0", "br", "identity"):
        assert "Content-Encoding" not in client.get(ASSET, headers={"Accept-Encoding": refusal}).headers


def test_the_dashboard_is_compressed_and_pages_that_repeat_what_a_link_brings_are_not(
    client: FlaskClient, world: World
) -> None:
    wanted = {"Accept-Encoding": "gzip", "Accept": "text/html"}
    dashboard = client.get("/", headers=wanted)
    assert "</html>" in gzip.decompress(dashboard.data).decode()
    assert dashboard.headers["Cache-Control"] == "no-store"
    for path in ("/queue?subscriber=ada", "/campaigns?search=ada", "/log"):
        page = client.get(path, headers=wanted)
        assert page.status_code == 200
        assert "Content-Encoding" not in page.headers


def test_the_head_of_an_asset_tells_the_length_that_would_come(client: FlaskClient) -> None:
    asked = {"Accept-Encoding": "gzip"}
    head, whole = client.head(ASSET, headers=asked), client.get(ASSET, headers=asked)
    assert head.data == b""
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
