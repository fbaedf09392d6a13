"""`mldeploy keys`."""

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
    from mldeploy.config.access_keys import AccessKey, Keys
    from mldeploy.core.journal import Session


class KeysAction(StrEnum):
    """Actions on the access keys of an app."""

    LIST = "list"
    CREATE = "create"
    SHOW = "show"
    REVOKE = "revoke"


@dataclass(frozen=True)
class KeyDocument:
    """One key, without its value."""

    name: Annotated[str, "name of the key"]
    created: Annotated[str, "time of its creation; ISO 8601, UTC"]


@dataclass(frozen=True)
class KeysDocument(Document):
    """`keys`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    action: Annotated[str, "`list`, `create`, `show` or `revoke`"]
    name: Annotated[str | None, "name of the key of the action; null for `list`"]
    value: Annotated[str | None, "the key itself: for `create` and `show`; null for the others"]
    active: Annotated[bool, "the running app accepts exactly these keys; false if it takes a deployment"]
    keys: Annotated[tuple[KeyDocument, ...], "keys of the app on the target, the oldest first"]


def keys(
    run: CommandRun,
    action: Annotated[KeysAction, typer.Argument(metavar="ACTION", help="list, create, show or revoke.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of the key, such as the one of a client.", show_default=False),
    ] = None,
    target: options.Target = options.DEFAULT_TARGET,
    no_deploy: Annotated[
        bool, typer.Option("--no-deploy", help="Only change the store. The next deployment brings the change.")
    ] = False,
) -> None:
    """Manage the access keys of an app with `access = "key"` in [app].

    The keys are in the target's secret store. `create` makes a key and prints it. `revoke` removes one. Both deploy a
    new version with the same image, so the change takes effect without a failed request. `show` prints a key again:
    the first one, `default`, is created by the first deployment.

    To rotate a key: create another one, give it to the clients, and revoke the old one.

    Examples:
        mldeploy keys list
        mldeploy keys create partner
        mldeploy keys show default
        mldeploy keys revoke partner --target fargate
    """
    from mldeploy.cli.deployment import as_having_secrets
    from mldeploy.cli.open_deployment import open_deployment

    _check_arguments(action, name, no_deploy=no_deploy)
    deployment = open_deployment(run, target, as_having_secrets)
    _require_keys(deployment)
    if action in (KeysAction.LIST, KeysAction.SHOW):
        known = deployment.read_keys()
        shown = _find(known, name, deployment, run) if action is KeysAction.SHOW else None
        document = _document(deployment, action, shown, known, is_active=True)
    else:
        document = _change(run, deployment, action, name or "", no_deploy=no_deploy)
    command, terse = run.commands(target), run.output.mode.quiet
    run.output.result(document, lambda page: _print_keys(document, page, command, terse=terse))


def _check_arguments(action: KeysAction, name: str | None, *, no_deploy: bool) -> None:
    where = f"mldeploy keys {action}"
    if action is KeysAction.LIST and name is not None:
        raise UsageError(where, "takes no name", "Leave it out.")
    if action in (KeysAction.CREATE, KeysAction.REVOKE) and not name:
        raise UsageError(where, "needs the name of a key", f"Example: `{where} partner`.")
    if no_deploy and action in (KeysAction.LIST, KeysAction.SHOW):
        raise UsageError("--no-deploy", "is for `create` and `revoke`", "Leave it out.")


def _require_keys(deployment: AppDeployment) -> None:
    """Raises ConfigError if the app is not configured to require keys, so that nobody believes it protected."""
    from mldeploy.config.access_keys import KEY
    from mldeploy.config.errors import ConfigError

    access = deployment.project.app.access
    if access != KEY:
        what = f'is "{access}", so the app asks for no key'
        raise ConfigError("app.access", what, 'Set `access = "key"` in [app] of mldeploy.toml.')


def _find(known: Keys, name: str | None, deployment: AppDeployment, run: CommandRun) -> AccessKey:
    """Return the key of that name, the first one without a name. Raises AbsentError."""
    from mldeploy.providers.errors import AbsentError

    command = run.commands(deployment.target)
    if not known:
        what = f"has no access key on {deployment.target}"
        raise AbsentError(deployment.app, what, f"Run `{command('deploy')}` or `{command('keys create NAME')}`.")
    key = next((each for each in known if name in (each.name, None)), None)
    if key is None:
        names = ", ".join(each.name for each in known)
        raise AbsentError(f"key {name!a}", f"does not exist on {deployment.target}", f"There are: {names}.")
    return key


def _change(
    run: CommandRun, deployment: AppDeployment, action: KeysAction, name: str, *, no_deploy: bool
) -> KeysDocument:
    """Create or revoke a key, and bring the change to the running app.

    What would keep it from arriving is raised before anything changes.
    """
    from mldeploy.cli.access import redeploy_unchanged, require_unchanged

    is_running = deployment.service.url() is not None
    if is_running and not no_deploy:
        require_unchanged(run, deployment.target)
    with deployment.locked(run) as work:
        changed, known = _store(run, deployment, work, action, name)
    if is_running and not no_deploy:
        redeploy_unchanged(run, deployment.target)
    return _document(deployment, action, changed, known, is_active=is_running and not no_deploy)


def _store(
    run: CommandRun, deployment: AppDeployment, work: Session[object], action: KeysAction, name: str
) -> tuple[AccessKey, Keys]:
    """Change the keys in the store. Return the key, and all that there are from now on."""
    from mldeploy.cli.access import store_keys
    from mldeploy.config.access_keys import MOST, AccessKey
    from mldeploy.core.errors import RefusedError
    from mldeploy.core.events import Action

    known = deployment.read_keys()
    if action is KeysAction.REVOKE:
        changed = _find(known, name, deployment, run)
        left = tuple(each for each in known if each is not changed)
        if not left:
            todo = "Create another one first: `mldeploy keys create NAME`."
            raise RefusedError(f"key {name}", "is the only one, and without a key the app refuses every request", todo)
        store_keys(deployment, work, left, f"Revoke the access key {name}", Action.UPDATED)
        return changed, left
    if any(each.name == name for each in known):
        raise RefusedError(f"key {name}", "exists", "Choose another name, or revoke it first.")
    if len(known) >= MOST:
        raise RefusedError(f"key {name}", f"there are {len(known)} keys, and no more are allowed", "Revoke one first.")
    changed = AccessKey.make(name)
    store_keys(deployment, work, (*known, changed), f"Create the access key {name}", Action.CREATED)
    return changed, (*known, changed)


def _document(
    deployment: AppDeployment, action: KeysAction, key: AccessKey | None, known: Keys, *, is_active: bool
) -> KeysDocument:
    is_shown = key is not None and action in (KeysAction.CREATE, KeysAction.SHOW)
    return KeysDocument(
        app=deployment.app,
        target=deployment.target,
        action=action,
        name=key.name if key else None,
        value=key.value.reveal() if key and is_shown else None,
        active=is_active,
        keys=tuple(KeyDocument(name=each.name, created=each.created) for each in known),
    )


def _print_keys(document: KeysDocument, page: Page, command: Callable[[str], str], *, terse: bool) -> None:
    """Print the result. terse: of `create` and `show` only the key, for `$(…)` in a shell."""
    if document.value is not None and (terse or document.action == KeysAction.SHOW):
        page.line(document.value)
    elif document.name is None and not document.keys:
        page.line(f"{document.app} has no access key on {document.target}. Run `{command('deploy')}`.")
    elif document.name is None:
        page.table(("NAME", "CREATED"), [(each.name, age(each.created)) for each in document.keys])
    else:
        verb = "created" if document.action == KeysAction.CREATE else "revoked"
        page.line((document.name, Style.STRONG), f" is {verb} for {document.app} on {document.target}.")
        if document.value is not None:
            page.line("key      ", document.value)
        if not document.active:
            page.line(f"Run `{command('deploy')}` to bring this to the app.")
