#!/usr/bin/env python3
"""Writes down what is in a release: licence texts, and a bill of materials as SPDX 2.3 and CycloneDX 1.5 JSON.

    describe.py VERSION ARCHITECTURE BUILD TREE DEBUG

BUILD, TREE and DEBUG are those of build_program.sh and make_tree.sh. The parts are found, not listed: the packages of the
libraries in the tree, and the packages whose headers were compiled. Each needs its licence in LICENCES, or this fails.
Everything written depends on the inputs and on SOURCE_DATE_EPOCH only.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import uuid

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = os.environ.get("FINWAIT_PROJECT_URL", "https://example.com/finwait_exporter")

# By Debian source package, as the names of binary packages change with every version of a library.
LICENCES = {
    "brotli": "MIT",
    "cli11": "BSD-3-Clause",
    "cpp-httplib": "MIT",
    "elfutils": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "expected-lite": "BSL-1.0",
    "fmtlib": "MIT",
    "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "glibc": "LGPL-2.1-or-later",
    "libbpf": "LGPL-2.1-only OR BSD-2-Clause",
    "libcap2": "BSD-3-Clause OR GPL-2.0-only",
    "libmnl": "LGPL-2.1-or-later",
    "libnetfilter-conntrack": "GPL-2.0-or-later",
    "libnfnetlink": "GPL-2.0-or-later",
    "libseccomp": "LGPL-2.1-only",
    "libxcrypt": "LGPL-2.1-or-later",
    "libyaml": "MIT",
    "libzstd": "BSD-3-Clause OR GPL-2.0-only",
    "linux": "GPL-2.0-only WITH Linux-syscall-note",
    "nlohmann-json3": "MIT",
    "openssl": "Apache-2.0",
    "prometheus-cpp": "MIT",
    "spdlog": "MIT",
    "sqlite3": "blessing",
    "tl-expected": "CC0-1.0",
    "zlib": "Zlib",
}
# What the distributed program is under where one of its libraries is under the GPL: the sources' Apache-2.0 allows it.
COPYLEFT = "GPL-3.0-or-later"
TEXTS = ("Apache-2.0", "CC0-1.0", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"describe.py: {command[0]}: {done.stderr.strip()}")
    return done.stdout


class Component:
    """A Debian package that something in the release comes from."""

    def __init__(self, package):
        fields = run("dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}",
                     package).split("\t")
        self.package, self.version, self.architecture, self.source, self.source_version = fields
        name = re.sub(r"^gcc-\d+(-cross.*)?$", "gcc", self.source)
        name = re.sub(r"^(cross-toolchain-base.*|glibc-cross.*)$", "glibc", name)
        if name not in LICENCES:
            sys.exit(f"describe.py: the release contains {package} (source package {self.source}), whose licence is not in LICENCES")
        self.licence = LICENCES[name]

    @property
    def purl(self):
        return f"pkg:deb/debian/{self.package}@{self.version}?arch={self.architecture}"

    @property
    def sources(self):
        return f"https://snapshot.debian.org/package/{self.source}/{self.source_version}/"


def owners(paths, architecture):
    """The packages that `paths` belong to; of those that are there for several architectures, `architecture`'s."""
    found = set()
    for line in run("dpkg-query", "-S", *sorted(paths)).splitlines():
        names = [name.strip() for name in line.rpartition(": ")[0].split(",")]
        found.update(name for name in names if len(names) == 1 or name.endswith(f":{architecture}"))
    return found


def compiled_headers(build, architecture):
    """The packages of which a header was compiled into the program."""
    headers = set()
    of_a_test = False
    for line in run("ninja", "-C", str(build), "-t", "deps").splitlines():
        if line and not line.startswith(" "):
            # Of objects alone: newer CMakes tell ninja what is linked, too.
            of_a_test = line.startswith("tests/") or not line.partition(": ")[0].endswith(".o")
        elif line.startswith(" ") and not of_a_test:
            path = os.path.realpath(build / line.strip())  # ccache makes paths relative
            if path.startswith("/usr/"):
                headers.add(path)
    return owners(headers, architecture)


class File:
    """A file of the tree, by its path in it."""

    def __init__(self, path, content):
        self.path = path
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()  # SPDX 2.3 demands it


def verification_code(files):
    """SPDX's of a package of these files (clause 7.9)."""
    return hashlib.sha1("".join(sorted(file.sha1 for file in files)).encode(), usedforsecurity=False).hexdigest()


def digests(files):
    return [(file.path, file.sha256) for file in files]


