"""A kept SMTP password goes to whom it was given for: nobody who may change servers learns it by changing
where it is sent."""

from __future__ import annotations

import struct
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from cryptography.fernet import Fernet
from flask.testing import FlaskClient

from application.servers import Servers
from domain.errors import Refused
from postledger.sink.sink import Sink
from storage.secrets import OTHER_DESTINATION, Secrets, SecretsError, new_key, unbound
from tests.cli.command_line import Cli
from tests.web.accounts.browsers import token_in
from tests.web.world import SECRETS, World

PASSWORD = "kept and never told"
SERVER = {
    "name": "alpha", "host": "smtp.example.com", "port": 587, "username": "news", "auth_protocol": "plain",
    "tls_type": "STARTTLS", "from_email": "news@example.com", "password": PASSWORD,
}  # fmt: skip
ELSEWHERE: list[dict[str, Any]] = [
    {"host": "evil.example.net"},
    {"port": 2525},
    {"username": "other"},
    {"tls_type": "none"},
    {"auth_protocol": "login"},
    {"tls_type": "TLS"},
    {"tls_skip_verify": True},
]


@pytest.fixture
def number(client: FlaskClient) -> int:
    answer = client.post("/api/servers", json=SERVER)
    assert answer.status_code == 201
    return int(answer.json["data"]["id"])


def kept(world: World, number: int) -> str | None:
    destination = world.application.server(number).settings.destination
    with world.pool.transaction() as cursor:
        return SECRETS.password_of(cursor, number, destination)


@pytest.mark.parametrize("change", ELSEWHERE)
def test_a_change_of_where_it_goes_needs_the_password(
    client: FlaskClient, world: World, number: int, change: dict[str, Any]
) -> None:
    path = f"/api/servers/{number}"
    refused = client.put(path, json=change)
    assert refused.status_code == 400
    assert refused.json["errors"] == [{"pointer": "/password", "detail": OTHER_DESTINATION}]
    assert client.put(path, json={**change, "password": "the new one"}).status_code == 200
    assert kept(world, number) == "the new one"
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT topic FROM events ORDER BY position DESC LIMIT 2")
        assert cursor.fetchall() == [("server.password_changed",), ("server.changed",)], "on record"


def test_all_else_is_changed_without_it(client: FlaskClient, world: World, number: int) -> None:
    others = {
        "daily_limit": 5,
        "from_email": "letters@example.com",
        "max_conns": 3,
        "host": "SMTP.example.com",
    }
    assert client.put(f"/api/servers/{number}", json=others).status_code == 200
    assert kept(world, number) == PASSWORD


def test_whoever_removes_it_may_go_elsewhere(client: FlaskClient, world: World, number: int) -> None:
    change = {"host": "other.example.net", "password": ""}
    assert client.put(f"/api/servers/{number}", json=change).status_code == 200
    assert kept(world, number) is None


def test_going_back_needs_it_too(client: FlaskClient, world: World, number: int) -> None:
    path = f"/api/servers/{number}"
    client.put(path, json={"host": "other.example.net", "password": "the new one"})
    assert client.put(path, json={"host": "smtp.example.com"}).status_code == 400


def as_form(sink: Sink) -> dict[str, str]:
    form = {**SERVER, "host": "127.0.0.1", "port": str(sink.port), "tls_type": "none", "password": ""}
    more = {"max_conns": "1", "idle_timeout": "15s", "wait_timeout": "5s", "daily_limit": "0"}
    return {**form, **more, "sliding_window_rate": "0", "sliding_window_duration": "1h"}


