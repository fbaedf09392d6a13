"""IAM, with AWS's own policies at hand in each new account without making them anew, which takes half a second."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from types import SimpleNamespace
from typing import ClassVar

from moto.iam import urls
from moto.iam.models import IAMBackend, ManagedPolicy, iam_backends


class RehearsedIAM(IAMBackend):
    """moto's; nobody can change AWS's own policies, so that all accounts share what is in them."""

    _made: ClassVar[Sequence[ManagedPolicy]] = ()

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def _init_aws_policies(self) -> list[ManagedPolicy]:
        if not RehearsedIAM._made:
            RehearsedIAM._made = super()._init_aws_policies()
        return [copy(policy) for policy in RehearsedIAM._made]  # each counts to whom it is attached


def install() -> None:
    """Let moto play IAM so. Once for each process: moto's backends are the process's."""
    iam_backends.backend = RehearsedIAM
