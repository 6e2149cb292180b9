#!/usr/bin/python3
"""scripts/demo.sh tells its whole story, shows it on the page, and leaves nothing behind, even on Ctrl-C or SIGTERM."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests/lab"))
import sandbox as lab  # noqa: E402  (the path comes first)

MOST = 180  # seconds: the demo promises three minutes


class Demo:
    """One run without a terminal, and all that came of it. Its processes carry a mark in their environment."""

    def __init__(self):
        self.mark = f"FINWAIT_DEMO_TEST={uuid.uuid4()}"
        self.files = tempfile.TemporaryDirectory()
        name, _, value = self.mark.partition("=")
        environment = {
            **os.environ,
            name: value,
            "FINWAIT_PROGRAM": str(lab.PROGRAM),
            "TMPDIR": self.files.name,
            "HOME": self.files.name,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            [ROOT / "scripts/demo.sh"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a terminal sends Ctrl-C to all of a session's foreground group
        )
        self.watchdog = threading.Timer(MOST, self.process.kill)
        self.watchdog.start()
        self.said = ""

    def until(self, pattern):
        """Reads on to the first line that matches; AssertionError where the demo ends before."""
        for line in self.process.stdout:
            self.said += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the demo ended without saying {pattern}:\n{self.said}")

    def end(self):
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        code = self.process.wait()
        self.watchdog.cancel()
        return code

    def left_behind(self):
        """Processes and files of the demo's that are still there. A network or a mount of its own needs a process."""
        files = [f"file {path}" for path in pathlib.Path(self.files.name).iterdir()]
        return files + [f"process {name}" for name in self.processes()]

    def processes(self):
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (process / "environ").read_bytes():
                    yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it is gone, or not ours


@unittest.skipIf(os.geteuid() != 0, "the demo needs root")
class DemoTest(unittest.TestCase):
    def setUp(self):
        self.demo = Demo()
        self.addCleanup(self.demo.files.cleanup)
        self.addCleanup(self.demo.process.kill)

    def check_nothing_left(self):
        # The kernel ends the processes of a namespace when its first one is gone: at once, and yet after we hear of it.
        end = time.monotonic() + 10
        while self.demo.left_behind() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.demo.left_behind(), [])

    def test_it_tells_the_whole_story_and_shows_it_on_the_page(self):
        page = self.demo.until(r"page, live: (\S+)")[1]
        self.demo.until("none, score 0")
        self.demo.until("latent, score ")
        # 25 to the service, and the connections that Prometheus now keeps from scrape to scrape.
        self.demo.until("exposed, score .*20 of 2[5-9] open connections would get stuck")
        self.assertIn('<h1 id="stage">Exposed</h1>', lab.get(page)[1])
        self.demo.until("alert firing at the webhook: FinwaitSocketsAtRisk")
        self.demo.until("failing, score .*20 closed connections are stuck")
        self.demo.until("here 20 sockets in FIN_WAIT_1 .* the service still believes in 25 connections")
        self.demo.until("alert firing at the webhook: FinwaitSocketsStuck")
        self.demo.until("here 0 in FIN_WAIT_1; the service has 5 connections")
        self.demo.until("alert resolved at the webhook: FinwaitSocketsStuck")
        self.demo.until("nothing is left behind")
        self.assertEqual(self.demo.end(), 0, self.demo.said)
        self.check_nothing_left()

    def test_ctrl_c_in_the_middle_leaves_nothing_behind(self):
        self.demo.until("exposed, score ")
        self.assertGreater(len(list(self.demo.processes())), 3)
        os.killpg(self.demo.process.pid, signal.SIGINT)
        self.assertEqual(self.demo.end(), 128 + signal.SIGINT, self.demo.said)
        self.assertTrue(self.demo.said.endswith("Stopped.\n"), self.demo.said)
        self.check_nothing_left()

    def test_sigterm_to_the_demo_alone_leaves_nothing_behind(self):
        self.demo.until("none, score 0")
        self.demo.process.terminate()
        self.assertNotEqual(self.demo.end(), 0)
        self.check_nothing_left()


class RefusalTest(unittest.TestCase):
    def test_an_ordinary_user_is_told_in_one_sentence_to_be_root(self):
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        told = subprocess.run(
            [*as_nobody, "/usr/bin/python3", ROOT / "scripts/demo.py"], capture_output=True, text=True, check=False
        )
        self.assertEqual(told.returncode, 1)
        self.assertRegex(told.stderr, r"^Run this as root: [^\n]*\n$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
