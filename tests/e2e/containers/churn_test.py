"""A namespace that comes and goes costs nothing that lasts: descriptors, series, memory and claims on the CPU budget return.
tools/churn_namespaces.py is the long form."""

import time
import unittest

import churn
from machine import FLAGS, enter_a_machine_of_its_own, sandbox

AT_ONCE = 20
WARMING = 60
NUMBER = 100


class Churn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        enter_a_machine_of_its_own()

    def nothing_lasts(self, depth, coverage):
        with sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]):
            time.sleep(3)
            at_rest = churn.others(sandbox.metrics())
            churn.make_and_remove(WARMING, AT_ONCE, coverage)
            before = churn.settle(at_rest)
            most = churn.make_and_remove(NUMBER, AT_ONCE, coverage)
            self.assertGreaterEqual(most, AT_ONCE / 2, f"{coverage} at a time")
            self.assertEqual(churn.settle(at_rest).what_grew(before, 4e6), [])

    def test_observed(self):
        self.nothing_lasts("observe", "observed")

    def test_entered(self):
        self.nothing_lasts("enter", "entered")


if __name__ == "__main__":
    sandbox.enter_or_skip()
    unittest.main()
