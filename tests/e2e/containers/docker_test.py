"""A real Docker with its default rules, started in networks of the test's own: a container's idle connections outlive the
host's entries. The exporter foretells by count what becomes of them, then finds them stuck, and names the container."""

import contextlib
import pathlib
import shutil
import sys
import unittest

from engine import Containers, answer, image
from machine import FLAGS, PORT, enter_a_machine_of_its_own, sandbox

SOCKET = "unix:///run/docker.sock"


def docker(*arguments, **options):
    return answer(["docker", f"--host={SOCKET}", *arguments], **options)


class RealDocker(Containers, unittest.TestCase):
    engine = staticmethod(docker)

    @classmethod
    def setUpClass(cls):
        scene = contextlib.ExitStack()
        cls.addClassCleanup(scene.close)
        sandbox.shell("mkdir -p /var/lib/docker; mount -t tmpfs tmpfs /var/lib/docker")
        enter_a_machine_of_its_own()
        log = "/run/tmp/dockerd.log"
        daemon = ["dockerd", f"--host={SOCKET}", "--storage-driver=vfs", "--exec-root=/run/docker", "--pidfile=/run/docker.pid"]
        scene.enter_context(sandbox.running(daemon, log=log))
        try:
            sandbox.wait_for("answer of Docker's", lambda: cls.answers(), 60)
        except RuntimeError as error:
            raise unittest.SkipTest(f"{error}: {pathlib.Path(log).read_text()[-2000:]}") from error
        docker("import", "-", "box", input=image())
        scene.enter_context(sandbox.peer_listening(PORT))
        cls.exporter = scene.enter_context(sandbox.exporter(*FLAGS))

    @staticmethod
    def answers():
        try:
            return docker("info")
        except RuntimeError:
            return None


if __name__ == "__main__":
    missing = [tool for tool in ("dockerd", "docker", "containerd", "runc", "busybox") if shutil.which(tool) is None]
    if missing:
        print(f"{', '.join(missing)}: not installed (Debian's docker.io and busybox)", file=sys.stderr)
        sys.exit(sandbox.SKIPPED)
    sandbox.enter_or_skip()
    unittest.main()
