"""The work behind the operations of Cloud Run: start a revision, then route the traffic."""

from __future__ import annotations

import time

from google.cloud import run_v2 as run

from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.run.messages import RevisionStartError, not_ready
from mldeploy.rehearsal.gcp.run.stored_service import StoredRevision, StoredService


def roll_out(
    stored: StoredService, generation: int, revision: StoredRevision | None, error: ApiError | None = None
) -> run.Service:
    """Carry out one change of a service, and return it as it then is. Raises ApiError if it fails.

    revision: a new one. generation: of the change; a newer one has the last word on the traffic. error: lets it fail.
    """
    if revision is not None and error is None:
        error = _start(stored, revision)
    with stored.lock:
        if stored.is_going:
            raise ApiError(Code.ABORTED, f"The service {stored.id} was deleted.")
        if stored.service.generation == generation:
            error = _finish(stored, error)
        if error is not None:
            raise error
        return run.Service(stored.service)


def _start(stored: StoredService, revision: StoredRevision) -> ApiError | None:
    """Start the first instance of a revision.

    The conditions' messages: https://github.com/knative/serving/issues/15103 has those of Cloud Run as an example.
    """
    begun = time.monotonic()
    try:
        image = revision.launcher.prepare()
        imported = time.monotonic()
        revision.instances.start_first()
    except RevisionStartError as failed:
        with stored.lock:
            revision.fail(failed)
        revision.instances.close()
        return ApiError(failed.code, not_ready(revision.name, failed.message))
    with stored.lock:
        revision.revision.containers[0].image = image
        revision.succeed(
            {
                "Ready": f"Deploying revision succeeded in {time.monotonic() - begun:.2f}s.",
                "ContainerReady": f"Imported container image in {imported - begun:.2f}s.",
                "ContainerHealthy": f"Containers became healthy in {time.monotonic() - imported:.2f}s.",
            }
        )
        if stored.service.latest_created_revision.endswith(f"/{revision.name}"):
            stored.service.latest_ready_revision = revision.revision.name
    return None


def _finish(stored: StoredService, error: ApiError | None) -> ApiError | None:
    """Route the traffic unless the revision failed, and set the conditions. Returns the error of both."""
    if error is None:
        try:
            stored.route()
        except ApiError as failed:
            stored.set_conditions(failed, is_route=True)
            return failed
    stored.set_conditions(error)
    return error
