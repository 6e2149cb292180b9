#!/usr/bin/env python3
"""Writes an OCI image layout of release trees: one image for each architecture, and an index of them.

    make_image.py VERSION REVISION OUT ARCHITECTURE=TREE...

OUT is a folder that any tool for OCI images takes (skopeo copy oci:OUT docker://...). An image is the tree at /, and nothing
else: no shell, no package manager. Its bytes depend on the inputs and on SOURCE_DATE_EPOCH only.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import sys
import tarfile

HOME = "usr/lib/finwait-exporter"
USER = "65534:65534"  # a number, so that Kubernetes can tell that it is not root


class Layout:
    """A content-addressed store."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)

    def add(self, kind, content):
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    def add_json(self, kind, document):
        return self.add(kind, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def layer(tree, epoch):
    """The file system of an image, as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:

        def add(name, kind, mode, content=b"", link=""):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime, entry.linkname, entry.size = kind, mode, epoch, link, len(content)
            archive.addfile(entry, io.BytesIO(content))

        for folder in ("usr", "usr/bin", "usr/lib", HOME):
            add(folder, tarfile.DIRTYPE, 0o755)
        for path in sorted(tree.rglob("*")):
            name = f"{HOME}/{path.relative_to(tree)}"
            if path.is_dir():
                add(name, tarfile.DIRTYPE, 0o755)
            else:
                add(name, tarfile.REGTYPE, 0o755 if os.access(path, os.X_OK) else 0o644, path.read_bytes())
        add("usr/bin/finwait_exporter", tarfile.SYMTYPE, 0o777, link="../lib/finwait-exporter/finwait_exporter")
    return buffer.getvalue()


def main():
    version, revision, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    layout = Layout(out)
    manifests = []
    for argument in sys.argv[4:]:
        architecture, _, tree = argument.partition("=")
        tree = pathlib.Path(tree)
        copyleft = "distributed under the GNU General Public License" in (tree / "NOTICE").read_text()
        labels = {
            "org.opencontainers.image.title": "finwait_exporter",
            "org.opencontainers.image.description": "Finds TCP connections whose FIN conntrack and a firewall rule swallow",
            "org.opencontainers.image.licenses": "GPL-3.0-or-later" if copyleft else "Apache-2.0",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.revision": revision,
            "org.opencontainers.image.created": created,
        }
        files = layer(tree, epoch)
        platform = {"architecture": architecture, "os": "linux"}
        if architecture == "arm64":
            platform["variant"] = "v8"
        config = layout.add_json("application/vnd.oci.image.config.v1+json", {
            **platform,
            "created": created,
            "config": {
                "User": USER,
                "ExposedPorts": {"10061/tcp": {}},
                "Entrypoint": ["/usr/bin/finwait_exporter"],
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(files).hexdigest()]},
            "history": [{"created": created, "created_by": "finwait_exporter packaging/release/make_image.py"}],
        })
        manifest = layout.add_json("application/vnd.oci.image.manifest.v1+json", {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layout.add("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(files, 9, mtime=0))],
            "annotations": labels,
        })
        manifests.append({**manifest, "platform": platform})
    index = layout.add_json("application/vnd.oci.image.index.v1+json", {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    })
    (out / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (out / "index.json").write_text(json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**index, "annotations": {"org.opencontainers.image.ref.name": version}}],
    }, sort_keys=True))


main()
