#!/usr/bin/python3
"""A process that is stopped for a while, or killed, while sockets get stuck: each is counted, once, and no counter goes back."""

import os
import signal
import sys
import time

from suite import Program, eventually, need, run, sandbox

PORT = 7000
SOCKETS = 25
DROP = "table ip t {\n chain o {\n type filter hook output priority 0; ct state invalid counter drop;\n }\n }"


def stuck_total():
    return sum(value for series, value in sandbox.metrics().items() if series.startswith("finwait_tcp_sockets_stuck_total"))


def get_stuck():
    """A process's connections outlive their entries and are closed."""
    with sandbox.connections(SOCKETS, PORT) as client:
        sandbox.shell("conntrack -F 2>/dev/null")
        client.kill()
        client.wait()


def sockets_stuck_while_it_is_stopped_are_all_counted(folder):
    sandbox.shell(f"nft '{DROP}' && sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0")
    with sandbox.peer_listening(PORT), Program(folder, ["--sampling.interval=1s", "--namespaces=none"]) as program:
        need(program.serves(), program.log())
        get_stuck()
        need(eventually(lambda: stuck_total() == SOCKETS), f"{stuck_total()} of {SOCKETS} are counted: {program.log()}")
        for pid in program.pids():
            os.kill(pid, signal.SIGSTOP)
        get_stuck()
        time.sleep(3)  # of those that it sleeps through
        for pid in program.pids():
            os.kill(pid, signal.SIGCONT)
        need(eventually(lambda: stuck_total() == 2 * SOCKETS), f"{stuck_total()} of {2 * SOCKETS} are counted: {program.log()}")
        time.sleep(3)
        need(stuck_total() == 2 * SOCKETS, f"{stuck_total()} are counted, more than there were")
        need(program.ends_well(), "SIGTERM does not end it well")


TESTS = [sockets_stuck_while_it_is_stopped_are_all_counted]

if __name__ == "__main__":
    run(TESTS, *sys.argv[1:])
