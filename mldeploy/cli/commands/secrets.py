"""`mldeploy secrets`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age

if TYPE_CHECKING:
    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.config.secret import Secret
    from mldeploy.core.journal import Session
    from mldeploy.providers.secret_store import SecretStore, StoredSecret

READ_LIMIT = 1 << 20
"""Bytes of standard input. No target takes a secret of that size."""


class SecretsAction(StrEnum):
    """Actions on the secrets of an app."""

    SET = "set"
    LIST = "list"
    UNSET = "unset"


@dataclass(frozen=True)
class SecretDocument:
    """One secret. Its value is in no document."""

    name: Annotated[str, "variable that the app reads"]
    reference: Annotated[str, "the store's own name of it: a file, an ARN, a resource name, a URI"]
    updated: Annotated[str, "time of the last change; ISO 8601, UTC; empty if unknown"]


@dataclass(frozen=True)
class SecretsDocument(Document):
    """`secrets`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    action: Annotated[str, "`set`, `list` or `unset`"]
    name: Annotated[str | None, "name of the secret that was set or unset; null for `list`"]
    changed: Annotated[bool, "whether the store changed: false if it had this value, or no such secret, before"]
    secrets: Annotated[tuple[SecretDocument, ...], "secrets of the app on the target, sorted by name"]


def secrets(
    run: CommandRun,
    action: Annotated[
        SecretsAction,
        typer.Argument(metavar="ACTION", help="set, list or unset."),
    ],
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]", help="Environment variable that the app reads.", show_default=False),
    ] = None,
    target: options.Target = options.DEFAULT_TARGET,
) -> None:
    """Keep secrets in the target's own store, and list or remove them.

    `set` reads the value from standard input, or asks for it in a terminal without showing it. One line break at its
    end is not part of the value. The app gets every secret as an environment variable from its next deployment on.

    The store is a file of yours on this machine, a Secret in a Kubernetes cluster, AWS Secrets Manager for Fargate,
    Secret Manager for Cloud Run, or a key vault of the app on Azure. `destroy` removes the secrets of the app.

    Examples:
        mldeploy secrets set API_KEY < key.txt
        mldeploy secrets list
        mldeploy secrets unset API_KEY
    """
    from mldeploy.cli.deployment import as_having_secrets
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.cli.workspace import exit_if_interrupted
    from mldeploy.providers import registry

    chosen = _check_name(action, name or [])
    as_having_secrets(registry.find(target))
    value = _read_value(run, chosen) if action is SecretsAction.SET else None
    deployment = open_deployment(run, target, as_having_secrets)
    if action is SecretsAction.LIST:
        _show(run, target, _document(deployment, action, None, changed=False))
        return
    with deployment.locked(run) as work:
        changed = _unset(deployment, work, chosen) if value is None else _set(deployment, work, chosen, value)
    _show(run, target, _document(deployment, action, chosen, changed=changed))
    exit_if_interrupted(run, work.cancel)


def _show(run: CommandRun, target: str, document: SecretsDocument) -> None:
    run.output.result(document, lambda page: _print_secrets(document, page, run.commands(target)))


def _check_name(action: SecretsAction, names: list[str]) -> str:
    """Return the name that the action needs, "" for `list`. Raises UsageError, which never shows a value."""
    from mldeploy.providers.secret_store import is_reserved, is_secret_name

    where = f"mldeploy secrets {action}"
    if action is SecretsAction.LIST:
        if names:
            raise UsageError(where, "takes no name", "Leave it out.")
        return ""
    if len(names) != 1 or "=" in names[0]:
        what = "needs the name of one secret" + (", and no value" if names else "")
        raise UsageError(where, what, f"Run `{where} NAME`. The value of `set` is read from standard input.")
    (name,) = names
    if not is_secret_name(name):
        todo = "Use letters, digits and underscores, not beginning with a digit; at most 128 characters."
        raise UsageError(where, f"{name!r} is not a name of a variable", todo)
    if is_reserved(name):
        raise UsageError(where, f"{name} is set by mldeploy", "Choose another name.")
    return name


