"""Options that several commands share, and the settings that they override."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mldeploy.config.override import Overrides


def completed_by(kind: str) -> Callable[[typer.Context, str], list[tuple[str, str]]]:
    """Return the shell completion of a parameter. kind: a key of `mldeploy.cli.completion.values.VALUES`."""

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        from mldeploy.cli.completion.values import list_values  # noqa: PLC0415 - only for shell completion

        return list_values(kind, ctx, incomplete)

    return complete


Target = Annotated[
    str,
    typer.Option("--target", "-t", metavar="NAME", help="Deployment target.", autocompletion=completed_by("--target")),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", metavar="N", help="Port to publish. Default: app.port; 0 = any free port.", show_default=False
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="IP",
        help="Address to listen on. Default: this machine only.",
        show_default=False,
    ),
]
Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="OS/ARCH", help="Image platform, for example linux/amd64.", show_default=False),
]
BaseImage = Annotated[
    str | None,
    typer.Option("--base-image", metavar="IMAGE", help="Base image.", show_default=False),
]
Builder = Annotated[
    str | None,
    typer.Option(
        "--builder",
        metavar="NAME",
        help="Image builder: auto, buildkit or classic.",
        show_default=False,
        autocompletion=completed_by("--builder"),
    ),
]
CaBundle = Annotated[
    str | None,
    typer.Option("--ca-bundle", metavar="FILE", help="Additional CA certificates for the build.", show_default=False),
]
CacheFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--cache-from", metavar="IMAGE", help="Import the build cache from this image. Repeatable.", show_default=False
    ),
]
CacheTo = Annotated[
    str | None,
    typer.Option("--cache-to", metavar="IMAGE", help="Export the build cache to this image.", show_default=False),
]
Replace = Annotated[bool, typer.Option("--replace", help="Allow delete and recreate (downtime).")]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Do not start and check the image before it is pushed.")]
NoRollback = Annotated[
    bool,
    typer.Option(
        "--no-rollback",
        help="Keep a failed version for debugging (clusters only).",
    ),
]
RegistryAuth = Annotated[
    str | None,
    typer.Option(
        "--registry-auth",
        metavar="HOW",
        help="Registry credentials on Azure: identity or admin.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", metavar="NAME", help="Name of the protected environment, typed.", show_default=False),
]

DEFAULT_TARGET = "local"

Setting = tuple[str, str | int | tuple[str, ...] | None, str]
"""Configuration key, value (None: not given) and flag."""


def overrides(
    target: str, port: int | None, host: str | None, platform: str | None, base_image: str | None
) -> Overrides:
    """Return the settings that the flags of a deployment override."""
    address = given((f"target.{target}.port", port, "--port"), (f"target.{target}.host", host, "--host"))
    return (*address, *build_overrides(platform, base_image))


def registry_auth(target: str, how: str | None) -> Overrides:
    """Return the target setting that `--registry-auth` overrides."""
    return given((f"target.{target}.registry_auth", how, "--registry-auth"))


def build_overrides(
    platform: str | None, base_image: str | None, builder: str | None = None, *others: Setting
) -> Overrides:
    """Return the settings that the flags of a build override."""
    return given(
        ("build.platform", platform, "--platform"),
        ("build.base_image", base_image, "--base-image"),
        ("build.builder", builder, "--builder"),
        *others,
    )


def given(*settings: Setting) -> Overrides:
    """Return an override for each setting that was given."""
    from mldeploy.config.override import Override  # noqa: PLC0415 - `--help` needs no configuration

    return tuple(Override(key, value, flag) for key, value, flag in settings if value is not None)
