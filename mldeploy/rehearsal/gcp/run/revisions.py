"""The methods of revisions. https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2"""

from __future__ import annotations

from google.cloud import run_v2 as run
from google.longrunning import operations_pb2

from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods
from mldeploy.rehearsal.gcp.run.changes import paginate
from mldeploy.rehearsal.gcp.run.directory import ServiceDirectory, require_etag
from mldeploy.rehearsal.gcp.run.messages import RUN
from mldeploy.rehearsal.gcp.run.stored_service import StoredRevision, StoredService

SERVICE = "google.cloud.run.v2.Revisions"


class RevisionsApi:
    """Describe, list and delete revisions."""

    def __init__(self, directory: ServiceDirectory) -> None:
        self._directory = directory

    @property
    def methods(self) -> Methods:
        return {
            f"{SERVICE}/GetRevision": Method(RUN, "run.revisions.get", run.GetRevisionRequest, self._get),
            f"{SERVICE}/ListRevisions": Method(RUN, "run.revisions.list", run.ListRevisionsRequest, self._list),
            f"{SERVICE}/DeleteRevision": Method(RUN, "run.revisions.delete", run.DeleteRevisionRequest, self._delete),
        }

    def _get(self, request: run.GetRevisionRequest) -> run.Revision:
        stored, revision = self._directory.find_revision(request.name, "run.revisions.get")
        with stored.lock:
            return run.Revision(revision.revision)

    def _list(self, request: run.ListRevisionsRequest) -> run.ListRevisionsResponse:
        parent, _, service_id = request.parent.partition("/services/")
        location = self._directory.parse(parent, "run.revisions.list")
        if service_id != "-":
            self._directory.find(request.parent, "run.revisions.list")
        revisions = [
            run.Revision(each.revision)
            for name, stored in sorted(self._directory.services.items())
            if service_id in ("-", stored.id) and location.location == name.split("/")[3]
            for each in reversed(list(stored.revisions.values()))
        ]
        page, token = paginate(revisions, request.page_size, request.page_token)
        return run.ListRevisionsResponse(revisions=page, next_page_token=token)

    def _delete(self, request: run.DeleteRevisionRequest) -> operations_pb2.Operation:
        """What is refused: https://cloud.google.com/run/docs/managing/revisions; the words are assumed."""
        stored, revision = self._directory.find_revision(request.name, "run.revisions.delete")
        require_etag(revision.revision.name, request.etag, revision.revision.etag)
        if revision not in list(stored.unused()):
            what = (
                f"Revision '{revision.name}' cannot be deleted because it can receive traffic or is the latest created "
                "revision of its service."
            )
            raise ApiError(Code.FAILED_PRECONDITION, what)

        def remove() -> run.Revision:
            remove_revision(stored, revision)
            return revision.revision

        return self._directory.begin(stored, (lambda: revision.revision) if request.validate_only else remove, 1)


def remove_revision(stored: StoredService, revision: StoredRevision) -> None:
    """Delete a revision, and end its instances."""
    with stored.lock:
        stored.revisions.pop(revision.name, None)
    revision.instances.close()
