"""Google Cloud: its registry (`gar`, `gcr`), its Kubernetes Engine (`gke`) and Cloud Run. Needs the extra `gcp`.

API calls, by the permission that each call needs (`errors.gcp_errors` reports missing ones):

- Artifact Registry, gRPC: `repositories.create`, `.get`, `.update`, `.delete`, `.list`, `.getIamPolicy`,
  `.setIamPolicy`, `dockerimages.list`, and `google.longrunning.Operations/GetOperation` of its operations
- Kubernetes Engine, gRPC: `clusters.create`, `.get`, `.list`, `.delete`, `operations.get`
- Cloud Run, gRPC: `services.get`, `.create`, `.update`, `.delete`, `.getIamPolicy`, `.setIamPolicy`, `revisions.get`,
  `.list`, `.delete`; HTTPS requests to the service itself, with an identity token where it is not public
- Secret Manager, gRPC: `secrets.getIamPolicy`, `.setIamPolicy`; Cloud Logging, gRPC: `logEntries.list`
- IAM, REST: `serviceAccounts.create`, `.get`, `.delete`
- Service Usage, gRPC: `services.list` (BatchGetServices), `services.enable` (BatchEnableServices), only for the doctor
- Compute Engine, REST below `/compute/v1/`: `projects.get`, `regions.get`, `forwardingRules.list`, `disks.list`
  (aggregated)
- Resource Manager, REST: `projects/…:testIamPermissions`, `:getIamPolicy`, only for the doctor
- OAuth 2.0: the token endpoint of the credentials
- the cluster's API: calls of `mldeploy.providers.kubernetes`

Every call sends an access token and, if the credentials name a project for quotas, the header `x-goog-user-project`,
which needs `serviceusage.services.use` in that project. The registry accepts the token as the password of the user
`oauth2accesstoken`.
"""

import os

from mldeploy.providers.declaration import TargetDeclaration

# Silence gRPC's C++ core, which logs every closed connection to stderr. It reads this variable once, on loading.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

_STAND_IN, _SIGN_IN = "mldeploy.rehearsal.standins:GCP", "mldeploy.ci.signing.gcp:sign_in"
_COMPLETION = "mldeploy.providers.gcp.completion:complete"

TARGETS = (
    TargetDeclaration("cloudrun", extra="gcp", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
    TargetDeclaration("gar", extra="gcp", verb="push", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
    TargetDeclaration("gcr", extra="gcp", verb="push", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
    TargetDeclaration("gke", extra="gcp", stand_in=_STAND_IN, sign_in=_SIGN_IN, completion=_COMPLETION),
)
