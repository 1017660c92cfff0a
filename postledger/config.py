"""Configuration: flags over the environment over a TOML file over defaults."""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from domain.addresses.host_name import AddressError
from domain.addresses.public_url import PublicUrl

DEFAULT_FILE = "postledger.toml"
HIDDEN = "(hidden)"
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
_SECRET_PARTS = ("password", "sslpassword")


class ConfigError(Exception):
    """A setting that cannot be used. The message names the setting and where it came from, no secret."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`database_url`, which the service logs in with, None means PostgreSQL of one's own under the data
    folder. `owner_database_url` is what the database is migrated with, if not with the same. `key` is one
    Fernet key or several, comma-separated, newest first. `sources` says for each setting where its value
    came from."""

    database_url: str | None = field(repr=False)
    owner_database_url: str | None = field(repr=False)
    data_folder: Path
    bind: str
    port: int
    public_url: str
    trusted_proxies: int
    key: str | None = field(repr=False)
    key_file: Path | None
    log_level: str
    log_format: str
    oidc_issuer: str | None
    oidc_client_id: str | None
    oidc_client_secret: str | None = field(repr=False)
    oidc_client_secret_file: Path | None
    oidc_label: str
    sources: Mapping[str, str] = field(repr=False)

    def shown(self) -> dict[str, Any]:
        """Every setting as it may be shown: no key, and no password inside the database's URL."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _PARSERS}
        values["key"] = HIDDEN if self.key else None
        values["oidc_client_secret"] = HIDDEN if self.oidc_client_secret else None
        for name in ("database_url", "owner_database_url"):
            values[name] = without_password(values[name]) if values[name] else None
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def load(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Config:
    """`flags` that are None count as not given; `folder` is where ./postledger.toml is looked for. Raises
    ConfigError."""
    path = _file(flags, environ, folder)
    layers = [
        (dict(flags), "flag", folder),
        (_from_environment(environ), "environment", folder),
        (_from_file(path) if path else {}, str(path), path.parent if path else folder),
        (_DEFAULTS, "default", folder),
    ]
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, parse in _PARSERS.items():
        layer, source, base = next(
            layer for layer in layers if layer[0].get(name) is not None or layer[1] == "default"
        )
        value = layer[name]
        sources[name] = source if value is not None else "not set"
        values[name] = None if value is None else _parsed(name, value, source, parse, base)
    if values["public_url"] is None:
        values["public_url"] = _local_url(values["bind"], values["port"])
        sources["public_url"] = "bind and port"
    _check_provider(values)
    if values["owner_database_url"] and not values["database_url"]:
        raise ConfigError("owner_database_url needs database_url as well, which the service logs in with")
    return Config(**values, sources=sources)


def _check_provider(values: Mapping[str, Any]) -> None:
    """All that signing in through a provider takes, or nothing of it."""
    has_secret = values["oidc_client_secret"] or values["oidc_client_secret_file"]
    needed = {
        "oidc_issuer": values["oidc_issuer"],
        "oidc_client_id": values["oidc_client_id"],
        "oidc_client_secret or oidc_client_secret_file": has_secret,
    }
    missing = [name for name, value in needed.items() if not value]
    if 0 < len(missing) < len(needed):
        raise ConfigError(f"signing in through a provider needs {' and '.join(missing)} as well")


def without_password(url: str) -> str:
    """A connection string of libpq as key=value pairs with its passwords hidden."""
    try:
        parts = parse_dsn(url)
    except psycopg2.ProgrammingError:
        return "(not a connection string)"
    return make_dsn(**{key: HIDDEN if key in _SECRET_PARTS else value for key, value in parts.items()})


def holds_password(url: str) -> bool:
    try:
        return any(key in parse_dsn(url) for key in _SECRET_PARTS)
    except psycopg2.ProgrammingError:
        return False


def _file(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Path | None:
    named = flags.get("config") or environ.get("POSTLEDGER_CONFIG")
    if named:
        return folder / named
    path = folder / DEFAULT_FILE
    return path if path.is_file() else None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """An empty variable counts as not set."""
    values: dict[str, Any] = {name: environ.get(f"POSTLEDGER_{name.upper()}") or None for name in _PARSERS}
    values["database_url"] = values["database_url"] or environ.get("DATABASE_URL") or None
    return values


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    for name in values:
        if name not in _PARSERS:
            near = difflib.get_close_matches(name, _PARSERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_PARSERS)}"
            raise ConfigError(f"{path}: there is no setting {name!r}; {hint}")
    return values


def _parsed(name: str, value: Any, source: str, parse: Callable[[Any, Path], Any], base: Path) -> Any:
    try:
        return parse(value, base)
    except ValueError as error:
        raise ConfigError(f"{name} ({source}): {error}") from None


def _database_url(value: Any, _base: Path) -> str:
    text = _text(value, _base)
    try:
        parse_dsn(text)
    except psycopg2.ProgrammingError:
        raise ValueError("not a connection string such as postgresql://user@host/database") from None
    return text


def _text(value: Any, _base: Path) -> str:
    if not isinstance(value, str) or not value.strip() or "\x00" in value:
        raise ValueError("must be a text that is not empty")
    return value.strip()


def _path(value: Any, base: Path) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\x00" in str(value):
        raise ValueError("must be a path")
    return base / Path(value).expanduser()


def _port(value: Any, _base: Path) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ValueError("must be a number from 0 (any free port) to 65535")
    return int(text)


def _bind(value: Any, base: Path) -> str:
    """Whether others may reach it is decided at the start, by whether there are accounts."""
    text = _text(value, base)
    try:
        return text if text == "localhost" else str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address or localhost") from None


def _proxies(value: Any, _base: Path) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text) <= 5):
        raise ValueError("must be a number from 0 to 5: how many proxies in front are yours")
    return int(text)


def _public_url(value: Any, base: Path) -> str:
    text = _text(value, base)
    if "@" in text:
        raise ValueError("must not hold a user name")
    try:
        return str(PublicUrl.parse(text))
    except AddressError as error:
        raise ValueError(f"is where people reach the pages: {error}") from None


def _issuer(value: Any, base: Path) -> str:
    """As the provider writes it, to the letter: a slash at the end counts."""
    text = _text(value, base)
    parts = urlsplit(text)
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and is_local)) or not parts.hostname:
        raise ValueError("must be the https address of an OpenID Connect provider")
    if parts.username or parts.password or parts.query or parts.fragment or not text.isprintable():
        raise ValueError("must hold neither a user name nor a query")
    return text


def _label(value: Any, base: Path) -> str:
    text = _text(value, base)
    if len(text) > 60 or not text.isprintable():
        raise ValueError("must be up to 60 characters on one line")
    return text


def _one_of(choices: tuple[str, ...]) -> Callable[[Any, Path], str]:
    def parse(value: Any, _base: Path) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value.lower()

    return parse


def _local_url(bind: str, port: int) -> str:
    return f"http://[{bind}]:{port}" if ":" in bind else f"http://{bind}:{port}"


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "database_url": _database_url,
    "owner_database_url": _database_url,
    "data_folder": _path,
    "bind": _bind,
    "port": _port,
    "public_url": _public_url,
    "trusted_proxies": _proxies,
    "key": _text,
    "key_file": _path,
    "log_level": _one_of(LOG_LEVELS),
    "log_format": _one_of(LOG_FORMATS),
    "oidc_issuer": _issuer,
    "oidc_client_id": _text,
    "oidc_client_secret": _text,
    "oidc_client_secret_file": _path,
    "oidc_label": _label,
}
_DEFAULTS: dict[str, Any] = {
    "database_url": None,
    "owner_database_url": None,
    "data_folder": "var",
    "bind": "127.0.0.1",
    "port": 8025,
    "public_url": None,
    "trusted_proxies": 0,
    "key": None,
    "key_file": None,
    "log_level": "info",
    "log_format": "text",
    "oidc_issuer": None,
    "oidc_client_id": None,
    "oidc_client_secret": None,
    "oidc_client_secret_file": None,
    "oidc_label": "Sign in with your organisation",
}
