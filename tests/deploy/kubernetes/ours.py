"""Our own rules about the manifests, beyond the standard. Each takes all objects of a kustomization and yields what breaks it."""

import ipaddress
import re
from collections.abc import Callable, Iterator

from restricted import containers

Rule = Callable[[list[dict]], Iterator[str]]
RULES: dict[str, Rule] = {}

DESKTOP = {"app.kubernetes.io/name": "deskhand-desktop"}
PROXY = {"app.kubernetes.io/name": "deskhand-egress"}
# What an orchestrator's network must never let a proxy reach, by the first address of each.
INSIDE = ["10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "168.63.129.16", "::1", "fc00::1", "fe80::1", "fd00:ec2::254"]
RESOURCES = {"cpu", "memory", "ephemeral-storage"}
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def rule(check: Rule) -> Rule:
    RULES[check.__name__] = check
    return check


def of_kind(objects: list[dict], kind: str) -> list[dict]:
    return [each for each in objects if each["kind"] == kind]


def pods(objects: list[dict]) -> Iterator[tuple[str, dict, dict]]:
    """Name, labels and specification of each pod template."""
    for each in objects:
        if "template" in each.get("spec", {}):
            template = each["spec"]["template"]
            yield each["metadata"]["name"], template["metadata"]["labels"], template["spec"]


def desktops(objects: list[dict]) -> Iterator[tuple[str, dict]]:
    for name, labels, pod in pods(objects):
        if DESKTOP.items() <= labels.items():
            yield name, pod


def part(pod: dict, name: str) -> dict:
    return next((container for container in pod["containers"] if container["name"] == name), {})


def environment(container: dict) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


def policies_for(objects: list[dict], labels: dict) -> list[dict]:
    return [
        policy["spec"]
        for policy in of_kind(objects, "NetworkPolicy")
        if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()
    ]


def size(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]


@rule
def the_namespace_enforces_the_standard(objects: list[dict]) -> Iterator[str]:
    labels = [each["metadata"].get("labels", {}) for each in of_kind(objects, "Namespace")]
    if [each.get("pod-security.kubernetes.io/enforce") for each in labels] != ["restricted"]:
        yield "pod-security.kubernetes.io/enforce is not restricted"


@rule
def one_desktop_a_pod(objects: list[dict]) -> Iterator[str]:
    found = list(desktops(objects))
    if len(found) != 1 or of_kind(objects, "Pod"):
        yield f"{len(found)} desktops"
    for name, pod in found:
        if [container["name"] for container in containers(pod)] != ["display", "applications"]:
            yield name


@rule
def desktops_are_a_deployment_that_lets_claimed_pods_go(objects: list[dict]) -> Iterator[str]:
    for each in of_kind(objects, "Deployment"):
        template = each["spec"]["template"]["metadata"]["labels"]
        if DESKTOP.items() <= template.items() and each["spec"]["selector"]["matchLabels"].get("deskhand.dev/pool") != template.get("deskhand.dev/pool", "none"):
            yield each["metadata"]["name"]
    # A claimed pod has lost the pool's label, and must not have lost its walls with it.
    for policy in of_kind(objects, "NetworkPolicy"):
        if "deskhand.dev/pool" in policy["spec"]["podSelector"].get("matchLabels", {}):
            yield policy["metadata"]["name"]


@rule
def roots_are_read_only(objects: list[dict]) -> Iterator[str]:
    for name, _, pod in pods(objects):
        for container in containers(pod):
            if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
                yield f"{name}/{container['name']}"


@rule
def no_capability_at_all(objects: list[dict]) -> Iterator[str]:
    for name, _, pod in pods(objects):
        for container in containers(pod):
            if container.get("securityContext", {}).get("capabilities", {}).get("add"):
                yield f"{name}/{container['name']}"


@rule
def seccomp_is_the_runtimes_or_ours(objects: list[dict]) -> Iterator[str]:
    for name, _, pod in pods(objects):
        for container in containers(pod):
            profile = container.get("securityContext", {}).get("seccompProfile", {})
            ours = {"type": "Localhost", "localhostProfile": "profiles/deskhand-chromium.json"}
            if profile != {"type": "RuntimeDefault"} and not (container["name"] == "applications" and profile == ours):
                yield f"{name}/{container['name']}: {profile}"


@rule
def no_identity_in_the_cluster(objects: list[dict]) -> Iterator[str]:
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield account["metadata"]["name"]
    accounts = {account["metadata"]["name"] for account in of_kind(objects, "ServiceAccount")}
    for name, _, pod in pods(objects):
        sources = [source for volume in pod.get("volumes", []) for source in volume.get("projected", {}).get("sources", [])]
        if pod.get("automountServiceAccountToken") is not False or pod.get("serviceAccountName") not in accounts:
            yield name
        if any("serviceAccountToken" in source or "clusterTrustBundle" in source for source in sources):
            yield f"{name}: a projected token"
    for binding in [*of_kind(objects, "RoleBinding"), *of_kind(objects, "ClusterRoleBinding")]:
        for subject in binding["subjects"]:
            if subject["name"] in accounts and subject.get("namespace") == "deskhand":
                yield f"{binding['metadata']['name']} gives {subject['name']} rights"


@rule
def applications_have_a_user_of_their_own(objects: list[dict]) -> Iterator[str]:
    for name, pod in desktops(objects):
        users = [part(pod, each).get("securityContext", {}).get("runAsUser") for each in ("display", "applications")]
        if None in users or len(set(users)) != 2:
            yield f"{name}: {users}"


@rule
def applications_see_no_process_of_the_display(objects: list[dict]) -> Iterator[str]:
    for name, pod in desktops(objects):
        if pod.get("shareProcessNamespace"):
            yield name


@rule
def secrets_are_files_that_only_the_display_has(objects: list[dict]) -> Iterator[str]:
    for each in of_kind(objects, "Secret"):
        yield f"{each['metadata']['name']} stands in a manifest"
    for name, pod in desktops(objects):
        secret = {volume["name"] for volume in pod["volumes"] if "secret" in volume or "projected" in volume}
        if not any("tokens.toml" in str(volume) for volume in pod["volumes"] if volume["name"] in secret):
            yield f"{name}: no tokens.toml"
        for container in containers(pod):
            mounts = [mount for mount in container["volumeMounts"] if mount["name"] in secret]
            if container["name"] == "display":
                if len(mounts) != len(secret) or not all(mount.get("readOnly") for mount in mounts):
                    yield f"{name}/display: {mounts}"
            elif mounts:
                yield f"{name}/{container['name']}: {mounts}"
            for entry in container.get("env", []):
                if "secretKeyRef" in entry.get("valueFrom", {}) or "TOKEN" in entry["name"] or "SECRET" in entry["name"]:
                    yield f"{name}/{container['name']}: {entry['name']} in the environment"
            if any("secretRef" in source for source in container.get("envFrom", [])):
                yield f"{name}/{container['name']}: a Secret as environment"
        for volume in pod["volumes"]:
            if volume["name"] in secret and (volume.get("projected") or volume["secret"]).get("defaultMode", 0o644) & 0o007:
                yield f"{name}: {volume['name']} is readable by all"


@rule
def what_both_share_the_applications_only_read(objects: list[dict]) -> Iterator[str]:
    for name, pod in desktops(objects):
        displays = {mount["name"] for mount in part(pod, "display").get("volumeMounts", [])}
        shared = {mount["name"]: mount for mount in part(pod, "applications").get("volumeMounts", []) if mount["name"] in displays}
        if set(shared) != {"x11", "cookie"}:
            yield f"{name} shares {sorted(shared)}"
        for mount in shared.values():
            if mount.get("readOnly") is not True:
                yield f"{name}: {mount['name']}"


@rule
def everything_has_a_limit(objects: list[dict]) -> Iterator[str]:
    for name, _, pod in pods(objects):
        for container in containers(pod):
            for kind in ("requests", "limits"):
                if set(container.get("resources", {}).get(kind, {})) != RESOURCES:
                    yield f"{name}/{container['name']}: {kind}"
        for volume in pod["volumes"]:
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{name}: {volume['name']}"


@rule
def volumes_in_memory_fit_into_the_limit(objects: list[dict]) -> Iterator[str]:
    """Full volumes must not make the kernel end the processes beside them: half is for those."""
    for name, _, pod in pods(objects):
        memory = {volume["name"]: size(volume["emptyDir"].get("sizeLimit", "1024Gi")) for volume in pod["volumes"] if volume.get("emptyDir", {}).get("medium") == "Memory"}
        for container in containers(pod):
            written = sum(memory.get(mount["name"], 0) for mount in container["volumeMounts"] if not mount.get("readOnly"))
            if written * 2 > size(container.get("resources", {}).get("limits", {}).get("memory", "0Mi")):
                yield f"{name}/{container['name']}"


@rule
def the_namespace_is_shut_in_both_directions(objects: list[dict]) -> Iterator[str]:
    shut = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if shut not in [policy["spec"] for policy in of_kind(objects, "NetworkPolicy")]:
        yield "no policy denies everything"
    for name, labels, _ in pods(objects):
        for spec in policies_for(objects, labels):
            if set(spec.get("policyTypes", [])) != {"Ingress", "Egress"}:
                yield name


@rule
def desktops_reach_the_proxy_and_nobody_else(objects: list[dict]) -> Iterator[str]:
    for name, labels, _ in pods(objects):
        if not DESKTOP.items() <= labels.items():
            continue
        ways = [way for spec in policies_for(objects, labels) for way in spec.get("egress", [])]
        proxy = {"to": [{"podSelector": {"matchLabels": PROXY}}], "ports": [{"protocol": "TCP", "port": 3128}]}
        if proxy not in ways:
            yield f"{name} does not reach the proxy"
        for way in ways:
            # Controllers that are dialled are the one exception, and are named as exactly as those that dial.
            if way != proxy and not (way.get("ports") == [{"protocol": "TCP", "port": 7443}] and named(way.get("to"), "controllers")):
                yield f"{name} reaches {way}"


def named(peers: list[dict] | None, namespace: str) -> bool:
    """Whether only chosen pods of this namespace are meant. An entry without peers, or with an empty selector, means all."""
    return bool(peers) and all(
        set(peer) == {"namespaceSelector", "podSelector"}
        and peer["namespaceSelector"].get("matchLabels") == {"kubernetes.io/metadata.name": namespace}
        and bool(peer["podSelector"].get("matchLabels"))
        for peer in peers
    )


@rule
def only_named_pods_reach_a_desktop(objects: list[dict]) -> Iterator[str]:
    doors = {"control": "controllers", "probes": "monitoring"}
    for name, labels, _ in pods(objects):
        if not DESKTOP.items() <= labels.items():
            continue
        for way in [way for spec in policies_for(objects, labels) for way in spec.get("ingress", [])]:
            ports = [port.get("port") for port in way.get("ports", [])]
            if len(ports) != 1 or ports[0] not in doors or not named(way.get("from"), doors[ports[0]]):
                yield f"{name}: {way}"
    for service in of_kind(objects, "Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP" or DESKTOP.items() <= service["spec"].get("selector", {}).items():
            yield f"the Service {service['metadata']['name']}"
    for each in of_kind(objects, "Ingress"):
        yield f"the Ingress {each['metadata']['name']}"


@rule
def desktops_ask_for_no_names(objects: list[dict]) -> Iterator[str]:
    for name, pod in desktops(objects):
        if pod.get("dnsPolicy") != "None" or pod.get("dnsConfig") != {"nameservers": ["127.0.0.1"]}:
            yield name


@rule
def the_proxy_reaches_no_address_inside(objects: list[dict]) -> Iterator[str]:
    for policy in policies_for(objects, PROXY):
        for way in policy.get("egress", []):
            ports = {port.get("port") for port in way.get("ports", [])}
            if not ports or ports not in ({53}, {80, 443}):
                yield f"ports {ports}"
            for peer in way.get("to", [{}]):
                if "ipBlock" not in peer:
                    if not named([peer], "kube-system"):
                        yield f"{peer}"
                    continue
                block = ipaddress.ip_network(peer["ipBlock"]["cidr"])
                holes = [ipaddress.ip_network(hole) for hole in peer["ipBlock"].get("except", [])]
                for text in INSIDE:
                    address = ipaddress.ip_address(text)
                    if address.version == block.version and address in block and not any(address in hole for hole in holes):
                        yield text


@rule
def only_desktops_reach_the_proxy(objects: list[dict]) -> Iterator[str]:
    for policy in policies_for(objects, PROXY):
        for way in policy.get("ingress", []):
            if way != {"from": [{"podSelector": {"matchLabels": DESKTOP}}], "ports": [{"protocol": "TCP", "port": "proxy"}]}:
                yield f"{way}"


@rule
def the_display_is_asked_whether_it_works(objects: list[dict]) -> Iterator[str]:
    wanted = {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    for name, pod in desktops(objects):
        display = part(pod, "display")
        ports = {port["name"]: port["containerPort"] for port in display.get("ports", [])}
        if environment(display).get("DESKHAND_PROBE_LISTEN") != f"0.0.0.0:{ports.get('probes')}":
            yield f"{name}: DESKHAND_PROBE_LISTEN"
        for probe, path in wanted.items():
            if display.get(probe, {}).get("httpGet") != {"path": path, "port": "probes"}:
                yield f"{name}: {probe}"


@rule
def nothing_of_the_hardening_is_switched_off(objects: list[dict]) -> Iterator[str]:
    for name, pod in desktops(objects):
        display = environment(part(pod, "display"))
        if display.get("DESKHAND_SANDBOX") != "require":
            yield f"{name}: DESKHAND_SANDBOX"
        if display.get("DESKHAND_ALLOW_PLAINTEXT"):
            yield f"{name}: DESKHAND_ALLOW_PLAINTEXT"
        if not display.get("DESKHAND_AUDIT") or display.get("DESKHAND_AUDIT_MODE", "strict") != "strict":
            yield f"{name}: DESKHAND_AUDIT"
        if "--no-sandbox" in part(pod, "applications").get("args", []):
            yield f"{name}: --no-sandbox"


@rule
def images_have_a_version(objects: list[dict]) -> Iterator[str]:
    for name, _, pod in pods(objects):
        for container in containers(pod):
            if not re.search(r":[0-9][\w.-]*$|@sha256:[0-9a-f]{64}$", container["image"]):
                yield f"{name}: {container['image']}"
