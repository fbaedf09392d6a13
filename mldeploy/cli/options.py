"""The options that several commands have, each declared once; what they set in the configuration."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mldeploy.config.override import Overrides


def _targets() -> list[str]:
    from mldeploy.providers.registry import names  # noqa: PLC0415 - only a shell that completes waits for it

    return list(names())


Target = Annotated[
    str,
    typer.Option("--target", "-t", metavar="NAME", help="Where the app is deployed to.", autocompletion=_targets),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", metavar="N", help="Where it answers; app.port if not given. 0: any free one.", show_default=False
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="IP",
        help="The address that it answers on; this machine alone if not given.",
        show_default=False,
    ),
]
Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="OS/ARCH", help="What the image is built for: linux/amd64.", show_default=False),
]
BaseImage = Annotated[
    str | None,
    typer.Option("--base-image", metavar="IMAGE", help="What the image is built on.", show_default=False),
]
Builder = Annotated[
    str | None,
    typer.Option("--builder", metavar="NAME", help="What builds: auto, buildkit or classic.", show_default=False),
]
CaBundle = Annotated[
    str | None,
    typer.Option(
        "--ca-bundle", metavar="FILE", help="Certificates that the build trusts in addition.", show_default=False
    ),
]
CacheFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--cache-from", metavar="IMAGE", help="A registry's image whose build cache is used.", show_default=False
    ),
]
CacheTo = Annotated[
    str | None,
    typer.Option("--cache-to", metavar="IMAGE", help="Where the build cache is left.", show_default=False),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Allow what cannot be changed in place to be removed and made anew.")
]
NoRollback = Annotated[
    bool,
    typer.Option(
        "--no-rollback",
        help="Leave a version that fails as it is, to be looked at; in a cluster, where it is taken back.",
    ),
]
RegistryAuth = Annotated[
    str | None,
    typer.Option(
        "--registry-auth",
        metavar="HOW",
        help="On Azure: how the registry is entered, identity or admin.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

DEFAULT_TARGET = "local"

Setting = tuple[str, str | int | tuple[str, ...] | None, str]
"""A key, what the command line says of it (None: nothing), and the flag that says it."""


class System(StrEnum):
    """What a workflow can be written for."""

    GITHUB = "github"


class Rehearsed(StrEnum):
    """What can be done with a stand-in."""

    UP = "up"
    DOWN = "down"
    STATUS = "status"


def overrides(
    target: str, port: int | None, host: str | None, platform: str | None, base_image: str | None
) -> Overrides:
    """What the flags of a deployment say over the configuration."""
    address = given((f"target.{target}.port", port, "--port"), (f"target.{target}.host", host, "--host"))
    return (*address, *build_overrides(platform, base_image))


def registry_auth(target: str, how: str | None) -> Overrides:
    """What the flag says over the target's settings."""
    return given((f"target.{target}.registry_auth", how, "--registry-auth"))


def build_overrides(
    platform: str | None, base_image: str | None, builder: str | None = None, *others: Setting
) -> Overrides:
    """What the flags of a build say over the configuration."""
    return given(
        ("build.platform", platform, "--platform"),
        ("build.base_image", base_image, "--base-image"),
        ("build.builder", builder, "--builder"),
        *others,
    )


def given(*settings: Setting) -> Overrides:
    """Of some keys' values and flags, those that stand on the command line."""
    from mldeploy.config.override import Override  # noqa: PLC0415 - `--help` needs no configuration

    return tuple(Override(key, value, flag) for key, value, flag in settings if value is not None)
