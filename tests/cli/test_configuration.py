"""Where settings come from, and that secrets never show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from postledger.cli import main
from postledger.config import Config, ConfigError, load


def loaded(folder: Path, flags: Mapping[str, Any] = {}, environ: Mapping[str, str] = {}) -> Config:
    return load(flags, environ, folder)


def test_defaults_are_enough(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert (config.bind, config.port, config.database_url) == ("127.0.0.1", 8025, None)
    assert config.data_folder == tmp_path / "var"
    assert config.public_url == "http://127.0.0.1:8025"


def test_flags_come_before_the_environment_before_the_file_before_defaults(tmp_path: Path) -> None:
    (tmp_path / "postledger.toml").write_text('port = 1\nlog_level = "debug"\nlog_format = "json"\n')
    environ = {"POSTLEDGER_PORT": "2", "POSTLEDGER_LOG_LEVEL": "error"}
    config = loaded(tmp_path, {"port": 3, "log_level": None}, environ)
    assert (config.port, config.log_level, config.log_format, config.bind) == (
        3,
        "error",
        "json",
        "127.0.0.1",
    )
    assert [config.sources[name] for name in ("port", "log_level", "bind")] == [
        "flag",
        "environment",
        "default",
    ]
    assert config.sources["log_format"].endswith("postledger.toml")


def test_the_plain_database_url_counts_after_our_own(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://a/x"}
    assert loaded(tmp_path, environ=environ).database_url == "postgresql://a/x"
    environ["POSTLEDGER_DATABASE_URL"] = "postgresql://b/y"
    assert loaded(tmp_path, environ=environ).database_url == "postgresql://b/y"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert loaded(tmp_path, environ={"DATABASE_URL": "", "POSTLEDGER_PORT": ""}).port == 8025


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "mine.toml").write_text('data_folder = "data"\nkey_file = "/run/keys"\n')
    config = loaded(tmp_path, environ={"POSTLEDGER_CONFIG": "etc/mine.toml"})
    assert (config.data_folder, config.key_file) == (tmp_path / "etc" / "data", Path("/run/keys"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("databas_url = 'x'", "did you mean database_url"),
        ("colour = 'red'", "there are database_url"),
        ("port = ", "not TOML"),
        ("port = 'many'", "port .* number"),
        ("port = 70000", "port .* number"),
        ("port = true", "port .* number"),
        ("trusted_proxies = 9", "from 0 to 5"),
        ("bind = 'nowhere'", "IP address"),
        ("public_url = 'post.example.com'", "https://"),
        ("public_url = 'https://me:hunter2@x.org'", "user name"),
        ("log_level = 'loud'", "one of debug"),
        ("database_url = 'what is this'", "connection string"),
        ("data_folder = 7", "must be a path"),
        ("oidc_issuer = 'http://id.example.com'", "https address"),
        ("oidc_issuer = 'https://id.example.com'", "oidc_client_id and oidc_client_secret"),
        ("oidc_label = ''", "not empty"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_hint(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "postledger.toml").write_text(text)
    with pytest.raises(ConfigError, match=hint) as refused:
        loaded(tmp_path)
    assert "hunter2" not in str(refused.value)


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read"):
        loaded(tmp_path, {"config": "gone.toml"})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@db.example.com:5433/post?sslmode=require",
        "postgresql://me@db.example.com/post?password=hunter2",
        "host=db.example.com user=me password=hunter2 dbname=post",
    ],
)
def test_config_show_hides_secrets_and_says_where_values_come_from(url: str) -> None:
    key = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk="
    environment = {"DATABASE_URL": url, "POSTLEDGER_KEY": key}
    for arguments in (["config", "show"], ["--port", "1", "config", "show", "--json"][2:]):
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == 0
        assert "hunter2" not in result.output
        assert key not in result.output
        assert "db.example.com" in result.output
        assert "(hidden)" in result.output
        assert "environment" in result.output


def test_neither_key_nor_url_show_in_the_representation(tmp_path: Path) -> None:
    environ = {"POSTLEDGER_KEY": "topsecret", "DATABASE_URL": "postgresql://me:hunter2@h/d"}
    shown = repr(loaded(tmp_path, environ=environ))
    assert "topsecret" not in shown
    assert "hunter2" not in shown


def test_a_password_in_an_argument_is_refused() -> None:
    result = CliRunner().invoke(main, ["--database-url", "postgresql://me:hunter2@h/d", "lists"])
    assert result.exit_code == 2
    assert "POSTLEDGER_DATABASE_URL" in result.stderr
    assert "hunter2" not in result.output


def test_an_unusable_setting_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["lists"], env={"POSTLEDGER_PORT": "many"})
    assert result.exit_code == 2
    assert "port (environment)" in result.stderr


def test_an_unreachable_database_is_an_error_without_its_password() -> None:
    result = CliRunner().invoke(
        main, ["lists"], env={"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/d"}
    )
    assert result.exit_code == 1
    assert "refused" in result.stderr
    assert "hunter2" not in result.output
