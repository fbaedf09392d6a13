"""Find keys, passwords and credentials in the folder. Remarks give their location, never their value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mldeploy.core.parsing import parse_json
from mldeploy.project.detect.findings import Remark, Severity, Source
from mldeploy.project.detect.starts.dockerfile import Dockerfile
from mldeploy.project.detect.tree import Tree, TreeFile

SCANNED_BYTES: Final = 32 << 20
"""Text that is searched, in all; the smallest files first, so that large ones are left out."""

_SCANNED_FILE: Final = 1 << 18

_NAMES: Final = re.compile(
    r"id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|_netrc|\.pypirc|\.git-credentials|\.htpasswd|\.pgpass|\.my\.cnf|\.dockercfg"
    r"|\.dockerconfigjson|kubeconfig|kaggle\.json|(?:.*[-_.])?credentials?(?:\.(?:json|ya?ml|ini|csv|txt|toml))?"
    r"|client_secrets?.*\.json|service[-_]?account.*\.json|.*\.(?:p12|pfx|jks|keystore|kdbx|ppk|ovpn)|.*\.tfstate(?:\.backup)?"
    r"|terraform\.tfvars|secrets?\.(?:json|ya?ml|toml|ini|txt|py)|.*accessKeys\.csv",
    re.IGNORECASE,
)
_ENV_FILE: Final = re.compile(r"\.env(?:\..+)?|.+\.env|\.envrc", re.IGNORECASE)
_ENV_EXAMPLE: Final = re.compile(r".*(?:example|sample|template|dist|defaults?)", re.IGNORECASE)
_KEY_FILE: Final = frozenset({".pem", ".key", ".asc"})
_PRIVATE: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")

_TEXT: Final = frozenset({
    ".py", ".ipynb", ".json", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".conf", ".txt", ".sh", ".env", ".md",
    ".html", ".js", ".ts", ".xml", ".properties", ".tf", ".r", "",
})  # fmt: skip

_PATTERNS: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    ("a private key", _PRIVATE),
    ("an AWS access key", re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")),
    ("an AWS secret key", re.compile(rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+]{40}\b")),
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})")),
    ("a Google API key", re.compile(rb"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("an OpenAI or Anthropic key", re.compile(rb"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}")),
    ("a Hugging Face token", re.compile(rb"\bhf_[A-Za-z0-9]{30,}")),
    ("a Slack token", re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a Stripe key", re.compile(rb"\b[rs]k_live_[A-Za-z0-9]{20,}")),
    ("an Azure storage key", re.compile(rb"AccountKey=[A-Za-z0-9/+]{40,}={0,2}")),
    ("a PyPI token", re.compile(rb"\bpypi-[A-Za-z0-9_-]{50,}")),
    ("a password in a database address", re.compile(
        rb"\b(?:postgres(?:ql)?|mysql|mongodb|redis|amqp)(?:\+\w+)?://[^\s:/@\"'{}$<>]+:[^\s/@\"'{}$<>]{3,}@(?!localhost|127\.)")),
)  # fmt: skip
_ANY: Final = re.compile(
    rb"PRIVATE KEY|AKIA|ASIA|secret|gh[pousr]_|github_pat_|AIza|sk-|hf_|xox|k_live_|AccountKey=|pypi-|://[^\s/@]*:[^\s/@]*@",
    re.IGNORECASE,
)
"""What at least one pattern needs: most files are done with after one search."""

_SECRET_NAME: Final = re.compile(r"(?:.*_)?(?:PASSWORD|PASSWD|SECRET|SECRET_KEY|TOKEN|API_KEY|ACCESS_KEY|PRIVATE_KEY)")


@dataclass(frozen=True)
class SecretSuspect:
    """A file that is a secret, or (then its source has a line) that holds one. what: a predicate about the file.

    certain: based on more than the name of a module.
    """

    source: Source
    what: str
    certain: bool = True


def find_secrets(tree: Tree, dockerfile: Dockerfile | None, ships: Callable[[str], bool]) -> Iterator[Remark]:
    """A remark for each file that is a secret and each line that holds one. ships: what gets into the image."""
    for each in list_suspects(tree):
        yield _remark(each.source, each.what, ships(each.source.path))
    for name, (value, source) in (dockerfile.environment if dockerfile else {}).items():
        if names_secret(name) and value and not value.startswith("$"):
            what = f"sets {name}, which everybody with access to the image can read"
            todo = "Set it at runtime: `[app] env_file` in mldeploy.toml."
            yield Remark("secret-in-file", Severity.WARNING, source, what, todo)


def list_suspects(tree: Tree) -> Iterator[SecretSuspect]:
    """The files that are secrets as a whole, then those that hold one."""
    for file in tree.files:
        if kind := _kind_of_file(tree, file):
            yield SecretSuspect(Source(file.path), f"is {kind}", certain=file.suffix != ".py")
    for file in _searchable_files(tree):
        for kind, line in find_kinds(tree.data(file, _SCANNED_FILE)):
            yield SecretSuspect(Source(file.path, line), f"holds {kind}")


def find_kinds(data: bytes) -> Iterator[tuple[str, int]]:
    """What secrets a text holds ("a GitHub token"), and the line of the first of each kind."""
    if not _ANY.search(data):
        return
    for kind, pattern in _PATTERNS:
        if match := pattern.search(data):
            yield kind, data.count(b"\n", 0, match.start()) + 1


def names_secret(variable: str) -> bool:
    """Whether a variable of this name usually holds a secret."""
    return _SECRET_NAME.fullmatch(variable.upper()) is not None


def is_env_file(name: str) -> bool:
    """`.env`, `.env.production`, `prod.env`; not `.env.example`."""
    return _ENV_FILE.fullmatch(name) is not None and _ENV_EXAMPLE.fullmatch(name) is None


def _kind_of_file(tree: Tree, file: TreeFile) -> str:
    if is_env_file(file.name):
        return "a file of environment variables (often passwords and keys)"
    if file.suffix in _KEY_FILE:
        return "a private key" if _PRIVATE.search(tree.data(file, 4096)) else ""
    folder = file.folder.rpartition("/")[2]
    if (folder, file.name) in {(".aws", "config"), (".docker", "config.json"), (".kube", "config")}:
        return "a file of credentials"
    if _NAMES.fullmatch(file.name):
        return "" if file.suffix == ".py" and not tree.data(file, 1) else "by its name a file of credentials"
    if file.suffix == ".json" and file.size < _SCANNED_FILE and _is_service_account(tree.data(file, _SCANNED_FILE)):
        return "a Google service account's key"
    return ""


def _is_service_account(data: bytes) -> bool:
    if b'"private_key"' not in data:
        return False
    try:
        document = parse_json(data)
    except ValueError:
        return False
    return isinstance(document, dict) and "private_key" in document


def _searchable_files(tree: Tree) -> Iterator[TreeFile]:
    left = SCANNED_BYTES
    for file in sorted(tree.files, key=lambda file: file.size):
        left -= file.size
        if file.size > _SCANNED_FILE or left < 0:
            return
        if file.size and file.suffix in _TEXT and not _kind_by_name(file):
            yield file


def _kind_by_name(file: TreeFile) -> bool:
    """Whether the file as a whole has been named already."""
    return is_env_file(file.name) or _NAMES.fullmatch(file.name) is not None


def _remark(source: Source, what: str, ships: bool) -> Remark:
    is_code = source.line > 0
    where = " and is copied into the image" if ships else " and is not copied into the image"
    if is_code:
        todo = "Read it from an environment variable, and revoke it: it may have been copied from the file."
    elif ships:
        todo = "Exclude it with .dockerignore (`mldeploy init` writes one); set its values with `[app] env_file`."
    else:
        todo = ""
    severity = Severity.WARNING if ships or is_code else Severity.NOTE
    return Remark("secret-in-file" if is_code else "secret-file", severity, source, what + where, todo)
