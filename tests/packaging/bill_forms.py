"""What a bill of materials has to be like: CycloneDX by its own schema, SPDX by what version 2.3 of it demands of the fields that
we write. SPDX's schema is found in no package; FINWAIT_SPDX_SCHEMA may name a file of it (spdx-spec, schemas/spdx-schema.json).
"""

import functools
import json
import os
import pathlib
import re
import subprocess

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent

TEXT = {"type": "string", "minLength": 1}
REFERENCE = {"type": "string", "pattern": "^SPDXRef-[A-Za-z0-9.-]+$"}
ADDRESS = {"type": "string", "pattern": "^https?://[^ ]+$"}


def of(*required, **properties):
    """An object of these fields and no others; those named first must be there."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def some(items):
    return {"type": "array", "items": items, "minItems": 1}


CHECKSUM = {
    "oneOf": [
        of("algorithm", "checksumValue", algorithm={"const": name}, checksumValue={"pattern": f"^[0-9a-f]{{{size}}}$"})
        for name, size in (("SHA1", 40), ("SHA256", 64))
    ]
}
PACKAGE = of(
    "SPDXID",
    "name",
    "downloadLocation",
    SPDXID=REFERENCE,
    name=TEXT,
    versionInfo=TEXT,
    supplier={"type": "string", "pattern": "^(Person|Organization): .+$"},
    downloadLocation=ADDRESS,
    filesAnalyzed={"type": "boolean"},
    packageVerificationCode=of("packageVerificationCodeValue", packageVerificationCodeValue={"pattern": "^[0-9a-f]{40}$"}),
    licenseInfoFromFiles=some({"const": "NOASSERTION"}),
    licenseConcluded=TEXT,
    licenseDeclared=TEXT,
    copyrightText=TEXT,
    primaryPackagePurpose={"enum": ["APPLICATION", "LIBRARY"]},
    externalRefs=some(
        of(
            "referenceCategory",
            "referenceType",
            "referenceLocator",
            referenceCategory={"const": "PACKAGE-MANAGER"},
            referenceType={"const": "purl"},
            referenceLocator={"type": "string", "pattern": r"^pkg:deb/debian/[^@/]+@[^?]+\?arch=[a-z0-9]+$"},
        )
    ),
)
# A package whose files are not listed has no code of them, and one whose files are has.
PACKAGE["if"] = {"properties": {"filesAnalyzed": {"const": False}}, "required": ["filesAnalyzed"]}
PACKAGE["then"] = {"not": {"anyOf": [{"required": ["packageVerificationCode"]}, {"required": ["licenseInfoFromFiles"]}]}}
PACKAGE["else"] = {"required": ["packageVerificationCode"]}

SPDX = of(
    "spdxVersion",
    "dataLicense",
    "SPDXID",
    "name",
    "documentNamespace",
    "creationInfo",
    spdxVersion={"const": "SPDX-2.3"},
    dataLicense={"const": "CC0-1.0"},
    SPDXID={"const": "SPDXRef-DOCUMENT"},
    name=TEXT,
    documentNamespace={"type": "string", "pattern": "^https?://[^# ]+$"},
    creationInfo=of(
        "created",
        "creators",
        created={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        creators=some({"type": "string", "pattern": r"^Tool: .+-[0-9][^ ]*$"}),
    ),
    packages=some(PACKAGE),
    files=some(
        of(
            "SPDXID",
            "fileName",
            "checksums",
            SPDXID=REFERENCE,
            fileName={"type": "string", "pattern": r"^\./[^/]"},
            checksums={**some(CHECKSUM), "contains": {"properties": {"algorithm": {"const": "SHA1"}}}},
            licenseConcluded=TEXT,
            copyrightText=TEXT,
        )
    ),
    relationships=some(
        of(
            "spdxElementId",
            "relationshipType",
            "relatedSpdxElement",
            spdxElementId=REFERENCE,
            relationshipType={"enum": ["DESCRIBES", "CONTAINS"]},
            relatedSpdxElement=REFERENCE,
        )
    ),
)


def spdx_faults(document):
    faults = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in jsonschema.Draft7Validator(SPDX).iter_errors(document)]
    official = os.environ.get("FINWAIT_SPDX_SCHEMA")
    if official:
        schema = json.loads(pathlib.Path(official).read_text())
        faults += [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document)]
    elements = document.get("packages", []) + document.get("files", [])
    identities = [each.get("SPDXID") for each in elements] + ["SPDXRef-DOCUMENT"]
    faults += [f"{each} is defined twice" for each in sorted(set(identities)) if identities.count(each) > 1]
    for each in document.get("relationships", []):
        missing = {each.get("spdxElementId"), each.get("relatedSpdxElement")} - set(identities)
        faults += [f"{identity} is not defined" for identity in missing]
    # The files of a package whose files are not analysed belong to nobody.
    opaque = {each["SPDXID"] for each in document.get("packages", []) if not each.get("filesAnalyzed", True)}
    files = {each["SPDXID"] for each in document.get("files", [])}
    for each in document.get("relationships", []):
        if each["relationshipType"] == "CONTAINS" and each["spdxElementId"] in opaque and each["relatedSpdxElement"] in files:
            faults.append(f"{each['spdxElementId']} contains files, and is said not to be analysed")
    return faults


@functools.cache
def schemas():
    """The schemas by the last part of their names; nothing where npm, or its registry, cannot be had, but in CI."""
    found = subprocess.run([HERE / "schemas/fetch.sh"], capture_output=True, text=True)
    if found.returncode != 0:
        if os.environ.get("CI"):
            raise RuntimeError(found.stderr)
        return None
    folder = pathlib.Path(found.stdout.strip())
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.schema.json")}


def cyclonedx_faults(document):
    known = schemas()
    schema = known["bom-1.5.SNAPSHOT.schema.json"]
    # They name each other by file, relative to their own addresses.
    store = {f"http://cyclonedx.org/schema/{name}": content for name, content in known.items()}
    validator = jsonschema.Draft7Validator(schema, resolver=jsonschema.RefResolver(schema["$id"], schema, store=store))
    faults = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(document)]
    references = {each["bom-ref"] for each in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
    for each in document["dependencies"]:
        faults += [f"{reference} is not defined" for reference in {each["ref"], *each["dependsOn"]} - references]
    return faults


def licence_faults(expressions):
    """Which of these SPDX expressions name a licence, or an exception, that SPDX does not list."""
    listed = set(schemas()["spdx.SNAPSHOT.schema.json"]["enum"])
    words = {word for expression in expressions for word in re.split(r"[ ()]+", expression)}
    return sorted(words - listed - {"OR", "AND", "WITH", "NOASSERTION", ""})
