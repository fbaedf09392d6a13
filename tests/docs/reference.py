"""The examples of docs/commands.md, each after what makes it meaningful."""

from __future__ import annotations

from tests.docs import folders
from tests.docs.trial import EDIT, NO_ACCOUNT, Trial, deploy

_PAGE = "docs/commands.md"
_DIFFERS = (0, 1)
_ENVIRONMENTS = ("--env staging", "--env production --confirm production")


def _sections(*commands: str) -> tuple[str, ...]:
    return tuple(f"`mldeploy {each}`" for each in commands)


TRIALS = (
    Trial(_PAGE, folders.anything, _sections("init"), anew=True),
    Trial(
        _PAGE,
        folders.app,
        _sections("doctor", "plan", "build", "check", "run-local", "login", "push", "deploy", "promote", "ci"),
        before={
            "mldeploy deploy --canary 10": (EDIT,),
            "mldeploy promote staging production": tuple(deploy("local", each) for each in _ENVIRONMENTS),
            "mldeploy promote staging production --target fargate --confirm production": (
                deploy("fargate", "--env staging"),
            ),
        },
        expected={
            "mldeploy doctor --target fargate": NO_ACCOUNT,
            "mldeploy check --sbom sbom.json --vulnerabilities": (0, 7),
        },
    ),
    Trial(
        _PAGE,
        folders.app,
        _sections("predict", "open", "status", "apps", "ps", "logs", "images", "history", "diff", "exec"),
        before={
            "mldeploy predict": ("mldeploy deploy",),
            "mldeploy predict --target fargate --data @request.json": (deploy("fargate"),),
            "mldeploy ps --target kubernetes": (deploy("kubernetes"),),
            "mldeploy diff": (EDIT,),
            "mldeploy diff 7 8 --target kubernetes": (deploy("kubernetes"),),
        },
        variables={"API_KEY": "a value"},
        elsewhere=("mldeploy predict --model risk --field age=40",),
    ),
    Trial(_PAGE, folders.app, _sections("version", "help"), is_quick=True),
    Trial(
        _PAGE,
        folders.app,
        _sections("manifests", "policy", "rehearse"),
        before={"mldeploy manifests --target kubernetes": ("mldeploy push --target kubernetes",)},
    ),
    Trial(
        _PAGE,
        folders.app,
        _sections("canary", "rollback", "scale", "secrets", "stop", "destroy"),
        before={
            "mldeploy canary status": ("mldeploy deploy", EDIT, "mldeploy deploy --canary 10"),
            "mldeploy canary abort": (EDIT, "mldeploy deploy --canary 10"),
            "mldeploy rollback --target fargate": (deploy("fargate"), EDIT, deploy("fargate")),
        },
    ),
    Trial(
        _PAGE,
        folders.flask_app,
        _sections("keys"),
        before={
            "mldeploy keys list": ("mldeploy deploy",),
            "mldeploy keys revoke partner --target fargate": (
                deploy("fargate"),
                "mldeploy keys create partner --target fargate",
            ),
        },
    ),
)
