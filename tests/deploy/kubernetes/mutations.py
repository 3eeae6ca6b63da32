"""What may go wrong with the manifests, one thing at a time: the rule that must notice, what is changed, and the change."""

from collections.abc import Callable

from ours import DESKTOP, PROXY, desktops, of_kind, part

# Changes of any one pod. Each is tried on each pod of each kustomization.
OF_PODS: list[tuple[str, str, Callable[[dict], object]]] = []
# Changes of the objects as a whole.
OF_THE_WHOLE: list[tuple[str, str, Callable[[list[dict]], object]]] = []


def pod(rule: str, what: str, change: Callable[[dict], object]) -> None:
    OF_PODS.append((rule, what, change))


def whole(rule: str, what: str, change: Callable[[list[dict]], object]) -> None:
    OF_THE_WHOLE.append((rule, what, change))


def last(each: dict) -> dict:
    """The last container: a check that looks only at the first must not do."""
    return each["containers"][-1]


def context(each: dict) -> dict:
    return last(each)["securityContext"]


def init_container(**security: object) -> Callable[[dict], None]:
    """An init container as ours are, but for these."""

    def change(each: dict) -> None:
        added = {**last(each), "name": "first"}
        added["securityContext"] = {**added["securityContext"], **security}
        each["initContainers"] = [added]

    return change


# --- the standard ---
for field in ("hostNetwork", "hostPID", "hostIPC"):
    pod("no_namespace_of_the_host", field, lambda each, field=field: each.update({field: True}))
