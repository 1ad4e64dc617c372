"""Lists what is in an artifact, with versions and licences: a software bill of materials, in CycloneDX 1.6.

It is read from the notes of each distribution in the artifact's folder, so it lists what is there, and needs
no network. The same artifact gives the same bytes: there is no time in it.

Source: https://cyclonedx.org/docs/1.6/json/
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

from kinesis_handler.project.dependencies import LIBRARY
from kinesis_handler.version import __version__

ENDING = ".cdx.json"

Json = dict[str, Any]


def bill_of_materials(name: str, folder: Path, zipped: Path) -> bytes:
    """Return the bill of materials of an artifact.

    Args:
        name: of the artifact.
        folder: what it has been zipped from.
        zipped: the zip, whose digest identifies the artifact.
    """
    found = sorted(distributions(path=[str(folder)]), key=lambda each: canonicalize_name(each.name))
    library = component(LIBRARY, __version__, [{"license": {"id": "Apache-2.0"}}])
    has_library = (folder / "kinesis_handler").is_dir()
    components = [*([library] if has_library else []), *map(described, found)]
    subject = {"type": "application", "bom-ref": name, "name": name}
    return bill(subject, zipped, components, {name: [each["bom-ref"] for each in components]})


def bill(
    subject: Json, file: Path, components: Sequence[Json], depends_on: Mapping[str, Sequence[str]]
) -> bytes:
    """Return the bill of materials of a file.

    Args:
        subject: what the file is, as a component.
        file: its digest identifies it, and is the version of a subject without one.
        components: what it is made of, or needs.
        depends_on: reference of a component, or of the subject → references of those that it needs.
    """
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                **subject,
                "version": subject.get("version", digest[:12]),
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
            "tools": {"components": [{"type": "library", "name": LIBRARY, "version": __version__}]},
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": needed} for ref, needed in depends_on.items()],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def described(found: Distribution) -> Json:
    """Return a distribution as a component, with its licence as its metadata names it."""
    return component(canonicalize_name(found.name), found.version, list(_licences(found)))


def component(name: str, version: str | None, licences: Sequence[Json]) -> Json:
    """Return a package of Python as a component; without a version where none is known."""
    url = f"pkg:pypi/{name}@{version}" if version else f"pkg:pypi/{name}"
    of_release = {"version": version} if version else {}
    of_licence = {"licenses": list(licences)} if licences else {}
    return {"type": "library", "bom-ref": url, "name": name, **of_release, "purl": url, **of_licence}


def _licences(found: Distribution) -> Iterator[Json]:
    """Yield the licence that a distribution names: an expression of SPDX, or else names."""
    metadata: Mapping[str, Any] = found.metadata  # type: ignore[assignment] # headers, of which one may repeat
    for field in ("License-Expression", "License"):
        said = metadata.get(field, None) or ""
        try:
            yield {"expression": canonicalize_license_expression(said)}
        except InvalidLicenseExpression:
            continue
        return
    classified = found.metadata.get_all("Classifier") or []
    names = [each.rpartition(" :: ")[2] for each in classified if each.startswith("License :: ")]
    if not names and (text := metadata.get("License", None)):
        names = [text.partition("\n")[0]]
    yield from ({"license": {"name": each}} for each in names)
