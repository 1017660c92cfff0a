"""The sign-in provider as it is configured."""

from __future__ import annotations

from pathlib import Path

from application.accounts.provider import Provider
from postledger.config import Config, ConfigError


def sign_in_provider(config: Config) -> Provider | None:
    """None where none is configured. Raises ConfigError for a secret that cannot be read."""
    if config.oidc_issuer is None or config.oidc_client_id is None:
        return None
    secret = config.oidc_client_secret
    if secret is None and config.oidc_client_secret_file is not None:
        secret = secret_in(config.oidc_client_secret_file)
    assert secret is not None, "the configuration was checked"
    return Provider(
        issuer=config.oidc_issuer,
        client_id=config.oidc_client_id,
        client_secret=secret,
        label=config.oidc_label,
    )


def secret_in(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"oidc_client_secret_file: {path} cannot be read ({type(error).__name__})"
        ) from None
    if not secret:
        raise ConfigError(f"oidc_client_secret_file: {path} is empty")
    return secret
