"""Which folder each page of the documentation supposes, and what its lines need that the page does not say.

A page without an entry fails its test as soon as it has a line that calls mldeploy.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tests.docs import folders, reference
from tests.docs.trial import EDIT, NO_ACCOUNT, Trial, deploy

_WITH_ENVIRONMENTS = "printf '[env.staging]\\n[env.production]\\nprotected = true\\n' >> mldeploy.toml"
_WITH_PREVIEWS = "printf '[env.preview]\\n' >> mldeploy.toml"
_RETRAIN = (
    f'{sys.executable} -c \'import joblib; model = joblib.load("model.joblib"); model[-1].intercept_ += 1e-9; '
    'joblib.dump(model, "model.joblib")\''
)
_TWO_MODELS = (
    "cp model.joblib price.joblib && mv model.joblib risk.joblib && rm -f mldeploy.toml app.py golden.json",
    "mldeploy init price.joblib risk.joblib --sample rows.csv",
    "mldeploy deploy",
)
_ALL = (
    Trial(
        "README.md",
        folders.trained,
        before={"mldeploy deploy --env staging": (_WITH_ENVIRONMENTS,), "mldeploy plan": (_RETRAIN,)},
    ),
    Trial(
        "docs/access.md",
        variables={"MLDEPLOY_APP_ACCESS": "key"},
        before={"KEY=$(mldeploy keys show --quiet)": ("mldeploy deploy",)},
    ),
    Trial(
        "docs/canary.md",
        before={
            "mldeploy deploy --canary 10 --sample rows.csv": ("mldeploy deploy", EDIT),
            "mldeploy diff 7 8 --target kubernetes": (deploy("kubernetes"), EDIT, deploy("kubernetes")),
        },
    ),
    Trial("docs/ci.md"),
    Trial(
        "docs/environments.md",
        before={
            "mldeploy promote staging production": (
                "mldeploy deploy --env staging",
                "mldeploy deploy --env production --confirm production",
            ),
            "mldeploy promote staging production --target fargate": (
                deploy("fargate", "--env staging"),
                deploy("fargate", "--env production --confirm production"),
            ),
            "mldeploy deploy --env preview-12": (_WITH_PREVIEWS,),
        },
    ),
    Trial("docs/first-account.md"),
    Trial("docs/models.md", folders.model, before={"mldeploy predict --model risk --field age=40": _TWO_MODELS}),
    Trial("docs/platform-teams.md"),
    Trial("docs/rehearsal.md"),
    Trial("docs/secrets.md", variables={"API_KEY": "a value"}),
    Trial(
        "docs/start.md",
        folders.flask,
        before={
            "mldeploy plan": (EDIT,),
            "mldeploy deploy --env staging": (_WITH_ENVIRONMENTS,),
        },
    ),
    Trial("docs/start-fastapi.md", folders.fastapi),
    Trial("docs/start-notebook.md", folders.model),
    Trial("docs/targets/aws.md", expected={"mldeploy doctor --target fargate --profile work": NO_ACCOUNT}),
    Trial("docs/targets/azure.md", expected={"mldeploy doctor --target webapp": NO_ACCOUNT}),
    Trial("docs/targets/cloudrun.md"),
    Trial("docs/targets/containerapps.md"),
    Trial("docs/targets/dockerhub.md", expected={"mldeploy doctor --target dockerhub": NO_ACCOUNT}),
    Trial("docs/targets/google.md", expected={"mldeploy doctor --target gke": NO_ACCOUNT}),
    Trial("docs/targets/kubernetes.md", expected={"mldeploy doctor --target kubernetes": NO_ACCOUNT}),
    Trial("docs/targets/local.md", is_quick=True),
    *reference.TRIALS,
)
TRIALS: Mapping[str, Trial] = {
    each.page.removeprefix("docs/") + (f"#{each.sections[0].strip('`')}" if each.sections else ""): each
    for each in _ALL
}
"""By the name of the test's parameter."""
