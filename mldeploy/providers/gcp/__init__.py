"""Google Cloud: its registry (`gar`, `gcr`) and its Kubernetes Engine (`gke`). Needs the extra `gcp`.

What it calls, by the permission that each call needs (`errors.gcp_errors` names it where one is missing):

- Artifact Registry, gRPC: `repositories.create`, `.get`, `.update`, `.delete`, `.list`, `.getIamPolicy`,
  `.setIamPolicy`, `dockerimages.list`, and `google.longrunning.Operations/GetOperation` of its operations
- Kubernetes Engine, gRPC: `clusters.create`, `.get`, `.list`, `.delete`, `operations.get`
- Service Usage, gRPC: `services.list` (BatchGetServices), `services.enable` (BatchEnableServices), only for the doctor
- Compute Engine, REST below `/compute/v1/`: `projects.get`, `regions.get`, `forwardingRules.list`, `disks.list`
  (aggregated)
- Resource Manager, REST: `projects/…:testIamPermissions`, only for the doctor
- OAuth 2.0: the token endpoint that stands in the credentials
- the cluster's own API: what `mldeploy.providers.kubernetes` calls

An access token goes along with every call; user `oauth2accesstoken` of the registry has it for a password.
"""

import os

# gRPC's C++ core writes lines of its own to stderr, of every connection that ends. It reads this once, on loading.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
