"""GPUs of a target's instances: the image and the instance must agree, and a target without any refuses."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import Project
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from mldeploy.providers.errors import PluginError

KEY = "gpu"
"""The key of a target's table that asks for a GPU. A target without it has none."""


def advise_on_gpu(project: Project, table: str, *, is_requested: bool) -> tuple[str, ...]:
    """Return the advice where image and instance do not agree on a GPU. is_requested: the instance has one."""
    if is_requested == project.build.gpu:
        return ()
    if is_requested:
        return ("The image has the CPU builds of PyTorch. To use the GPU with PyTorch, set gpu = true in [build].",)
    return (f"The image is built for a GPU (gpu = true in [build]), and none is requested: set `gpu` in [{table}].",)


def refuse_gpu(project: Project, target: str, why: str) -> None:
    """Raise ConfigError for an app that is built for a GPU. why: the target has none."""
    if project.build.gpu:
        names = ", ".join(f"`{each}`" for each in sorted(_targets_with_gpu()))
        todo = f"Deploy to {names} (`gpu` in the target's table), or set gpu = false."
        raise ConfigError("build.gpu", f"{target} {why}", todo)


def _targets_with_gpu() -> Iterator[str]:
    """The installed targets that offer one. One whose package is broken does not count."""
    for name in registry.names():
        try:
            provider = registry.find(name)
        except (PluginError, ModuleNotFoundError):
            continue
        if isinstance(provider, Runtime) and KEY in provider.settings.model_fields:
            yield name
