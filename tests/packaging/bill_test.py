#!/usr/bin/python3
"""The bills of materials of a release: complete, and of the form that their formats demand.

    bill_test.py RELEASE TREE
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import unittest

import bill_forms

RELEASE, TREE = map(pathlib.Path, sys.argv[1:3])
SPDX = json.loads(next(RELEASE.glob("*.spdx.json")).read_text())
CYCLONEDX = json.loads(next(RELEASE.glob("*.cdx.json")).read_text())


class BillTest(unittest.TestCase):
    def test_every_file_of_the_tree_is_listed_with_its_digest(self):
        files = {str(path.relative_to(TREE)): hashlib.sha256(path.read_bytes()).hexdigest()
                 for path in TREE.rglob("*") if path.is_file()}
        self.assertEqual(files, {each["fileName"].removeprefix("./"): next(one["checksumValue"] for one in each["checksums"] if one["algorithm"] == "SHA256")
                          for each in SPDX["files"]})
        self.assertEqual(files, {each["name"]: each["hashes"][0]["content"] for each in CYCLONEDX["components"] if each["type"] == "file"})

    def test_every_library_comes_from_a_listed_package_with_its_licence_text(self):
        packages = {each["name"] for each in SPDX["packages"]}
        self.assertEqual(packages - {"finwait_exporter"},
                         {each["name"] for each in CYCLONEDX["components"] if each["type"] == "library"})
        for library in (TREE / "lib").glob("*.so*"):
            soname = re.search(r"SONAME\s+(\S+)", subprocess.run(["objdump", "-p", library], check=True, capture_output=True, text=True).stdout)
            owner = subprocess.run(["dpkg-query", "-S", f"*/{soname[1]}"], check=True, capture_output=True, text=True).stdout
            owners = {line.partition(":")[0] for line in owner.splitlines()}
            self.assertTrue(owners & packages, f"{library.name} of {owners}")
        for package in packages - {"finwait_exporter"}:
            self.assertGreater((TREE / "licenses" / package).stat().st_size, 100, package)

    def test_headers_without_a_library_are_listed(self):
        packages = {each["name"] for each in SPDX["packages"]}
        self.assertLessEqual({"nlohmann-json3-dev", "libcli11-dev", "libexpected-dev"}, packages)
        self.assertNotIn("libgtest-dev", packages)

    def test_spdx_is_of_its_form(self):
        self.assertEqual(bill_forms.spdx_faults(SPDX), [])

    @unittest.skipIf(bill_forms.schemas() is None, "npm and its registry are needed for the schemas, once")
    def test_cyclonedx_is_as_its_schema_demands(self):
        self.assertEqual(bill_forms.cyclonedx_faults(CYCLONEDX), [])
        self.assertEqual(bill_forms.licence_faults(each["licenseDeclared"] for each in SPDX["packages"]), [])

    def test_a_library_under_the_gpl_shows_in_the_licence_of_the_whole(self):
        whole = SPDX["packages"][0]["licenseConcluded"]
        copyleft = any(each["licenseDeclared"] == "GPL-2.0-or-later" for each in SPDX["packages"])
        self.assertEqual(whole, "GPL-3.0-or-later" if copyleft else "Apache-2.0")
        self.assertEqual("distributed under the GNU General Public License" in (TREE / "NOTICE").read_text(), copyleft)


unittest.main(argv=sys.argv[:1])
