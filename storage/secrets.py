"""SMTP passwords, encrypted with keys that are not in the database.

A key is 32 random bytes in URL-safe base64 (a Fernet key). Several may be in force, newest first:
the first encrypts, all decrypt, so that a new key can be put in front before anything is rewritten.
"""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE_NAME = "postledger.key"
LONGEST_PASSWORD = 1024
ANYWHERE = ""
"""The destination of passwords that an earlier release kept, until they are bound to one: none opens them."""
UNBOUND = "an earlier release kept it: run `postledger migrate` where the key is, or give it anew"
OTHER_DESTINATION = "the kept one was given for another host, port, user name or TLS; give it anew"


class SecretsError(Exception):
    """A key or a secret that cannot be used. The message never holds either."""


def new_key() -> str:
    return Fernet.generate_key().decode()


def load_keys(key: str | None, key_file: Path | None, data_folder: Path) -> list[str]:
    """The keys in force, newest first: from `key` (comma-separated), else from `key_file`, else from
    the file in the data folder, which is made (mode 0600) when it is not there."""
    if key:
        return _split(key)
    if key_file is not None:
        return read_key_file(key_file)
    own_file = data_folder / KEY_FILE_NAME
    if not own_file.exists():
        data_folder.mkdir(parents=True, exist_ok=True)
        _create_key_file(own_file)
    return read_key_file(own_file)


