#!/usr/bin/env python3
"""Writes where a release comes from, as an in-toto statement with SLSA's provenance.

    make_provenance.py REVISION OUT PACKAGES...   OUT is the folder of the release; PACKAGES are lists that dpkg-query made in
                                                  the build roots, one for each architecture: "package version" a line
"""

import datetime
import hashlib
import json
import os
import pathlib
import sys

PROJECT = os.environ.get("FINWAIT_PROJECT_URL", "https://example.com/finwait_exporter")


def main():
    revision, out = sys.argv[1], pathlib.Path(sys.argv[2])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    time = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    subjects = [{"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}
                for path in sorted(out.iterdir()) if path.is_file()]
    packages = {}
    for argument in sys.argv[3:]:
        for line in pathlib.Path(argument).read_text().splitlines():
            name, version = line.split()
            packages[f"pkg:deb/debian/{name}@{version}"] = None
    dependencies = [{"uri": f"git+{PROJECT}", "digest": {"gitCommit": revision}}]
    dependencies += [{"uri": uri} for uri in sorted(packages)]
    print(json.dumps({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{PROJECT}/blob/main/scripts/release.sh",
                "externalParameters": {"revision": revision, "SOURCE_DATE_EPOCH": epoch},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {"id": os.environ.get("FINWAIT_BUILDER", f"{PROJECT}/blob/main/scripts/release.sh")},
                "metadata": {"startedOn": time},
            },
        },
    }, indent=1))


main()
