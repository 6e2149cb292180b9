#!/usr/bin/python3
"""Starts and signals that have ended or misled services: each is survived, or refused with one sentence and exit code 2."""

import argparse
import collections
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import passwords
from suite import FEW_COLLECTORS, PATIENCE, Program, eventually, fetch, need, run, sandbox, status

address_spaces = range(40, 400, 20)  # MiB


def signals_do_not_end_it(folder):
    with Program(folder) as program:
        need(program.serves(), f"it does not serve: {program.log()}")
        # Left out are those that ask it to end, or come of a mistake of its own.
        meant = "TERM INT QUIT KILL STOP ABRT BUS FPE ILL SEGV SYS TRAP XCPU".split()
        for one in sorted(signal.valid_signals() - {getattr(signal, f"SIG{name}") for name in meant}):
            processes = program.pids()
            for pid in processes:
                os.kill(pid, one)
                if one in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
                    os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)  # for it to end, which it must not
            need(program.process.poll() is None and status() == 200, f"{one!r} ends it")
            need(program.pids() == processes, f"{one!r} ends its reader")
        need(eventually(lambda: "SIGHUP" in program.log()), "SIGHUP is not logged")
        need(program.ends_well(), "SIGTERM does not end it well")


EARLY_SIGNALS = """
#include <signal.h>
#include <unistd.h>
__attribute__((constructor)) static void send(void) {
  const int all[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR, SIGRTMIN, SIGRTMAX};
  for (unsigned i = 0; i < sizeof all / sizeof *all; ++i) kill(getpid(), all[i]);
}
"""


def with_early_signals(folder):
    """An environment in which a program gets them while the libraries that it is linked with are made ready, before main."""
    library = f"{folder}/early.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=EARLY_SIGNALS, text=True, check=True)
    return {**os.environ, "LD_PRELOAD": library}


def signals_at_the_start_do_not_end_it(folder):
    with Program(folder, env=with_early_signals(folder)) as program:
        need(program.serves(), f"it ends with {program.process.poll()}")
        need(eventually(lambda: "SIGHUP" in program.log()), "the hangup is lost")
        need(program.ends_well(), "SIGTERM does not end it well")


def a_hangup_ends_what_is_no_service(folder):
    """Its terminal has gone."""
    done = subprocess.run([str(sandbox.PROGRAM), "check"], env=with_early_signals(folder), capture_output=True, check=False)
    need(done.returncode < 0, f"check ends with {done.returncode}")


def a_hangup_reads_the_web_configuration_again(folder):
    config = pathlib.Path(folder) / "web.yml"
    config.write_text("")
    with Program(folder, [f"--web.config.file={config}"]) as program:
        need(program.serves(), f"it does not serve: {program.log()}")
        config.write_text(f"basic_auth_users:\n  a: {passwords.bcrypt('secret', 4)}\n")
        time.sleep(0.3)
        need("has changed" not in program.log(), "it was read before it was asked for")  # nobody asked meanwhile
        os.kill(program.process.pid, signal.SIGHUP)
        need(eventually(lambda: "the web configuration has changed" in program.log()), program.log())
        need(status() == 401, "the new users are not asked for")
        config.write_text("nonsense: true\n")
        os.kill(program.process.pid, signal.SIGHUP)
        need(eventually(lambda: "cannot be used" in program.log()), program.log())


def what_was_left_open_is_closed(folder):
    root = os.open("/", os.O_RDONLY)
    fcntl.fcntl(root, fcntl.F_DUPFD, 60)
    left_open = [root, *range(60, 62)]
    for fd in left_open[1:]:
        os.dup2(root, fd)
    with Program(folder, pass_fds=left_open) as program:
        need(program.serves(), f"it does not serve: {program.log()}")
        links = {fd: os.readlink(f"/proc/{program.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{program.process.pid}/fd")}
        need("/" not in links.values(), f"the root directory is open in it: {links}")
    for fd in left_open:
        os.close(fd)


def closed_standard_streams_become_dev_null(folder):
    """Each by itself, and with others."""
    for closed in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        words = " ".join(f"{fd}>&-" for fd in closed)
        with Program(folder, FEW_COLLECTORS, prefix=["sh", "-c", f'exec "$@" {words}', "sh"]) as program:
            need(program.serves(), f"it does not serve without {closed}")
            for fd in closed:
                target = os.readlink(f"/proc/{program.process.pid}/fd/{fd}")
                need(target == "/dev/null", f"descriptor {fd} is {target} without {closed}")