def _read_value(run: CommandRun, name: str) -> Secret:
    """Read the value from a hidden prompt in a terminal, else from standard input. Raises UsageError."""
    from mldeploy.config.secret import Secret

    where = f"mldeploy secrets set {name}"
    data = run.output.read_hidden(f"Value of {name}: ", READ_LIMIT + 1)
    if len(data) > READ_LIMIT:
        raise UsageError(where, f"the value is larger than {READ_LIMIT >> 20} MiB", "No target takes such a secret.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError(where, "the value is not UTF-8 text", "Encode it first, for example as Base64.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        todo = f"Pipe it in (`… | {where}`), or run the command in a terminal. To remove it: `mldeploy secrets unset`."
        raise UsageError(where, "the value is empty", todo)
    if "\0" in text:
        raise UsageError(where, "the value has a NUL, which no variable can have", "Encode it, for example as Base64.")
    return Secret(text)


def _set(deployment: AppDeployment, work: Session[object], name: str, value: Secret) -> bool:
    """Store the value; return whether it is a new one."""
    from mldeploy.cli.workspace import show_operation
    from mldeploy.core.events import Action
    from mldeploy.providers.secret_store import refuse_conflicts, require_size, store_secret

    store = deployment.secrets
    require_size(name, value, store.limit)
    refuse_conflicts(deployment.project.app, (name,), deployment.settings.withheld)
    before = _find(store, name)

    def action() -> Action:
        same = before is not None and before.version == after.version
        return Action.UNCHANGED if same else Action.UPDATED if before else Action.CREATED

    with show_operation(work, store.resources(name)[-1], "Store the secret", action) as monitor:
        after = store_secret(store, work, name, value, monitor)
    return action() is not Action.UNCHANGED


def _unset(deployment: AppDeployment, work: Session[object], name: str) -> bool:
    """Remove the secret; return whether there was one."""
    from mldeploy.cli.workspace import show_operation
    from mldeploy.core.events import Action
    from mldeploy.providers.secret_store import remove_secret

    store = deployment.secrets
    resource = store.resources(name)[-1]
    with show_operation(
        work, resource, "Remove the secret", lambda: Action.REMOVED if was_there else Action.ABSENT
    ) as monitor:
        was_there = remove_secret(store, work, name, monitor)
    return was_there


def _find(store: SecretStore, name: str) -> StoredSecret | None:
    return next((each for each in store.list() if each.name == name), None)


def _document(deployment: AppDeployment, action: SecretsAction, name: str | None, *, changed: bool) -> SecretsDocument:
    """Return the result. The access keys of the app, which are in the store, too, are those of `mldeploy keys`."""
    from mldeploy.providers.secret_store import given_to_app

    return SecretsDocument(
        app=deployment.app,
        target=deployment.target,
        action=action,
        name=name,
        changed=changed,
        secrets=tuple(
            SecretDocument(name=each.name, reference=each.reference, updated=each.updated)
            for each in given_to_app(deployment.secrets.list())
        ),
    )


def _print_secrets(document: SecretsDocument, page: Page, command: Callable[[str], str]) -> None:
    on = f"{document.app} on {document.target}"
    if document.name is None and not document.secrets:
        page.line(f"{on} has no secrets. Run `{command('secrets set NAME')}`.")
    elif document.name is None:
        rows = [(each.name, age(each.updated) if each.updated else "", each.reference) for each in document.secrets]
        page.table(("NAME", "UPDATED", "REFERENCE"), rows)
    elif not document.changed:
        text = "has this value already." if document.action == SecretsAction.SET else "is not stored."
        page.line((document.name, Style.STRONG), f" {text} Nothing changed.")
    else:
        text = "is stored for" if document.action == SecretsAction.SET else "is removed from"
        page.line((document.name, Style.STRONG), f" {text} {on}. Run `{command('deploy')}` to bring this to the app.")
