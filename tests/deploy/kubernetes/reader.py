"""Resolves a kustomization of ours: what `kubectl kustomize` prints, for the few fields that our files use.

Anything else is refused and not ignored, so that nothing is tested that the real program would make differently. Where a
kubectl with kustomize 5 is installed, test_manifests.py compares the two.
"""

import copy
import pathlib

import yaml

FIELDS = {"apiVersion", "kind", "namespace", "resources", "images", "replicas", "patches"}
# Kinds of ours that are in no namespace.
CLUSTER_WIDE = {"Namespace"}


class Unreadable(Exception):
    """The kustomization uses something that this reader does not know, or is wrong."""


def documents(path: pathlib.Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]


def resolve(folder: pathlib.Path) -> list[dict]:
    """The objects of the kustomization in this folder."""
    (kustomization,) = documents(folder / "kustomization.yaml")
    unknown = set(kustomization) - FIELDS
    if unknown:
        raise Unreadable(f"{folder}: this reader does not know {', '.join(sorted(unknown))}")
    objects: list[dict] = []
    for resource in kustomization["resources"]:
        path = (folder / resource).resolve()
        objects += resolve(path) if path.is_dir() else documents(path)
    for patch in kustomization.get("patches", []):
        apply_patch(objects, patch, folder)
    for image in kustomization.get("images", []):
        set_image(objects, image, folder)
    for replicas in kustomization.get("replicas", []):
        for found in matching(objects, {"kind": "Deployment", "name": replicas["name"]}, folder):
            found["spec"]["replicas"] = replicas["count"]
    if "namespace" in kustomization:
        for each in objects:
            if each["kind"] not in CLUSTER_WIDE:
                each["metadata"]["namespace"] = kustomization["namespace"]
    return objects


def matching(objects: list[dict], target: dict, folder: pathlib.Path) -> list[dict]:
    if set(target) != {"kind", "name"}:
        raise Unreadable(f"{folder}: a target is a kind and a name; got {target}")
    found = [each for each in objects if each["kind"] == target["kind"] and each["metadata"]["name"] == target["name"]]
    if not found:
        raise Unreadable(f"{folder}: nothing is called {target['kind']} {target['name']}")
    return found


def set_image(objects: list[dict], image: dict, folder: pathlib.Path) -> None:
    if not {"name", "newTag"} <= set(image) <= {"name", "newName", "newTag"}:
        raise Unreadable(f"{folder}: an image has name, newTag and perhaps newName; got {image}")
    used = False
    for each in objects:
        if each["kind"] == "Deployment":
            for container in each["spec"]["template"]["spec"]["containers"]:
                name, _, _ = container["image"].rpartition(":")
                if name == image["name"]:
                    container["image"] = f"{image.get('newName', name)}:{image['newTag']}"
                    used = True
    if not used:
        raise Unreadable(f"{folder}: no container has the image {image['name']}")


def apply_patch(objects: list[dict], patch: dict, folder: pathlib.Path) -> None:
    if set(patch) != {"path", "target"}:
        raise Unreadable(f"{folder}: a patch has a path and a target; got {sorted(patch)}")
    operations = yaml.safe_load((folder / patch["path"]).read_text())
    if not isinstance(operations, list):
        raise Unreadable(f"{folder}/{patch['path']}: only JSON patches (RFC 6902), which are lists")
    for found in matching(objects, patch["target"], folder):
        for operation in operations:
            carry_out(found, operation)


def carry_out(document: dict, operation: dict) -> None:
    """One operation of RFC 6902: test, add, replace or remove."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].lstrip("/").split("/")]
    place = document
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    key = last
    if isinstance(place, list) and last != "-":
        key = int(last)
    kind = operation["op"]
    value = copy.deepcopy(operation.get("value"))
    if kind == "test":
        if place[key] != value:
            raise Unreadable(f"{operation['path']} is {place[key]!r} and not {value!r}")
    elif kind == "add" and isinstance(place, list):
        place.insert(len(place) if key == "-" else key, value)
    elif kind == "add":
        place[key] = value
    elif kind == "replace":
        place[key]  # which must be there
        place[key] = value
    elif kind == "remove":
        del place[key]
    else:
        raise Unreadable(f"this reader does not know the operation {kind}")
