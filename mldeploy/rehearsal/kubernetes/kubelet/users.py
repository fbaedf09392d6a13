"""As which user a container runs, and who must not.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

from mldeploy.rehearsal.kubernetes.kubelet.environment import ConfigError
from mldeploy.rehearsal.kubernetes.objects.types import Object


def user_of(context: Object) -> str | None:
    """As the engine is told it; None: the image's own."""
    if "runAsUser" not in context:
        return None
    group = context.get("runAsGroup")
    return f"{context['runAsUser']}" if group is None else f"{context['runAsUser']}:{group}"


def see_to_user(context: Object, image_user: str, pod: Object, container: Object) -> None:
    """Raises ConfigError for one that must not be root, and would be, or could be."""
    if not context.get("runAsNonRoot"):
        return
    metadata = pod["metadata"]
    place = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    about = f'(pod: "{place}", container: {container["name"]})'
    user = str(context.get("runAsUser", image_user.partition(":")[0]))
    if user in ("", "0", "root"):
        said = "container's runAsUser breaks non-root policy" if "runAsUser" in context else "image will run as root"
        text = said if "runAsUser" in context else f"container has runAsNonRoot and {said}"
        raise ConfigError(f"{text} {about}")
    if not user.isdigit():
        said = f"image has non-numeric user ({user}), cannot verify user is non-root"
        raise ConfigError(f"container has runAsNonRoot and {said} {about}")
