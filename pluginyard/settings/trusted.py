"""Which repositories may start a release by a webhook: the secret of each, and where each is cloned from.

Read from a secrets file, or from variables for a few repositories with one secret. No message, and no text of
a value here, holds a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator

from pluginyard.errors import ConfigurationError
from pluginyard.parsing import MAX_SETTINGS_BYTES, FrozenModel, UnreadableYamlError, check_model, load_document
from pluginyard.settings.addresses import Address

ANY_REPOSITORY = "*"
# What the workflow that is replaced was called, and what a new one most likely is.
WORKFLOWS = ("build-and-push-wasm-plugin-image.yaml", "publish-plugin.yaml", "publish-plugin.yml")
# GitHub's rules for owners and repositories, and Gitea's: a managed user's name has an underscore, others have dots.
FULL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_PATTERN = re.compile(rf"(?:{FULL_NAME.pattern})|[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}/\*|\*")
_SHORTEST_SECRET = 16


class TrustedRepository(FrozenModel):
    """What a site grants one repository."""

    secrets: tuple[SecretStr, ...] = Field(
        description="Secrets of its webhook; more than one while they are being changed", min_length=1
    )
    clone_url: Address = Field("", description="Where workers clone it from; {repository} stands for owner/name")
    workflows: tuple[str, ...] = Field(WORKFLOWS, description="File names of workflows whose manual runs publish")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """Accept a secret, or a list of them, in place of the mapping."""
        if isinstance(value, str | list):
            value = {"secrets": value}
        if isinstance(value, dict) and isinstance(value.get("secrets"), str):
            value = {**value, "secrets": [value["secrets"]]}
        return value

    @field_validator("secrets")
    @classmethod
    def _long_enough(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """Refuse what can be guessed: an empty key signs as well as any other."""
        if any(len(secret.get_secret_value()) < _SHORTEST_SECRET for secret in secrets):
            raise ValueError(f"a secret has at least {_SHORTEST_SECRET} characters: openssl rand -hex 32")
        return secrets

    def clone_url_of(self, full_name: str) -> str:
        """Return where the repository `full_name` (as GitHub spells it) is cloned from."""
        return self.clone_url.replace("{repository}", full_name)


TrustedRepositories = Mapping[str, TrustedRepository]
"""By lower-case `owner/name`; `owner/*` for an organisation's webhook, `*` for every repository that signs."""


def find_trusted(repositories: TrustedRepositories, full_name: str) -> TrustedRepository | None:
    """Return the entry for `full_name`: its own before its owner's before that for all; names ignore case."""
    name = full_name.lower()
    owner = name.partition("/")[0]
    return next((repositories[key] for key in (name, f"{owner}/*", ANY_REPOSITORY) if key in repositories), None)


def load_trusted(
    forge: str, address: str, environment: Mapping[str, str], read: Callable[[str], bytes]
) -> TrustedRepositories:
    """Load the trusted repositories of `forge`, which is at `address` unless `environment` names its own server.

    `read` returns the bytes of the secrets file. Raises ConfigurationError that names the variable or the repository,
    never a secret.
    """
    prefix = f"PLUGINYARD_{forge.upper()}_"
    address = environment.get(f"{prefix}URL", "").rstrip("/") or address
    if path := environment.get(f"{prefix}SECRETS_FILE", ""):
        entries, subject = _parse_file(read(path), path), path
    else:
        secrets, subject = environment.get(f"{prefix}SECRET", "").split(), f"{prefix}REPOSITORIES"
        entries = {name: secrets for item in environment.get(subject, "").split(",") if (name := item.strip())}
        if not secrets or not entries:
            raise ConfigurationError(
                "no repository is trusted",
                subject=f"{prefix}SECRETS_FILE",
                remedy=f"name a file of `owner/name: secret` lines, or set {prefix}SECRET and {subject}",
            )
    return {name.lower(): _entry(name, value, address, subject) for name, value in entries.items()}


def _parse_file(content: bytes, path: str) -> dict[str, Any]:
    try:
        document, duplicates = load_document(content, MAX_SETTINGS_BYTES)
    except UnreadableYamlError as error:
        place = re.match(r"line \d+", str(error))  # PyYAML's own words may quote the line, and so a secret
        where = f" ({place[0]})" if place else ""
        raise ConfigurationError(f"not valid YAML{where}", subject=path, remedy="fix the file") from None
    if not isinstance(document, dict) or not document or not all(isinstance(key, str) for key in document):
        raise ConfigurationError(
            "not a mapping of repositories", subject=path, remedy="write `owner/name: secret` lines"
        )
    names = [name.lower() for name in document]
    if duplicates or len(set(names)) < len(names):
        raise ConfigurationError("a key is there twice", subject=path, remedy="name each repository once")
    return document


def _entry(name: str, value: Any, address: str, subject: str) -> TrustedRepository:
    if not _PATTERN.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is not a repository", subject=subject, remedy="write owner/name, owner/* or *"
        )
    entry = check_model(TrustedRepository, value, subject=f"{subject}, {name}")
    return entry if entry.clone_url else entry.model_copy(update={"clone_url": f"{address}/{{repository}}.git"})
