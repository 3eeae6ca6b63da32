"""The Pod Security Standard "restricted", rule by rule, with the baseline that it includes.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ . The API server checks the same, by the label of the
namespace; here it is checked without a cluster. A rule yields what breaks it, and nothing when it holds.
"""

from collections.abc import Callable, Iterator

Rule = Callable[[dict], Iterator[str]]
RULES: dict[str, Rule] = {}

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
CAPABILITIES_THAT_MAY_BE_ADDED = {"NET_BIND_SERVICE"}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SECCOMP_TYPES = {"RuntimeDefault", "Localhost"}
APPARMOR_TYPES = {"RuntimeDefault", "Localhost"}


def rule(check: Rule) -> Rule:
    RULES[check.__name__] = check
    return check


def containers(pod: dict) -> list[dict]:
    """All of them: what a rule forgets is what somebody will use."""
    return [container for kind in ("containers", "initContainers", "ephemeralContainers") for container in pod.get(kind, [])]


def contexts(pod: dict) -> Iterator[tuple[str, dict]]:
    yield "the pod", pod.get("securityContext", {})
    for container in containers(pod):
        yield container["name"], container.get("securityContext", {})


def inherited(pod: dict, container: dict, field: str) -> object:
    """What holds for a container: its own word, else the pod's."""
    own = container.get("securityContext", {})
    return own[field] if field in own else pod.get("securityContext", {}).get(field)


@rule
def no_namespace_of_the_host(pod: dict) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field


@rule
def no_windows_host_process(pod: dict) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("windowsOptions", {}).get("hostProcess"):
            yield name


@rule
def not_privileged(pod: dict) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("privileged"):
            yield name


@rule
def all_capabilities_are_dropped(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        if "ALL" not in container.get("securityContext", {}).get("capabilities", {}).get("drop", []):
            yield container["name"]


@rule
def no_capability_is_added(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        for added in container.get("securityContext", {}).get("capabilities", {}).get("add", []):
            if added not in CAPABILITIES_THAT_MAY_BE_ADDED:
                yield f"{container['name']}: {added}"


@rule
def only_harmless_kinds_of_volumes(pod: dict) -> Iterator[str]:
    for volume in pod.get("volumes", []):
        if not VOLUMES & set(volume):
            yield volume["name"]


@rule
def no_port_of_the_host(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        for port in container.get("ports", []):
            if port.get("hostPort"):
                yield f"{container['name']}: {port['hostPort']}"


@rule
def probes_and_hooks_ask_nobody_else(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        lifecycle = container.get("lifecycle", {})
        handlers = [container.get(name, {}) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
        for handler in [*handlers, lifecycle.get("postStart", {}), lifecycle.get("preStop", {})]:
            for way in ("httpGet", "tcpSocket"):
                if handler.get(way, {}).get("host"):
                    yield f"{container['name']}: {handler[way]['host']}"


@rule
def apparmor_is_not_switched_off(pod: dict) -> Iterator[str]:
    for name, context in contexts(pod):
        profile = context.get("appArmorProfile")
        if profile is not None and profile.get("type") not in APPARMOR_TYPES:
            yield name


@rule
def no_selinux_user_or_role(pod: dict) -> Iterator[str]:
    for name, context in contexts(pod):
        options = context.get("seLinuxOptions", {})
        if options.get("type", "") not in SELINUX_TYPES or options.get("user") or options.get("role"):
            yield name


@rule
def proc_is_masked(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        if container.get("securityContext", {}).get("procMount", "Default") != "Default":
            yield container["name"]


@rule
def seccomp_is_on(pod: dict) -> Iterator[str]:
    pods_own = pod.get("securityContext", {}).get("seccompProfile")
    if pods_own is not None and pods_own.get("type") not in SECCOMP_TYPES:
        yield "the pod"
    for container in containers(pod):
        profile = inherited(pod, container, "seccompProfile")
        if not isinstance(profile, dict) or profile.get("type") not in SECCOMP_TYPES:
            yield container["name"]


@rule
def only_safe_sysctls(pod: dict) -> Iterator[str]:
    for sysctl in pod.get("securityContext", {}).get("sysctls", []):
        if sysctl["name"] not in SAFE_SYSCTLS:
            yield sysctl["name"]


@rule
def no_new_privileges(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        if container.get("securityContext", {}).get("allowPrivilegeEscalation") is not False:
            yield container["name"]


@rule
def runs_as_non_root(pod: dict) -> Iterator[str]:
    for container in containers(pod):
        if inherited(pod, container, "runAsNonRoot") is not True:
            yield container["name"]


@rule
def no_user_is_root(pod: dict) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("runAsUser") == 0:
            yield name
