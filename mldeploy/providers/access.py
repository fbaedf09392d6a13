"""Which values of `[app] access` a target offers for an app."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol, runtime_checkable

from mldeploy.config.access_keys import IAM, KEY, has_our_server
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from mldeploy.providers.errors import PluginError
from mldeploy.providers.secret_store import HasSecretStore


class AccessRefusedError(MldeployError):
    """The target cannot protect this app in the way that `[app] access` says. Nothing was changed."""

    code = ExitCode.CONFIG


@runtime_checkable
class HasAccessModes(Protocol):
    """A `Runtime` that enforces more than "public", and "key" by the server of mldeploy: see `access_modes`."""

    def access_modes(self, project: Project) -> Collection[str]:
        """Return what the platform itself enforces for this app: "iam", or "key" for an app with its own server."""


def access_modes(provider: object, project: Project) -> frozenset[str]:
    """Return the values of `[app] access` that a target offers for this app."""
    modes = {"public"}
    if has_our_server(project) and isinstance(provider, HasSecretStore):
        modes.add(KEY)
    return frozenset(modes | set(provider.access_modes(project) if isinstance(provider, HasAccessModes) else ()))


def require_access(provider: registry.AnyProvider, project: Project) -> None:
    """Raise AccessRefusedError if the app would be open to others than `[app] access` says.

    A registry runs nothing: only an image that would ignore keys is refused.
    """
    access = project.app.access
    where = f'app.access = "{access}"'
    if access == KEY and project.app.keeps_sessions:
        what = "the app's pages use WebSockets or event streams, to which a browser adds no key"
        raise AccessRefusedError(where, what, 'Use its own login, or access = "public" behind a gateway that asks.')
    if isinstance(provider, Runtime):
        is_kept = access in access_modes(provider, project)
    else:
        is_kept = access != KEY or has_our_server(project)
    if is_kept:
        return
    if access == KEY and not has_our_server(project):
        own = "has its own server (`command`)" if project.app.command else "is built with its own Dockerfile"
        what = f"the app {own}, and nothing on the target {provider.name} would ask for a key"
        raise AccessRefusedError(where, what, f"{_name_targets(access, project)} Or let the app check keys itself.")
    what = f"the target {provider.name} does not offer it"
    raise AccessRefusedError(where, what, _name_targets(access, project))


def _name_targets(access: str, project: Project) -> str:
    others = sorted(_targets_with(access, project))
    if others:
        return f"Use a target that does: {', '.join(others)}."
    return 'Use access = "key".' if access == IAM else 'Use access = "public", behind a gateway of your own.'


def _targets_with(access: str, project: Project) -> Iterator[str]:
    """The installed targets that offer it. One whose package is broken does not count."""
    for name in registry.names():
        try:
            provider = registry.find(name)
        except (PluginError, ModuleNotFoundError):
            continue
        if isinstance(provider, Runtime) and access in access_modes(provider, project):
            yield name
