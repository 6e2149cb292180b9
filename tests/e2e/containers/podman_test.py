"""A real podman, rootful, with its default network, in networks of the test's own (see engine.py)."""

import contextlib
import shutil
import sys
import unittest

from engine import Containers, answer, image
from machine import FLAGS, PORT, enter_a_machine_of_its_own, sandbox

# Without systemd, without a limit that a container in a test may not raise, and on a file system that takes no overlay. runc, as
# crun refuses a machine with both versions of cgroups.
FLAGS_OF_PODMAN = ("--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--events-backend=none", "--runtime=runc")


def podman(*arguments, **options):
    return answer(["podman", *FLAGS_OF_PODMAN, *arguments], **options)


class RealPodman(Containers, unittest.TestCase):
    engine = staticmethod(podman)
    RUN_FLAGS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")

    @classmethod
    def setUpClass(cls):
        scene = contextlib.ExitStack()
        cls.addClassCleanup(scene.close)
        sandbox.shell("for at in /var/lib/containers /run/containers; do mkdir -p $at; mount -t tmpfs tmpfs $at; done")
        enter_a_machine_of_its_own()
        try:
            podman("import", "-", "box", input=image())
            podman("run", "--rm", *cls.RUN_FLAGS, "box", "/bin/sh", "-c", "true")
        except RuntimeError as error:
            raise unittest.SkipTest(str(error)) from error
        scene.enter_context(sandbox.peer_listening(PORT))
        cls.exporter = scene.enter_context(sandbox.exporter(*FLAGS))


if __name__ == "__main__":
    missing = [tool for tool in ("podman", "runc", "conmon", "busybox") if shutil.which(tool) is None]
    if missing:
        print(f"{', '.join(missing)}: not installed (Debian's podman, runc and busybox)", file=sys.stderr)
        sys.exit(sandbox.SKIPPED)
    sandbox.enter_or_skip()
    unittest.main()