def others_of_its_user_cannot_read_it(folder):
    as_nobody = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    with Program(folder, prefix=as_nobody) as program:
        need(program.serves(), f"it does not serve: {program.log()}")
        attempt = subprocess.run([*as_nobody, "cat", f"/proc/{program.process.pid}/environ"], capture_output=True, check=False)
        need(attempt.returncode != 0, "its environment can be read")


def too_little_memory_is_a_sentence(folder):
    outcomes = {}
    for mebibytes in address_spaces:
        with Program(folder, prefix=["prlimit", f"--as={mebibytes << 20}"]) as program:
            serves = program.serves()
            code = program.process.poll()
            outcomes[mebibytes] = "serves" if serves else code
            if serves:
                continue
            text = program.log()
            loader = code == 127 and "cannot" in text  # the dynamic loader's own refusal
            need(code == 2 or loader, f"with {mebibytes} MiB it ends with {code}: {text}")
            need(0 < len(text.strip().splitlines()[-1]) < 400, f"with {mebibytes} MiB it says {text}")
    tried = collections.Counter(outcomes.values())
    print(f"        {', '.join(f'{outcome}: {times}' for outcome, times in tried.items())}")
    need("serves" in tried and 2 in tried, f"the limits tried decide nothing: {outcomes}")


def no_thread_left_is_a_sentence(folder):
    codes = set()
    for threads in range(1, 16):
        prefix = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "prlimit", f"--nproc={threads}"]
        with Program(folder, prefix=prefix) as program:
            serves = program.serves()
            code = program.process.poll()
            need(serves or code == 2, f"with {threads} threads it ends with {code}: {program.log()}")
            need(serves or "thread" in program.log() or "Resource temporarily" in program.log(), program.log())
            codes.add(0 if serves else 2)
    need(2 in codes, "the limits tried decide nothing")


def too_few_descriptors_are_a_sentence(folder):
    """It would listen and never have one for a client, or be blind."""
    for descriptors, expected in ((4, 2), (9, 2), (63, 2), (64, None)):
        with Program(folder, prefix=["prlimit", f"--nofile={descriptors}"]) as program:
            code = None if program.serves() else program.process.poll()
            need(code == expected, f"with {descriptors} descriptors it ends with {code}: {program.log()}")
            errors = [line for line in program.log().splitlines() if "level=error" in line]
            need(code is None or (len(errors) == 1 and "LimitNOFILE" in errors[0]), program.log())


def a_log_whose_reader_has_gone_stops_nothing(folder):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with Program(folder, stderr=write_end) as program:
        need(program.serves(), "it does not serve while nobody can read its log")
        for process in program.pids():
            os.kill(process, signal.SIGPIPE)
        need(eventually(lambda: status("/readyz") == 200), "it is not ready any more")
        need(program.ends_well(), "SIGTERM does not end it well")
    os.close(write_end)


def a_log_that_nobody_reads_stops_nothing(folder):
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, 1031, 4096)  # F_SETPIPE_SZ
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write_end, True)
    config = pathlib.Path(folder) / "full.yml"
    config.write_text("")
    with Program(folder, [f"--web.config.file={config}"], stderr=write_end) as program:
        need(program.serves(), "it does not serve while its log is full")
        config.write_text("nonsense: true\n")  # which the event loop itself logs
        need(status() == 500 and status() == 500, "it does not answer while its log is full")
        config.write_text("")
        need(eventually(lambda: status() == 200), "it does not answer any more")
        os.set_blocking(read_end, False)
        os.read(read_end, 1 << 20)
        config.write_text("nonsense: true\n")
        need(status() == 500, "it does not answer")
        need(eventually(lambda: b"log lines were lost" in os.read(read_end, 1 << 20)), "the loss is not told")
        need(program.ends_well(), "SIGTERM does not end it well")
    os.close(read_end)
    os.close(write_end)


def a_log_on_a_full_disk_stops_nothing(folder):
    with open("/dev/full", "wb") as full, Program(folder, stderr=full) as program:
        need(program.serves(), "it does not serve")
        need(program.ends_well(), "SIGTERM does not end it well")


def a_log_that_may_not_grow_stops_nothing(folder):
    with Program(folder, prefix=["prlimit", "--fsize=0"]) as program:
        need(program.serves(), f"it ends with {program.process.poll()}")
        need(program.ends_well(), "SIGTERM does not end it well")


