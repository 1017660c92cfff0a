"""SMTP passwords: only the configured keys open them, and only for the server they were stored for."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from cryptography.fernet import Fernet

from storage.secrets import ANYWHERE, Secrets, SecretsError, load_keys, new_key, read_key_file, write_key_file

HERE = "news at smtp.example.com:587 by STARTTLS"


@pytest.fixture
def cursor(database_url: str) -> Iterator[Any]:
    connection = psycopg2.connect(database_url)
    with connection.cursor() as opened:
        yield opened
    connection.close()


def test_a_password_comes_back_for_its_own_server() -> None:
    secrets = Secrets([new_key()])
    token = secrets.encrypt(7, {HERE: "grün§geheim"})
    assert b"geheim" not in token
    assert secrets.decrypt(7, token) == {HERE: "grün§geheim"}


def test_a_password_of_one_server_is_refused_for_another() -> None:
    secrets = Secrets([new_key()])
    with pytest.raises(SecretsError, match="another server"):
        secrets.decrypt(8, secrets.encrypt(7, {HERE: "tea"}))


def test_a_new_key_in_front_still_opens_what_the_old_one_closed() -> None:
    old, new = new_key(), new_key()
    token = Secrets([old]).encrypt(1, {HERE: "tea"})
    assert Secrets([new, old]).decrypt(1, token) == {HERE: "tea"}
    with pytest.raises(SecretsError, match="none of the keys"):
        Secrets([new]).decrypt(1, token)


def test_rotation_makes_the_old_key_superfluous(cursor: Any) -> None:
    old, new = new_key(), new_key()
    for server in (1, 2):
        Secrets([old]).keep_passwords(cursor, server, {HERE: f"password {server}"})
    assert Secrets([new]).unreadable(cursor) == [1, 2]
    assert Secrets([new, old]).rotate(cursor) == 2
    assert Secrets([new]).unreadable(cursor) == []
    assert Secrets([new]).password_of(cursor, 2, HERE) == "password 2"


def test_rotation_with_a_password_that_nothing_opens_changes_nothing(cursor: Any) -> None:
    old, lost = new_key(), new_key()
    Secrets([old]).keep_passwords(cursor, 1, {HERE: "tea"})
    Secrets([lost]).keep_passwords(cursor, 2, {HERE: "tea"})
    with pytest.raises(SecretsError, match="server 2"):
        Secrets([new_key(), old]).rotate(cursor)
    assert Secrets([old]).password_of(cursor, 1, HERE) == "tea"


def test_a_server_without_password_has_none_and_keeping_none_removes_it(cursor: Any) -> None:
    secrets = Secrets([new_key()])
    assert secrets.password_of(cursor, 1, HERE) is None
    secrets.keep_passwords(cursor, 1, {HERE: "tea"})
    secrets.keep_passwords(cursor, 1, {})
    assert secrets.password_of(cursor, 1, HERE) is None


def test_a_password_goes_to_its_own_destination_alone(cursor: Any) -> None:
    secrets = Secrets([new_key()])
    secrets.keep_passwords(cursor, 1, {HERE: "tea"})
    assert secrets.password_of(cursor, 1, HERE) == "tea"
    with pytest.raises(SecretsError, match="another host, port, user name or TLS"):
        secrets.password_of(cursor, 1, "news at smtp.example.net:587 by STARTTLS")


def test_what_an_earlier_release_kept_is_still_opened_and_keeps_its_server(cursor: Any) -> None:
    key = new_key()
    token = Fernet(key).encrypt(struct.pack(">I", 7) + b"tea")
    cursor.execute("INSERT INTO server_secrets (server, token) VALUES (7, %s)", (token,))
    assert Secrets([key]).passwords_of(cursor, 7) == {ANYWHERE: "tea"}
    newest = new_key()
    assert Secrets([newest, key]).rotate(cursor) == 1
    with pytest.raises(SecretsError, match="an earlier release kept it"):
        Secrets([newest]).password_of(cursor, 7, HERE)
    with pytest.raises(SecretsError, match="another server"):
        Secrets([key]).decrypt(8, token)


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    keys = load_keys(None, None, folder)
    assert load_keys(None, None, folder) == keys
    assert len(keys) == 1
    assert stat.S_IMODE((folder / "postledger.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["postledger.key"]


def test_the_environment_comes_before_the_file_and_the_file_before_a_made_one(tmp_path: Path) -> None:
    first, second, third = new_key(), new_key(), new_key()
    file = tmp_path / "keys"
    file.write_text(f"# newest first\n{second}\n\n {third}\n")
    assert load_keys(f"{first}, {second}", file, tmp_path) == [first, second]
    assert load_keys(None, file, tmp_path) == [second, third]
    assert not (tmp_path / "postledger.key").exists()


def test_a_rewritten_key_file_keeps_its_order_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = [new_key(), new_key()]
    write_key_file(file, keys)
    assert read_key_file(file) == keys
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("bad", ["hunter2", "x" * 44, "q" * 43 + "=x", ""])
def test_a_key_that_is_none_is_refused_without_being_repeated(bad: str) -> None:
    with pytest.raises(SecretsError) as refused:
        Secrets([bad])
    assert not bad or bad not in str(refused.value)


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(SecretsError, match="no key"):
        Secrets([])


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretsError, match="nowhere"):
        read_key_file(tmp_path / "nowhere")


def test_neither_keys_nor_passwords_show_in_the_representation() -> None:
    key = new_key()
    assert key not in repr(Secrets([key]))


def test_unsubscribe_keys_follow_the_keys_and_differ_from_them() -> None:
    old, new = new_key(), new_key()
    newest, oldest = Secrets([new, old]).token_keys()
    assert [oldest] == Secrets([old]).token_keys()
    assert newest != oldest
    assert len(newest) == 32
