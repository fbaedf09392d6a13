"""What a project's configuration may read of this machine: files outside of the project, and environment variables.

The rules and their reasons are in docs/security.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.config.errors import ConfigError
from mldeploy.config.text import printable
from mldeploy.config.trusted import clone_root, is_trusted_clone

READABLE_VARIABLES = "MLDEPLOY_READABLE_VARIABLES"
"""The user's list of variables that a project may read: `NAME`, or `NAME@host` for one package index alone."""

_TRUST = "If you trust the repository, repeat the command with --trust; it is remembered for this URL."

_OWNER_WORDS = """
AWS AMAZON AZURE ARM MSI ENTRA GOOGLE GCP GCLOUD CLOUDSDK FIREBASE GEMINI GITHUB GH GITLAB BITBUCKET CIRCLE CIRCLECI
ACTIONS JENKINS BUILDKITE TRAVIS DOCKER DOCKERHUB PODMAN REGISTRY KUBE KUBECONFIG KUBERNETES HELM RANCHER VAULT
CONSUL NOMAD TERRAFORM TF PULUMI ANSIBLE DIGITALOCEAN HCLOUD LINODE CLOUDFLARE HEROKU FLY VERCEL NETLIFY RAILWAY
ALIBABA ALICLOUD TENCENTCLOUD OCI IBMCLOUD SCW OVH VULTR OPENSTACK HF HUGGINGFACE HUGGING OPENAI ANTHROPIC CLAUDE
COHERE MISTRAL GROQ REPLICATE TOGETHER WANDB MLFLOW COMET NEPTUNE KAGGLE DATABRICKS SNOWFLAKE NPM YARN CARGO
RUBYGEMS NUGET MAVEN TWINE SSH GPG GIT PGP SLACK DISCORD TELEGRAM STRIPE PAYPAL TWILIO SENDGRID MAILGUN SENTRY
DATADOG OKTA AUTH0 LDAP PG PGPASSWORD POSTGRES POSTGRESQL MYSQL MARIADB MONGO MONGODB REDIS RABBITMQ KAFKA DATABASE
DB DJANGO FLASK JWT SESSION ENCRYPTION SIGNING KEYCHAIN KEYRING SUDO ROOT BW OP SNYK SONAR CODECOV JIRA ATLASSIAN
LINEAR NOTION ATLAS MLDEPLOY PUBLISH
"""
_OWNERS = frozenset(_OWNER_WORDS.split())
"""Words in the names of variables that hold credentials of a cloud, a tool or a service."""
_FIRST_WORDS = frozenset({"CI", "DO", "OS", "CF", "DD", "TG", "NODE", "POETRY", "FLIT", "HATCH", "IDENTITY"})
"""The same, where the name begins with it."""
_WHOLE_NAMES = frozenset(
    {"SECRET_KEY", "PRIVATE_KEY", "MASTER_KEY", "API_KEY", "ACCESS_KEY", "SECRET_ACCESS_KEY", "SECRET"}
)


@dataclass(frozen=True)
class HostAccess:
    """What one project may read. root: of its clone, if it came by URL and is not trusted; None otherwise.

    readable: the user's own list, as READABLE_VARIABLES holds it.
    """

    root: Path | None = None
    readable: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, folder: Path, environment: Mapping[str, str] = os.environ) -> HostAccess:
        """For the project in a folder (absolute, links resolved). Raises StateError, ConfigError."""
        root = clone_root(folder)
        names = environment.get(READABLE_VARIABLES, "").replace(",", " ").split()
        return cls(None if root is None or is_trusted_clone(root) else root, frozenset(names))

    @property
    def is_restricted(self) -> bool:
        """The project came by URL, and nobody has trusted it."""
        return self.root is not None

    def contains(self, path: Path) -> bool:
        """Whether a file is the project's own. False for every file if the project is not restricted."""
        if self.root is None:
            return False
        try:
            real = path.resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return real.is_relative_to(self.root) and ".git" not in real.relative_to(self.root).parts

    def require_file(self, path: Path, where: str) -> None:
        """Raise ConfigError if the project may not name this file."""
        if self.is_restricted and not self.contains(path):
            what = f"{printable(str(path))} is outside of the repository, and the project came by URL"
            raise ConfigError(where, what, f"{_TRUST} Or name the file yourself, with a flag or an MLDEPLOY_ variable.")

    def require_variable(self, name: str, where: str, host: str = "") -> None:
        """Raise ConfigError if the project may not read this variable. host: where its value would be sent."""
        if self.is_restricted:
            raise ConfigError(where, f"would read the variable {name}, and the project came by URL", _TRUST)
        entries = {name, f"{name}@{host}"} if host else {name}
        if not is_credential(name) or entries & self.readable:
            return
        to = f", and send it to {host}" if host else ""
        entry = f"{name}@{host}" if host else name
        todo = f"If that is what you want, set {READABLE_VARIABLES}={entry} where you build (several: with commas)"
        own = "; or write the URL into your own config.toml, or into MLDEPLOY_BUILD_INDEX_URL." if host else "."
        raise ConfigError(
            where, f"would read {name}, which by its name is a credential of another tool{to}", todo + own
        )


UNRESTRICTED = HostAccess()
"""For a folder of the user's own."""


def is_credential(name: str) -> bool:
    """Whether a variable's name says that a cloud, a tool or a service, other than a package index, owns it."""
    words = re.split(r"[^A-Z0-9]+", name.upper())
    return (
        bool(_OWNERS & set(words))
        or words[0] in _FIRST_WORDS
        or name.upper() in _WHOLE_NAMES
        or "SECRET_ACCESS_KEY" in name.upper()
    )