def spdx(name, version, licence, created, files, components):
    identity = hashlib.sha256(json.dumps([name, digests(files), [c.purl for c in components]]).encode()).hexdigest()
    packages = [{
        "SPDXID": "SPDXRef-finwait-exporter",
        "name": "finwait_exporter",
        "versionInfo": version,
        "downloadLocation": f"{PROJECT}/releases/download/v{version}/{name}.tar.gz",
        "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": verification_code(files)},
        "licenseInfoFromFiles": ["NOASSERTION"],
        "licenseConcluded": licence,
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "2026 the finwait_exporter authors",
        "primaryPackagePurpose": "APPLICATION",
    }]
    relationships = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-finwait-exporter"}]
    for component in components:
        reference = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{component.package}-{component.architecture}")
        packages.append({
            "SPDXID": reference,
            "name": component.package,
            "versionInfo": component.version,
            "supplier": "Organization: Debian",
            "downloadLocation": component.sources,
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": component.licence,
            "copyrightText": "NOASSERTION",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl}],
        })
        relationships.append({"spdxElementId": "SPDXRef-finwait-exporter", "relationshipType": "CONTAINS", "relatedSpdxElement": reference})
    listed = []
    for number, file in enumerate(files):
        listed.append({"SPDXID": f"SPDXRef-File-{number}", "fileName": f"./{file.path}",
                       "checksums": [{"algorithm": "SHA256", "checksumValue": file.sha256},
                                     {"algorithm": "SHA1", "checksumValue": file.sha1}],
                       "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"})
        relationships.append({"spdxElementId": "SPDXRef-finwait-exporter", "relationshipType": "CONTAINS",
                              "relatedSpdxElement": f"SPDXRef-File-{number}"})
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"{PROJECT}/spdx/{name}-{identity}",
        "creationInfo": {"created": created, "creators": [f"Tool: finwait_exporter-describe-{version}"]},
        "packages": packages,
        "files": listed,
        "relationships": relationships,
    }


def licence_choice(licence):
    simple = re.fullmatch(r"[A-Za-z0-9.-]+", licence)
    return [{"license": {"id": licence}}] if simple else [{"expression": licence}]


def cyclonedx(name, version, licence, created, files, components):
    identity = hashlib.sha256(json.dumps([name, digests(files)]).encode()).hexdigest()
    listed = [{
        "type": "library",
        "bom-ref": component.purl,
        "name": component.package,
        "version": component.version,
        "licenses": licence_choice(component.licence),
        "purl": component.purl,
        "externalReferences": [{"type": "distribution", "url": component.sources}],
    } for component in components]
    listed += [{"type": "file", "bom-ref": f"file:{file.path}", "name": file.path, "hashes": [{"alg": "SHA-256", "content": file.sha256}]}
               for file in files]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(identity[:32], version=5)}",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "component": {"type": "application", "bom-ref": "finwait_exporter", "name": "finwait_exporter", "version": version,
                          "licenses": licence_choice(licence)},
        },
        "components": listed,
        "dependencies": [{"ref": "finwait_exporter", "dependsOn": [component.purl for component in components]}],
    }


def notice(version, licence, components):
    """What the tree says of its own licence, and where the sources are."""
    lines = [f"finwait_exporter {version}", "Copyright 2026 the finwait_exporter authors", ""]
    if licence == COPYLEFT:
        lines += [
            "The sources of finwait_exporter are under the Apache License 2.0 (LICENSE). This program is linked with",
            "libnetfilter_conntrack and libnfnetlink, which are under the GNU General Public License, version 2 or",
            "later; as a whole it is therefore distributed under the GNU General Public License, version 3 or later",
            "(licenses/GPL-3).",
        ]
    else:
        lines += ["The sources of finwait_exporter are under the Apache License 2.0 (LICENSE), and so is this program."]
    lines += [
        "",
        "The libraries in lib/ are those of Debian, unchanged, each under its own licence (licenses/). The complete",
        f"sources: of finwait_exporter at {PROJECT}/releases/tag/v{version},",
        "of everything else at these addresses, for as long as this release is offered; who cannot get them there",
        "is sent them by the authors at no more than the cost of sending.",
        "",
    ]
    width = max(len(component.package) for component in components)
    lines += [f"  {component.package:<{width}}  {component.licence:<41}  {component.sources}" for component in components]
    return "\n".join(lines) + "\n"


def main():
    version, architecture, build, tree, debug = sys.argv[1], sys.argv[2], *map(pathlib.Path, sys.argv[3:6])
    name = f"finwait_exporter-{version}.linux-{architecture}"
    libraries = {line.split("\t")[1].split(",")[0] for line in (debug / "libraries.tsv").read_text().splitlines()}
    components = [Component(package) for package in libraries | compiled_headers(build, architecture)]
    components = sorted({component.purl: component for component in components}.values(), key=lambda each: each.purl)
    # A development package is its library's other half: said once.
    present = {component.source for component in components if component.package in {name.split(":")[0] for name in libraries}}
    components = [component for component in components
                  if not (component.package.endswith("-dev") and component.source in present)]
    licence = COPYLEFT if any(component.licence == "GPL-2.0-or-later" for component in components) else "Apache-2.0"

    licences = tree / "licenses"
    licences.mkdir(exist_ok=True)
    for component in components:
        shutil.copyfile(f"/usr/share/doc/{component.package}/copyright", licences / component.package)
    for text in TEXTS:
        shutil.copyfile(f"/usr/share/common-licenses/{text}", licences / text)
    shutil.copyfile(HERE.parent.parent / "LICENSE", tree / "LICENSE")
    (tree / "NOTICE").write_text(notice(version, licence, components))

    files = [File(str(path.relative_to(tree)), path.read_bytes()) for path in sorted(tree.rglob("*")) if path.is_file()]
    created = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    for form, make in (("spdx", spdx), ("cdx", cyclonedx)):
        document = make(name, version, licence, created, files, components)
        (debug / f"{name}.{form}.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
