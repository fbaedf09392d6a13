"""What a project may use of a region. https://cloud.google.com/compute/resource-usage"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mldeploy.rehearsal.gcp.refusals import ApiError, Code

USUAL: Mapping[str, float] = {"CPUS": 72.0, "IN_USE_ADDRESSES": 64.0, "SSD_TOTAL_GB": 1000.0}
"""What a project has that has been worked in; a new one has less."""


class Quotas:
    """used: how much of each metric there is in use in a region."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._limits: dict[str, float] = dict(USUAL)

    def reset(self) -> None:
        self._limits = dict(USUAL)

    def limit(self, metric: str, limit: float) -> None:
        """From now on; in every region."""
        self._limits[metric] = limit

    def require(self, wanted: Mapping[str, float], used: Mapping[str, float]) -> None:
        """Raises ApiError if there is not so much left."""
        for metric, amount in wanted.items():
            limit, free = self._limits[metric], self._limits[metric] - used.get(metric, 0.0)
            if amount > free:
                raise ApiError(
                    Code.PERMISSION_DENIED,
                    f'Insufficient regional quota to satisfy request: resource "{metric}": request requires '
                    f"'{amount:.1f}' and is short '{amount - free:.1f}'. project has a quota of '{limit:.1f}' with "
                    f"'{free:.1f}' available. View and manage quotas at console.cloud.google.com/iam-admin/quotas"
                    f"?usage=USED&project={self._project}.",
                )

    def described(self, used: Mapping[str, float]) -> Iterator[Mapping[str, object]]:
        """As a region says it."""
        for metric, limit in self._limits.items():
            yield {"metric": metric, "limit": limit, "usage": used.get(metric, 0.0)}