pod("no_windows_host_process", "hostProcess", lambda each: context(each).update(windowsOptions={"hostProcess": True}))
pod("not_privileged", "privileged", lambda each: context(each).update(privileged=True))
pod("not_privileged", "a privileged init container", init_container(privileged=True))
pod("all_capabilities_are_dropped", "nothing dropped", lambda each: context(each).pop("capabilities"))
pod("all_capabilities_are_dropped", "only one dropped", lambda each: context(each)["capabilities"].update(drop=["NET_RAW"]))
pod("no_capability_is_added", "SYS_ADMIN", lambda each: context(each)["capabilities"].update(add=["SYS_ADMIN"]))
pod("only_harmless_kinds_of_volumes", "hostPath", lambda each: each["volumes"].append({"name": "host", "hostPath": {"path": "/"}}))
pod("no_port_of_the_host", "hostPort", lambda each: last(each).update(ports=[{"containerPort": 1, "hostPort": 1}]))
pod("probes_and_hooks_ask_nobody_else", "a probe of another host", lambda each: last(each).update(livenessProbe={"tcpSocket": {"host": "10.0.0.1", "port": 1}}))
pod("probes_and_hooks_ask_nobody_else", "a hook to another host", lambda each: last(each).update(lifecycle={"preStop": {"httpGet": {"host": "10.0.0.1", "port": 1}}}))
pod("apparmor_is_not_switched_off", "Unconfined", lambda each: context(each).update(appArmorProfile={"type": "Unconfined"}))
pod("no_selinux_user_or_role", "a type of the host", lambda each: context(each).update(seLinuxOptions={"type": "spc_t"}))
pod("no_selinux_user_or_role", "a user", lambda each: each["securityContext"].update(seLinuxOptions={"user": "system_u"}))
pod("proc_is_masked", "Unmasked", lambda each: context(each).update(procMount="Unmasked"))
pod("seccomp_is_on", "Unconfined", lambda each: context(each).update(seccompProfile={"type": "Unconfined"}))
pod("seccomp_is_on", "the pod's Unconfined", lambda each: each["securityContext"].update(seccompProfile={"type": "Unconfined"}))
pod("seccomp_is_on", "nowhere said", lambda each: (context(each).pop("seccompProfile"), each["securityContext"].pop("seccompProfile")))
pod("only_safe_sysctls", "kernel.msgmax", lambda each: each["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]))
pod("no_new_privileges", "true", lambda each: context(each).update(allowPrivilegeEscalation=True))
pod("no_new_privileges", "not said, which means true", lambda each: context(each).pop("allowPrivilegeEscalation"))
pod("runs_as_non_root", "false", lambda each: context(each).update(runAsNonRoot=False))
pod("runs_as_non_root", "nowhere said", lambda each: ([c["securityContext"].pop("runAsNonRoot") for c in each["containers"]], each["securityContext"].pop("runAsNonRoot")))
pod("no_user_is_root", "0", lambda each: context(each).update(runAsUser=0))
pod("no_user_is_root", "the pod's 0", lambda each: each["securityContext"].update(runAsUser=0))

# --- ours, of every pod ---
pod("roots_are_read_only", "false", lambda each: context(each).update(readOnlyRootFilesystem=False))
pod("roots_are_read_only", "an init container's", init_container(readOnlyRootFilesystem=False))
pod("no_capability_at_all", "one that the standard allows", lambda each: context(each)["capabilities"].update(add=["NET_BIND_SERVICE"]))
pod("seccomp_is_the_runtimes_or_ours", "a profile that we do not know", lambda each: context(each).update(seccompProfile={"type": "Localhost", "localhostProfile": "profiles/lax.json"}))
pod("no_identity_in_the_cluster", "a token of the account", lambda each: each.pop("automountServiceAccountToken"))
pod("no_identity_in_the_cluster", "another account", lambda each: each.update(serviceAccountName="default"))
pod("no_identity_in_the_cluster", "a projected token", lambda each: each["volumes"].append({"name": "t", "projected": {"defaultMode": 0o440, "sources": [{"serviceAccountToken": {"path": "t"}}]}}))
for resource in ("cpu", "memory", "ephemeral-storage"):
    pod("everything_has_a_limit", f"no limit of {resource}", lambda each, resource=resource: last(each)["resources"]["limits"].pop(resource))
pod("everything_has_a_limit", "no requests", lambda each: last(each)["resources"].pop("requests"))
pod("everything_has_a_limit", "a volume without an end", lambda each: each["volumes"][-1]["emptyDir"].pop("sizeLimit"))
pod("volumes_in_memory_fit_into_the_limit", "more than the memory", lambda each: [volume["emptyDir"].update(sizeLimit="4Gi", medium="Memory") for volume in each["volumes"] if "emptyDir" in volume])
pod("images_have_a_version", "latest", lambda each: last(each).update(image="registry.example/deskhand:latest"))
pod("images_have_a_version", "none", lambda each: last(each).update(image="registry.example:5000/deskhand"))


# --- ours, of the whole ---
def desktop(objects: list[dict]) -> dict:
    return next(each for _, each in desktops(objects))


def container(objects: list[dict], name: str) -> dict:
    return part(desktop(objects), name)


def mount(objects: list[dict], name: str, volume: str) -> dict:
    return next(each for each in container(objects, name)["volumeMounts"] if each["name"] == volume)


def variable(objects: list[dict], name: str) -> dict:
    return next(each for each in container(objects, "display")["env"] if each["name"] == name)


def policy(objects: list[dict], name: str) -> dict:
    return next(each["spec"] for each in of_kind(objects, "NetworkPolicy") if each["metadata"]["name"] == name)


def deployment(objects: list[dict]) -> dict:
    return next(each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == "desktop")


def secret_volume(objects: list[dict]) -> dict:
    return next(volume for volume in desktop(objects)["volumes"] if "projected" in volume)


def service(**spec: object) -> dict:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "added"}, "spec": spec}


def access_policy(**spec: object) -> dict:
    """A policy for desktops that somebody adds in a file of its own."""
    return {"kind": "NetworkPolicy", "metadata": {"name": "added"}, "spec": {"podSelector": {"matchLabels": DESKTOP}, "policyTypes": ["Ingress", "Egress"], **spec}}


def world(objects: list[dict]) -> list[dict]:
    """The proxy's peers that are addresses."""
    return next(way["to"] for way in policy(objects, "egress")["egress"] if "ipBlock" in way["to"][0])


