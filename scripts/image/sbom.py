"""Print the image's bill of materials, CycloneDX 1.6 as JSON.

    sbom.py FOLDER

Joins python.cdx.json and page.cdx.json in FOLDER, the Debian packages of the machine this runs on,
and the model that FOLDER/model/healer-openvino.json describes, if there is one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def main(folder: Path) -> str:
    bom = Bom()
    for part in ("python.cdx.json", "page.cdx.json"):
        bom.components.update(components_of(folder / part))
    bom.components.update(debian())
    bom.components.update(model(folder / "model" / "healer-openvino.json"))
    bom.metadata.component = Component(name="healer", type=ComponentType.CONTAINER)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def components_of(path: Path) -> Iterator[Component]:
    found = Bom.from_json(json.loads(path.read_text(encoding="utf-8")))  # type: ignore[attr-defined]
    for component in found.components:
        yield Component(
            name=component.name,
            version=component.version,
            type=component.type,
            group=component.group,
            purl=component.purl,
            licenses=component.licenses,
        )


def debian() -> Iterator[Component]:
    expected = "${Package} ${Version} ${Architecture}\n"
    command = ["dpkg-query", "--show", "--showformat", expected]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    for line in listed.splitlines():
        name, version, architecture = line.split(" ")
        purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
        yield Component(name=name, version=version, purl=purl)


def model(record: Path) -> Iterator[Component]:
    if not record.is_file():
        return
    described = json.loads(record.read_text(encoding="utf-8"))
    weights = next(file for file in described["files"] if file["name"] == "language.bin")
    yield Component(
        name=described["source"]["model_id"],
        version=described["source"]["revision"],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=weights["sha256"])],
    )


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])))