def test_trying_another_host_takes_it_nowhere(client: FlaskClient, number: int) -> None:
    """By the page's form, by listmonk's API, and by a program of ours."""
    with Sink() as sink:
        token = token_in(client.get(f"/servers/{number}/edit").text)
        page = client.post(
            f"/servers/{number}/test",
            data={**as_form(sink), "csrf": token},
            headers={"Accept": "text/html"},
        )
        uuid = client.get(f"/api/servers/{number}").json["data"]["uuid"]
        api = client.post(
            "/api/settings/smtp/test",
            json={
                "uuid": uuid, "host": "127.0.0.1", "port": sink.port, "username": "news",
                "auth_protocol": "plain", "tls_type": "none", "email": "a@example.org",
            },
        )  # fmt: skip
    assert (page.status_code, api.status_code) == (400, 400)
    assert "give it anew" in page.text
    assert "give it anew" in api.json["message"]
    assert sink.connections == 0


def keep_as_before(world: World, number: int) -> None:
    """In the way of the first release: bound to nothing."""
    token = Fernet(SECRETS.keys[0]).encrypt(struct.pack(">I", number) + PASSWORD.encode())
    with world.pool.transaction() as cursor:
        cursor.execute(
            "UPDATE server_secrets SET token = %s, bound = false WHERE server = %s", (token, number)
        )


def test_what_an_earlier_release_kept_is_for_where_its_server_was_at_the_upgrade(
    world: World, number: int
) -> None:
    """Also when the log says something else afterwards, and the database is brought up to date again."""
    keep_as_before(world, number)
    Servers(world.installation).bind_kept_passwords()
    world.application.change_server(number, {"host": "evil.example.net"}, by="test")
    Servers(world.installation).bind_kept_passwords()
    with pytest.raises(SecretsError, match="give it anew"):
        kept(world, number)


def test_what_an_earlier_release_kept_opens_for_nothing_until_it_is_bound(world: World, number: int) -> None:
    keep_as_before(world, number)
    with pytest.raises(SecretsError, match="postledger migrate"):
        kept(world, number)
    with pytest.raises(Refused, match="postledger migrate"):
        Servers(world.installation).probe_as_kept(number)


def test_the_upgrade_says_which_passwords_no_key_opens(world: World, number: int) -> None:
    keep_as_before(world, number)
    elsewhere = replace(world.installation, secrets=Secrets([new_key()]))
    assert Servers(elsewhere).bind_kept_passwords() == [number]
    assert Servers(world.installation).bind_kept_passwords() == [], "with the right key it is not too late"
    assert kept(world, number) == PASSWORD


def test_the_command_binds_what_an_earlier_release_kept(cli: Cli, database_url: str) -> None:
    cli.add_server("alpha", "--username", "news", "--password-file", cli.file("password", PASSWORD))
    with closing(psycopg2.connect(database_url)) as owner, owner.cursor() as cursor:
        owner.autocommit = True
        cursor.execute("UPDATE server_secrets SET bound = false")
        cli("migrate")
        assert unbound(cursor) == []


def test_what_an_earlier_release_kept_goes_nowhere_else_either(
    client: FlaskClient, world: World, number: int
) -> None:
    keep_as_before(world, number)
    servers = Servers(world.installation)
    assert servers.bind_kept_passwords() == []
    assert kept(world, number) == PASSWORD
    settings = world.application.server(number).settings.as_dict()
    with Sink() as sink, pytest.raises(Refused, match="give it anew"):
        servers.probe({**settings, "host": "127.0.0.1", "port": sink.port, "tls_type": "none"}, None, number)
    with pytest.raises(Refused, match="give it anew"):
        servers.change(number, {"host": "evil.example.net"}, None, by="test")
    servers.change(number, {"host": "other.example.net"}, "the new one", by="test")
    with world.pool.transaction() as cursor, pytest.raises(SecretsError):
        SECRETS.password_of(cursor, number, "news at evil.example.net:587 by STARTTLS")


def test_a_change_that_slips_past_the_rule_takes_it_nowhere(world: World, number: int) -> None:
    """Two changes at once, or an event that somebody wrote into the log."""
    world.application.change_server(number, {"host": "evil.example.net"}, by="test")
    with pytest.raises(SecretsError, match="give it anew"):
        kept(world, number)