whole("the_namespace_enforces_the_standard", "baseline", lambda all_: of_kind(all_, "Namespace")[0]["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "baseline"}))
whole("the_namespace_enforces_the_standard", "only a warning", lambda all_: of_kind(all_, "Namespace")[0]["metadata"]["labels"].pop("pod-security.kubernetes.io/enforce"))
whole("one_desktop_a_pod", "two in one", lambda all_: desktop(all_)["containers"].append({**container(all_, "applications"), "name": "more"}))
whole("one_desktop_a_pod", "an init container", lambda all_: desktop(all_).update(initContainers=[{**container(all_, "applications"), "name": "more"}]))
whole("one_desktop_a_pod", "a bare pod", lambda all_: all_.append({"kind": "Pod", "metadata": {"name": "bare"}}))
whole("desktops_are_a_deployment_that_lets_claimed_pods_go", "a selector without the pool", lambda all_: deployment(all_)["spec"]["selector"]["matchLabels"].pop("deskhand.dev/pool"))
whole("desktops_are_a_deployment_that_lets_claimed_pods_go", "a policy for unclaimed pods only", lambda all_: policy(all_, "desktop")["podSelector"]["matchLabels"].update({"deskhand.dev/pool": "warm"}))
whole("no_identity_in_the_cluster", "an account with a token", lambda all_: of_kind(all_, "ServiceAccount")[0].pop("automountServiceAccountToken"))
whole("no_identity_in_the_cluster", "rights", lambda all_: all_.append({"kind": "RoleBinding", "metadata": {"name": "added"}, "subjects": [{"name": "desktop", "namespace": "deskhand"}]}))
whole("applications_have_a_user_of_their_own", "the display's", lambda all_: container(all_, "applications")["securityContext"].update(runAsUser=71000))
whole("applications_have_a_user_of_their_own", "the pod's", lambda all_: container(all_, "applications")["securityContext"].pop("runAsUser"))
whole("applications_see_no_process_of_the_display", "one process namespace", lambda all_: desktop(all_).update(shareProcessNamespace=True))
whole("secrets_are_files_that_only_the_display_has", "a Secret in a manifest", lambda all_: all_.append({"kind": "Secret", "metadata": {"name": "added"}}))
whole("secrets_are_files_that_only_the_display_has", "the applications have them too", lambda all_: container(all_, "applications")["volumeMounts"].append(mount(all_, "display", "access")))
whole("secrets_are_files_that_only_the_display_has", "not mounted at all", lambda all_: container(all_, "display")["volumeMounts"].remove(mount(all_, "display", "access")))
whole("secrets_are_files_that_only_the_display_has", "writable", lambda all_: mount(all_, "display", "access").pop("readOnly"))
whole("secrets_are_files_that_only_the_display_has", "in the environment", lambda all_: container(all_, "display")["env"].append({"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}))
whole("secrets_are_files_that_only_the_display_has", "a token in the environment", lambda all_: container(all_, "display")["env"].append({"name": "DESKHAND_TOKEN_FILE", "value": "/run/token"}))
whole("secrets_are_files_that_only_the_display_has", "a whole Secret in the environment", lambda all_: container(all_, "applications").update(envFrom=[{"secretRef": {"name": "a"}}]))
whole("secrets_are_files_that_only_the_display_has", "readable by all", lambda all_: secret_volume(all_)["projected"].update(defaultMode=0o444))
whole("secrets_are_files_that_only_the_display_has", "no hash of a token", lambda all_: secret_volume(all_)["projected"]["sources"].pop(0))
for volume in ("x11", "cookie"):
    whole("what_both_share_the_applications_only_read", f"{volume} can be written", lambda all_, volume=volume: mount(all_, "applications", volume).pop("readOnly"))
whole("what_both_share_the_applications_only_read", "one /tmp", lambda all_: mount(all_, "applications", "applications-tmp").update(name="display-tmp"))
whole("what_both_share_the_applications_only_read", "the control socket", lambda all_: container(all_, "applications")["volumeMounts"].append({**mount(all_, "display", "private"), "readOnly": True}))
whole("the_namespace_is_shut_in_both_directions", "no default", lambda all_: all_.remove(next(each for each in all_ if each["metadata"]["name"] == "nothing")))
whole("the_namespace_is_shut_in_both_directions", "egress open by default", lambda all_: policy(all_, "nothing").update(policyTypes=["Ingress"]))
whole("the_namespace_is_shut_in_both_directions", "a default that allows", lambda all_: policy(all_, "nothing").update(egress=[{}]))
whole("desktops_reach_the_proxy_and_nobody_else", "names of the cluster", lambda all_: policy(all_, "desktop")["egress"].append({"ports": [{"protocol": "UDP", "port": 53}]}))
whole("desktops_reach_the_proxy_and_nobody_else", "every port of the proxy", lambda all_: policy(all_, "desktop")["egress"][0].pop("ports"))
whole("desktops_reach_the_proxy_and_nobody_else", "everything", lambda all_: policy(all_, "desktop")["egress"].append({}))
whole("desktops_reach_the_proxy_and_nobody_else", "every controller port", lambda all_: policy(all_, "desktop")["egress"].append({"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 7443}]}))
whole("desktops_reach_the_proxy_and_nobody_else", "another policy", lambda all_: all_.append(access_policy(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])))
whole("desktops_reach_the_proxy_and_nobody_else", "not even the proxy", lambda all_: policy(all_, "desktop")["egress"].pop(0))
whole("only_named_pods_reach_a_desktop", "everybody", lambda all_: policy(all_, "desktop")["ingress"].append({}))
whole("only_named_pods_reach_a_desktop", "the whole namespace of the controllers", lambda all_: policy(all_, "desktop")["ingress"].append({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "controllers"}}}], "ports": [{"port": "control"}]}))
whole("only_named_pods_reach_a_desktop", "every port", lambda all_: policy(all_, "desktop")["ingress"][0].pop("ports"))
whole("only_named_pods_reach_a_desktop", "monitoring may control", lambda all_: policy(all_, "desktop")["ingress"][-1].update(ports=[{"port": "control"}]))
whole("only_named_pods_reach_a_desktop", "a Service", lambda all_: all_.append(service(selector=DESKTOP)))
whole("only_named_pods_reach_a_desktop", "a port of the nodes", lambda all_: all_.append(service(type="NodePort", selector=PROXY)))
whole("only_named_pods_reach_a_desktop", "an Ingress", lambda all_: all_.append({"kind": "Ingress", "metadata": {"name": "added"}}))
whole("desktops_ask_for_no_names", "the cluster's resolver", lambda all_: desktop(all_).update(dnsPolicy="ClusterFirst"))
whole("desktops_ask_for_no_names", "somebody's resolver", lambda all_: desktop(all_)["dnsConfig"].update(nameservers=["192.0.2.53"]))
whole("the_proxy_reaches_no_address_inside", "metadata", lambda all_: world(all_)[0]["ipBlock"]["except"].remove("169.254.0.0/16"))
whole("the_proxy_reaches_no_address_inside", "private networks", lambda all_: world(all_)[0]["ipBlock"].pop("except"))
whole("the_proxy_reaches_no_address_inside", "all of IPv6", lambda all_: world(all_)[1]["ipBlock"].update(cidr="::/0"))
whole("the_proxy_reaches_no_address_inside", "every port", lambda all_: policy(all_, "egress")["egress"][-1].pop("ports"))
whole("the_proxy_reaches_no_address_inside", "every pod", lambda all_: world(all_).append({"podSelector": {}}))
whole("only_desktops_reach_the_proxy", "every pod", lambda all_: policy(all_, "egress")["ingress"][0].update({"from": [{"podSelector": {}}]}))
for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
    whole("the_display_is_asked_whether_it_works", f"no {probe}", lambda all_, probe=probe: container(all_, "display").pop(probe))
whole("the_display_is_asked_whether_it_works", "another port", lambda all_: variable(all_, "DESKHAND_PROBE_LISTEN").update(value="0.0.0.0:7012"))
whole("nothing_of_the_hardening_is_switched_off", "the sandbox", lambda all_: variable(all_, "DESKHAND_SANDBOX").update(value="try"))
whole("nothing_of_the_hardening_is_switched_off", "no TLS", lambda all_: container(all_, "display")["env"].append({"name": "DESKHAND_ALLOW_PLAINTEXT", "value": "true"}))
whole("nothing_of_the_hardening_is_switched_off", "no audit", lambda all_: container(all_, "display")["env"].remove(variable(all_, "DESKHAND_AUDIT")))
whole("nothing_of_the_hardening_is_switched_off", "actions without a record", lambda all_: container(all_, "display")["env"].append({"name": "DESKHAND_AUDIT_MODE", "value": "available"}))
whole("nothing_of_the_hardening_is_switched_off", "Chromium without its sandbox", lambda all_: container(all_, "applications").update(args=["chromium", "--no-sandbox"]))
