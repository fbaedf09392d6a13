"""The Pod Security Standards, as the admission controller of the same name enforces them in a namespace.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.rehearsal.kubernetes.objects.container_rules import iterate_containers
from mldeploy.rehearsal.kubernetes.objects.types import Object

ENFORCE = "pod-security.kubernetes.io/enforce"
BASELINE, RESTRICTED = "baseline", "restricted"
_CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_SYSCTLS = frozenset(
    (
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
        *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
        *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    )
)
_VOLUMES = frozenset(
    ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
)
_SECCOMP = ("RuntimeDefault", "Localhost")


def security_violations(labels: Object, spec: Object) -> str:
    """Return why a namespace with these labels does not admit a Pod; "" if it does."""
    profile = labels.get(ENFORCE, "")
    if profile not in (BASELINE, RESTRICTED):
        return ""
    version = labels.get(f"{ENFORCE}-version", "latest")
    found = [*_baseline(spec), *(_restricted(spec) if profile == RESTRICTED else ())]
    return f'violates PodSecurity "{profile}:{version}": {", ".join(found)}' if found else ""


def _baseline(spec: Object) -> Iterator[str]:
    shared = [f"{each}=true" for each in ("hostNetwork", "hostPID", "hostIPC") if spec.get(each)]
    if shared:
        yield f"host namespaces ({', '.join(shared)})"
    if names := [name for name, context in _contexts(spec) if context.get("privileged")]:
        yield f"privileged ({_containers(names)} must not set securityContext.privileged=true)"
    if names := [name for name, context in _contexts(spec) if _added(context) - _CAPABILITIES]:
        what = "must not include them in securityContext.capabilities.add"
        yield f"non-default capabilities ({_containers(names)} {what})"
    if volumes := [each["name"] for each in spec.get("volumes") or () if "hostPath" in each]:
        yield f"hostPath volumes (volume {_quoted(volumes)})"
    yield from _host_ports(spec)
    if unsafe := [each["name"] for each in _pod_context(spec).get("sysctls") or () if each["name"] not in _SYSCTLS]:
        yield f"forbidden sysctls ({', '.join(unsafe)})"
    if names := [name for name, context in _contexts(spec) if _seccomp(context) == "Unconfined"]:
        yield f'seccompProfile ({_containers(names)} must not set securityContext.seccompProfile.type to "Unconfined")'


def _host_ports(spec: Object) -> Iterator[str]:
    for container, _ in iterate_containers(spec, ""):
        used = [str(each["hostPort"]) for each in container.get("ports") or () if each.get("hostPort")]
        if used:
            yield f'hostPort (container "{container["name"]}" uses hostPort {", ".join(used)})'


def _restricted(spec: Object) -> Iterator[str]:
    contexts, pod = list(_contexts(spec)), _pod_context(spec)
    if names := [name for name, context in contexts if context.get("allowPrivilegeEscalation") is not False]:
        what = f"{_containers(names)} must set securityContext.allowPrivilegeEscalation=false"
        yield f"allowPrivilegeEscalation != false ({what})"
    if names := [name for name, context in contexts if not _drops_all(context)]:
        yield f'unrestricted capabilities ({_containers(names)} must set securityContext.capabilities.drop=["ALL"])'
    volumes = [each["name"] for each in spec.get("volumes") or () if not _VOLUMES.intersection(each)]
    if volumes:
        yield f"restricted volume types (volume {_quoted(volumes)})"
    if names := [
        name for name, context in contexts if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True
    ]:
        yield f"runAsNonRoot != true (pod or {_containers(names)} must set securityContext.runAsNonRoot=true)"
    if names := [name for name, context in contexts if context.get("runAsUser", pod.get("runAsUser", 1)) == 0]:
        yield f"runAsUser=0 ({_containers(names)} must not set runAsUser=0)"
    if names := [name for name, context in contexts if (_seccomp(context) or _seccomp(pod)) not in _SECCOMP]:
        what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {_containers(names)} {what})"


def _contexts(spec: Object) -> Iterator[tuple[str, Object]]:
    for container, _ in iterate_containers(spec, ""):
        yield container["name"], container.get("securityContext") or {}


def _pod_context(spec: Object) -> Object:
    context: Object = spec.get("securityContext") or {}
    return context


def _added(context: Object) -> set[str]:
    return set((context.get("capabilities") or {}).get("add") or ())


def _drops_all(context: Object) -> bool:
    dropped = (context.get("capabilities") or {}).get("drop") or ()
    return "ALL" in dropped and not _added(context) - {"NET_BIND_SERVICE"}


def _seccomp(context: Object) -> str:
    return str((context.get("seccompProfile") or {}).get("type", ""))


def _containers(names: Sequence[str]) -> str:
    return f"{'containers' if len(names) > 1 else 'container'} {_quoted(names)}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{each}"' for each in names)