def a_procfs_of_processes_only_is_not_ready(folder):
    """Nor does its absence of settings mean that this kernel has no conntrack."""
    with Procfs(folder, "subset=pid") as procfs, Program(folder, [f"--path.procfs={procfs}"]) as program:
        need(program.serves(), f"it does not serve: {program.log()}")
        blind_for_want_of(procfs)


def a_procfs_that_goes_away_is_not_ready(folder):
    with Procfs(folder) as procfs, Program(folder, [f"--path.procfs={procfs}", "--sampling.interval=1s"]) as program:
        need(eventually(lambda: status("/readyz") == 200), f"it is never ready: {fetch('/readyz')}")
        subprocess.run(["umount", "-l", procfs], check=True)
        blind_for_want_of(procfs)
        subprocess.run(["mount", "-t", "proc", "proc", procfs], check=True)
        need(eventually(lambda: status("/readyz") == 200), f"it is never ready again: {fetch('/readyz')}")


class Procfs:
    """A procfs of its own, mounted where the block runs."""

    def __init__(self, folder, *options):
        self.path = str(pathlib.Path(folder, "proc"))
        self.options = options

    def __enter__(self):
        os.mkdir(self.path)
        options = ["-o", ",".join(self.options)] if self.options else []
        subprocess.run(["mount", "-t", "proc", *options, "proc", self.path], check=True)
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], capture_output=True, check=False)


def blind_for_want_of(procfs):
    """What is said where the program can tell nothing of the kernel."""
    need(eventually(lambda: f"{procfs}/sys/net is not there" in fetch("/readyz")[1]), f"the reason: {fetch('/readyz')}")
    need(status("/readyz") == 503, "it is ready")
    need(eventually(lambda: status("/health") == 500), f"/health is {fetch('/health')}")
    need(eventually(lambda: "finwait_risk_score " not in fetch("/metrics")[1]), "there is a score")
    health = fetch("/health")[1]
    need("no connection tracking here" not in health, f"it says that there is no conntrack: {health}")


def a_passed_socket_is_served_on(folder):
    activate = shutil.which("systemd-socket-activate")
    listener = None
    if activate:
        prefix = [activate, "--listen=127.0.0.1:10062"]
        how = {}
    else:  # as it does: descriptor 3, and a process that knows it is meant
        listener = socket.create_server(("127.0.0.1", 10062))
        os.set_inheritable(listener.fileno(), True)
        prefix = ["sh", "-c", f'exec 3<&{listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"', "sh"]
        how = {"pass_fds": [listener.fileno()]}
    with Program(folder, ["--web.systemd-socket"], prefix=prefix, **how) as program:
        if listener:
            listener.close()
        need(eventually(lambda: status(port=10062) == 200), f"it does not serve on the socket: {program.log()}")
        need(status() == 0, "it serves on --web.listen-address, too")
        need(program.ends_well(), "SIGTERM does not end it well")
    with Program(folder, ["--web.systemd-socket"]) as program:
        need(program.process.wait(PATIENCE) == 2, "without a socket it does not end with 2")
        need("no socket was passed" in program.log(), program.log())


TESTS = [
    signals_do_not_end_it,
    signals_at_the_start_do_not_end_it,
    a_hangup_ends_what_is_no_service,
    a_hangup_reads_the_web_configuration_again,
    what_was_left_open_is_closed,
    closed_standard_streams_become_dev_null,
    others_of_its_user_cannot_read_it,
    too_little_memory_is_a_sentence,
    no_thread_left_is_a_sentence,
    too_few_descriptors_are_a_sentence,
    a_log_whose_reader_has_gone_stops_nothing,
    a_log_that_nobody_reads_stops_nothing,
    a_log_on_a_full_disk_stops_nothing,
    a_log_that_may_not_grow_stops_nothing,
    a_procfs_of_processes_only_is_not_ready,
    a_procfs_that_goes_away_is_not_ready,
    a_passed_socket_is_served_on,
]


def main():
    global address_spaces  # what the command line says, for the one test that asks
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="tests whose name has this text")
    parser.add_argument("--as", dest="spaces", nargs=3, type=int, metavar=("FROM", "TO", "STEP"), help="limits of memory in MiB")
    arguments = parser.parse_args()
    if arguments.spaces:
        address_spaces = range(*arguments.spaces)
    run(TESTS, arguments.only)


if __name__ == "__main__":
    main()
