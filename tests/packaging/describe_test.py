#!/usr/bin/python3
"""The bills of materials that packaging/release/describe.py writes, of made-up parts: of the form that their formats demand.
Those of a real release are bill_test.py's.
"""

import copy
import pathlib
import sys
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "packaging/release")]
import bill_forms  # noqa: E402  (found by the line above)
import describe  # noqa: E402

WHEN = "2026-11-28T12:00:00Z"
NEEDS_NPM = "npm and its registry are needed for the schemas, once"


def component(package, licence):
    made = types.SimpleNamespace(package=package, version="1:2.3~rc1-4+b1", architecture="arm64", source=package, licence=licence)
    made.purl = f"pkg:deb/debian/{package}@{made.version}?arch={made.architecture}"
    made.sources = f"https://snapshot.debian.org/package/{package}/{made.version}/"
    return made


COMPONENTS = [component(f"lib{name}+2", licence) for name, licence in sorted(describe.LICENCES.items())]
FILES = [describe.File("finwait_exporter", b"\x7fELF"), describe.File("lib/libc.so.6", b""), describe.File("licenses/a b", b"text")]


def make(form):
    return form("finwait_exporter-0.1.0.linux-arm64", "0.1.0", describe.COPYLEFT, WHEN, FILES, COMPONENTS)


class DescribeTest(unittest.TestCase):
    def test_spdx_is_of_its_form(self):
        self.assertEqual(bill_forms.spdx_faults(make(describe.spdx)), [])

    def test_each_fault_of_an_spdx_bill_is_found(self):
        good = make(describe.spdx)
        for fault in (
            lambda bill: bill.pop("dataLicense"),
            lambda bill: bill.update(unknown=1),
            lambda bill: bill["packages"][0].update(filesAnalyzed=False),
            lambda bill: bill["packages"][1].pop("filesAnalyzed"),
            lambda bill: bill["packages"][1].update(downloadLocation="somewhere"),
            lambda bill: bill["packages"][1]["externalRefs"][0].update(referenceCategory="PACKAGE_MANAGERS"),
            lambda bill: bill["files"][0]["checksums"].pop(),
            lambda bill: bill["files"][0]["checksums"][0].update(checksumValue="00"),
            lambda bill: bill["files"][1].update(SPDXID=bill["files"][0]["SPDXID"]),
            lambda bill: bill["relationships"][1].update(relatedSpdxElement="SPDXRef-nobody"),
            lambda bill: bill["creationInfo"].update(created="yesterday"),
        ):
            bill = copy.deepcopy(good)
            fault(bill)
            self.assertNotEqual(bill_forms.spdx_faults(bill), [])

    @unittest.skipIf(bill_forms.schemas() is None, NEEDS_NPM)
    def test_cyclonedx_is_as_its_schema_demands(self):
        good = make(describe.cyclonedx)
        self.assertEqual(bill_forms.cyclonedx_faults(good), [])
        for fault in (
            lambda bill: bill.update(serialNumber="1"),
            lambda bill: bill["components"][0].update(type="librarian"),
            lambda bill: bill["components"][0].update(licenses=[{"license": {"id": "MIT OR ISC"}}]),
            lambda bill: bill["components"][-1]["hashes"][0].update(alg="SHA-255"),
            lambda bill: bill["dependencies"][0]["dependsOn"].append("nobody"),
        ):
            bill = copy.deepcopy(good)
            fault(bill)
            self.assertNotEqual(bill_forms.cyclonedx_faults(bill), [])

    @unittest.skipIf(bill_forms.schemas() is None, NEEDS_NPM)
    def test_every_licence_is_one_that_spdx_lists(self):
        self.assertEqual(bill_forms.licence_faults([*describe.LICENCES.values(), describe.COPYLEFT]), [])
        self.assertEqual(bill_forms.licence_faults(["MIT OR Beerware-7"]), ["Beerware-7"])

    def test_the_same_parts_make_the_same_bill(self):
        for form in (describe.spdx, describe.cyclonedx):
            self.assertEqual(make(form), make(form))

    def test_the_verification_code_is_of_the_sorted_digests(self):
        # By sha1sum, of the three one after the other.
        files = [types.SimpleNamespace(sha1=digest * 40) for digest in "cab"]
        self.assertEqual(describe.verification_code(files), "b17e71b60e43c92c73a1d6b4c812888d4d997f0e")


if __name__ == "__main__":
    unittest.main()
