"""What deploy/kubernetes says: valid, as kubectl reads it, and about programs, flags and files that there are."""

import copy
import importlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import kubernetes_validate
import ours
import reader
import restricted
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy/kubernetes"
STRONG = ROOT / "deploy/compose/strong"
KUSTOMIZATIONS = {str(path.parent.relative_to(FOLDER)): path.parent for path in sorted(FOLDER.glob("**/kustomization.yaml"))}
# The oldest whose schemas the validator has; the newest comes from it.
OLDEST = "1.25.0"


def resolved() -> dict[str, list[dict]]:
    return {name: reader.resolve(folder) for name, folder in KUSTOMIZATIONS.items()}


class Manifests(unittest.TestCase):
    def test_there_are_a_base_and_its_overlays(self) -> None:
        self.assertEqual(set(KUSTOMIZATIONS), {"base", "overlays/warm-pool", "overlays/chromium", "overlays/dial-out"})

    def test_every_object_is_valid_in_the_oldest_and_the_newest_kubernetes(self) -> None:
        for name, objects in resolved().items():
            self.assertGreater(len(objects), 9)
            for each in objects:
                for version in (OLDEST, kubernetes_validate.latest_version()):
                    with self.subTest(name, kind=each["kind"], called=each["metadata"]["name"], version=version):
                        kubernetes_validate.validate(each, version, strict=True)

    def test_the_validation_refuses_what_is_misspelt(self) -> None:
        for each in resolved()["base"]:
            if each["kind"] in ("Deployment", "NetworkPolicy"):
                wrong = copy.deepcopy(each)
                wrong["spec"]["podSelectors"] = {}
                with self.subTest(each["metadata"]["name"]), self.assertRaises(kubernetes_validate.ValidationError):
                    kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)

    def test_kubectl_reads_the_same(self) -> None:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            self.skipTest("there is no kubectl here; the reader of these tests stands alone")
        version = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, check=False).stdout
        if not re.search(r"Kustomize Version: v(5|[6-9]|\d\d)\.", version):
            self.skipTest("the kubectl here has a kustomize before version 5")
        for name, folder in KUSTOMIZATIONS.items():
            with self.subTest(name):
                said = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
                theirs = {key(each): each for each in yaml.safe_load_all(said)}
                self.assertEqual({key(each): each for each in reader.resolve(folder)}, theirs)

    def test_the_reader_refuses_what_it_does_not_know(self) -> None:
        objects = reader.resolve(KUSTOMIZATIONS["base"])
        wrong = [
            {"op": "test", "path": "/metadata/name", "value": "another"},
            {"op": "move", "path": "/metadata/name", "from": "/kind"},
        ]
        for operation in wrong:
            with self.subTest(operation["op"]), self.assertRaises(reader.Unreadable):
                reader.carry_out(copy.deepcopy(objects[0]), operation)
        with self.assertRaises(KeyError):
            reader.carry_out(copy.deepcopy(objects[0]), {"op": "replace", "path": "/metadata/nothing", "value": 1})

    def test_the_programs_are_in_the_image(self) -> None:
        for name, objects in resolved().items():
            for _, pod in ours.desktops(objects):
                for container in pod["containers"]:
                    (command,) = container["command"]
                    program = STRONG / pathlib.PurePosixPath(command).relative_to("/usr/lib/deskhand/strong")
                    with self.subTest(name, container=container["name"]):
                        self.assertTrue(os.access(program, os.X_OK), program)

    def test_the_files_have_the_names_that_the_display_looks_for(self) -> None:
        known = set(re.findall(r"\b[\w-]+\.(?:toml|jsonl|key|crt)\b", (STRONG / "services/deskhand/run").read_text()))
        for name, objects in resolved().items():
            for _, pod in ours.desktops(objects):
                given = set()
                for volume in pod["volumes"]:
                    for source in volume.get("projected", {}).get("sources", []):
                        (kind,) = source
                        given |= {item["path"] for item in source[kind]["items"]}
                with self.subTest(name):
                    self.assertIn("tokens.toml", given)
                    self.assertLessEqual(given, known)

    def test_the_seccomp_profile_is_the_one_that_we_ship(self) -> None:
        profiles = [ours.part(pod, "applications")["securityContext"]["seccompProfile"] for _, pod in ours.desktops(resolved()["overlays/chromium"])]
        self.assertEqual(profiles, [{"type": "Localhost", "localhostProfile": "profiles/deskhand-chromium.json"}])
        json.loads((ROOT / "deploy/compose/seccomp-chromium.json").read_text())

    def test_the_users_are_those_of_the_images(self) -> None:
        desktop = int(re.search(r"^ARG FIRST_USER=(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1])
        proxy = int(re.search(r"^ARG EGRESS_USER=(\d+)$", (ROOT / "deploy/egress/Dockerfile").read_text(), re.MULTILINE)[1])
        for name, objects in resolved().items():
            users = {}
            for _, _, pod in ours.pods(objects):
                for container in pod["containers"]:
                    users[container["name"]] = restricted.inherited(pod, container, "runAsUser")
            with self.subTest(name):
                self.assertEqual(users, {"display": desktop, "applications": desktop + 1, "egress": proxy})

    def test_the_network_forbids_the_proxy_what_the_proxy_forbids_itself(self) -> None:
        sys.path.insert(0, str(ROOT / "deploy/egress"))
        self.addCleanup(sys.path.pop, 0)
        addresses = importlib.import_module("allowlist.addresses")
        holes = set()
        for policy in ours.policies_for(resolved()["base"], ours.PROXY):
            for way in policy.get("egress", []):
                for peer in way["to"]:
                    holes |= set(peer.get("ipBlock", {}).get("except", []))
        # Of IPv6 the policy opens only 2000::/3, so the rest needs no hole.
        refused = set(addresses.REFUSED_V4) | {each for each in addresses.REFUSED_V6 if each.startswith("2")}
        self.assertEqual(holes, refused)

    def test_the_flags_are_deskhands(self) -> None:
        program = os.environ.get("DESKHAND_TEST_PROGRAM")
        if program is None:
            self.skipTest("no binary to ask")
        said = subprocess.run([program, "serve", "--help"], capture_output=True, text=True, check=True).stdout
        known = set(re.findall(r"\[env: (DESKHAND_\w+)=", said))
        used = {f"DESKHAND_{flag}" for flag in re.findall(r"^(?:\[.*\|\| )?give \S+ (\w+)$", (STRONG / "services/deskhand/run").read_text(), re.MULTILINE)}
        for objects in resolved().values():
            for _, pod in ours.desktops(objects):
                used |= {name for name in ours.environment(ours.part(pod, "display")) if name.startswith("DESKHAND_")}
        self.assertGreater(len(used), 10)
        self.assertEqual(used - known, set())


def key(each: dict) -> tuple[str, str]:
    return each["kind"], each["metadata"]["name"]


if __name__ == "__main__":
    unittest.main()