def read_key_file(path: Path) -> list[str]:
    """Keys of a file, one a line or comma-separated, newest first; lines that start with # are comments."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretsError(f"the key file {path} cannot be read: {type(error).__name__}") from None
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return _split(",".join(lines))


def write_key_file(path: Path, keys: Sequence[str]) -> None:
    """Replaces the file in one step, readable by its owner only."""
    temporary = _private_file(path.parent, keys)
    temporary.replace(path)


def _create_key_file(path: Path) -> None:
    temporary = _private_file(path.parent, [new_key()])
    try:
        os.link(temporary, path)  # refuses to replace: of two processes that start at once, one key wins
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _private_file(folder: Path, keys: Sequence[str]) -> Path:
    handle, name = tempfile.mkstemp(prefix=".key-", dir=folder)  # mode 0600
    with os.fdopen(handle, "w") as file:
        file.write("# Keys of Postledger, newest first. Whoever has them can read the SMTP passwords.\n")
        file.writelines(f"{key}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _split(text: str) -> list[str]:
    return [key for part in text.split(",") if (key := part.strip())]


class Secrets:
    """Encrypts with the first of `keys`, decrypts with any. Raises SecretsError for a key that is none."""

    _find: Callable[[], Sequence[str]]

    def __init__(self, keys: Sequence[str]) -> None:
        self._find = lambda: keys
        self._check(keys)

    @classmethod
    def found_by(cls, find: Callable[[], Sequence[str]]) -> Secrets:
        """With keys that are looked for when the first is needed; SecretsError is raised then."""
        secrets = cls.__new__(cls)
        secrets._find = find
        return secrets

    def loaded(self) -> Secrets:
        """Looks for the keys now."""
        self._check(self.keys)
        return self

    @cached_property
    def keys(self) -> Sequence[str]:
        keys = self._find()
        self._check(keys)
        return keys

    @cached_property
    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self.keys])

    @staticmethod
    def _check(keys: Sequence[str]) -> None:
        if not keys:
            raise SecretsError("no key is configured")
        if not all(re.fullmatch("[A-Za-z0-9_-]{43}=", key) for key in keys):
            raise SecretsError("a key must be 32 random bytes in URL-safe base64 (44 characters)")

    def encrypt(self, server: int, passwords: Mapping[str, str]) -> bytes:
        """`passwords` by their destination. The token holds both and the server's number, so that it opens
        nothing for another destination, nor when it is copied to another server's row."""
        if any(len(password) > LONGEST_PASSWORD for password in passwords.values()):
            raise SecretsError(f"a password may have {LONGEST_PASSWORD} characters")
        return self._fernet.encrypt(json.dumps({"server": server, "passwords": passwords}).encode())

    def decrypt(self, server: int, token: bytes) -> dict[str, str]:
        """By destination; what was kept by an earlier release is for ANYWHERE."""
        try:
            plain = self._fernet.decrypt(token)
        except InvalidToken:
            raise SecretsError(f"none of the keys opens the password of server {server}") from None
        if plain.startswith(b"{"):
            kept = json.loads(plain)
        else:
            (number,) = struct.unpack(">I", plain[:4])
            kept = {"server": number, "passwords": {ANYWHERE: plain[4:].decode()}}
        if kept["server"] != server:
            raise SecretsError(f"the password kept for server {server} was stored for another server")
        return dict(kept["passwords"])

    def keep_passwords(self, cursor: Any, server: int, passwords: Mapping[str, str]) -> None:
        """Stores, replaces or (none) removes the passwords of a server, by their destination."""
        if not passwords:
            cursor.execute("DELETE FROM server_secrets WHERE server = %s", (server,))
            return
        cursor.execute(
            """
            INSERT INTO server_secrets (server, token, bound) VALUES (%s, %s, %s)
            ON CONFLICT (server) DO UPDATE
            SET token = excluded.token, bound = excluded.bound, updated_at = now()
            """,
            (server, self.encrypt(server, passwords), ANYWHERE not in passwords),
        )

    def passwords_of(self, cursor: Any, server: int) -> dict[str, str]:
        """Raises SecretsError when no key opens them."""
        cursor.execute("SELECT token FROM server_secrets WHERE server = %s", (server,))
        row = cursor.fetchone()
        return {} if row is None else self.decrypt(server, bytes(row[0]))

    def password_of(self, cursor: Any, server: int, destination: str) -> str | None:
        """None when the server has no password. Raises SecretsError when no key opens it, and when it was
        given for another destination."""
        kept = self.passwords_of(cursor, server)
        if not kept:
            return None
        if destination in kept:
            return kept[destination]
        raise SecretsError(UNBOUND if ANYWHERE in kept else OTHER_DESTINATION)

    def seal(self, owner: str, text: str) -> bytes:
        """The token holds its owner, so it opens nothing when copied to another's row."""
        return self._fernet.encrypt(f"{owner}\0{text}".encode())

    def unseal(self, owner: str, token: bytes) -> str:
        """Raises SecretsError."""
        try:
            sealed_for, _, text = self._fernet.decrypt(token).decode().partition("\0")
        except InvalidToken:
            raise SecretsError(f"none of the keys opens the secret of {owner}") from None
        if sealed_for != owner:
            raise SecretsError(f"the secret kept for {owner} was stored for another")
        return text

    def rotate(self, cursor: Any) -> int:
        """Encrypts every stored password, and users' second factors, anew with the first key; how many
        passwords. All or, on SecretsError, none."""
        self._rotate_second_factors(cursor)
        cursor.execute("SELECT server, token FROM server_secrets ORDER BY server FOR UPDATE")
        stored = cursor.fetchall()
        renewed = [
            (server, self.encrypt(server, self.decrypt(server, bytes(token)))) for server, token in stored
        ]
        for server, token in renewed:
            cursor.execute(
                "UPDATE server_secrets SET token = %s, updated_at = now() WHERE server = %s", (token, server)
            )
        return len(renewed)

    def _rotate_second_factors(self, cursor: Any) -> None:
        cursor.execute("SELECT number, second_factor FROM users WHERE second_factor IS NOT NULL FOR UPDATE")
        for number, token in cursor.fetchall():
            owner = second_factor_owner(number)
            sealed = self.seal(owner, self.unseal(owner, bytes(token)))
            cursor.execute("UPDATE users SET second_factor = %s WHERE number = %s", (sealed, number))

    def unreadable(self, cursor: Any) -> list[int]:
        """Servers whose stored password none of the keys opens."""
        cursor.execute("SELECT server, token FROM server_secrets ORDER BY server")
        return [server for server, token in cursor.fetchall() if not self._opens(server, bytes(token))]

    def _opens(self, server: int, token: bytes) -> bool:
        try:
            self.decrypt(server, token)
        except SecretsError:
            return False
        return True

    def token_key(self) -> bytes:
        """The newest of `token_keys`: what new links are signed with."""
        return self.token_keys()[0]

    def token_keys(self) -> list[bytes]:
        """32 bytes each, newest first: sign unsubscribe links with the first, accept any. Links in mails
        that are out keep working as long as the key of their day is still among the keys."""
        return [_derived(key, b"postledger unsubscribe link") for key in self.keys]

    def device_keys(self) -> list[bytes]:
        """32 bytes each, newest first: for the tokens of browsers that somebody has signed in from."""
        return [_derived(key, b"postledger device token") for key in self.keys]


def second_factor_owner(user: int) -> str:
    return f"user {user}"


def _derived(key: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(base64.urlsafe_b64decode(key))


def unbound(cursor: Any) -> list[int]:
    """The servers whose password an earlier release kept and nobody has bound yet."""
    cursor.execute("SELECT server FROM server_secrets WHERE NOT bound ORDER BY server")
    return [server for (server,) in cursor.fetchall()]


def with_password(cursor: Any) -> set[int]:
    """The servers that have one."""
    cursor.execute("SELECT server FROM server_secrets")
    return {server for (server,) in cursor.fetchall()}


def holds_password(cursor: Any, server: int) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM server_secrets WHERE server = %s)", (server,))
    return bool(cursor.fetchone()[0])
