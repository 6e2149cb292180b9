#!/usr/bin/python3
"""Which test plays which of the red team's attacks, and how many of them are held.

They were 65 single requests, which single_requests.py plays, with some more, and 34 scenarios; below is each of these, with
the tests that play it. Without arguments it holds that these tests are there. With --run it plays all of them from a build
and counts what came out (half an hour; the floods measure how long others wait, and are played last). A scenario is held
where each of its tests has run and passed: one that was skipped has told nothing.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys

from suite import sandbox

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
BINARIES = ("unit", "kernel", "e2e")
PATIENCE = 1200  # seconds, for one test

# A test is "FILE.py: FUNCTION or NAME", or "BINARY: SUITE.TEST" of GoogleTest.
SCENARIOS = {
    "floods of idle, partial and complete requests, from 1 to 1,000 addresses": [
        "e2e: SiegeTest.PlainHttpAnswersWithinASecondIn64MB",
        "unit: ServerAbuse.SlowIdleAndHugeClientsAtOnceHoldUpNobody",
        "unit: ServerFairness.OnePeersRequestsLeaveAWorkerToOthers",
        "protection.py: probes_are_served_whatever_else_is_held",
        "protection.py: who_asks_one_after_the_other_is_never_one_too_many",
        "unit: ServerAuth.AProbeThatHasComeIsReadBeforeItsPeersOldestIsEnded",
        "unit: FairWorkersTest.WhoIsToldOfTheOutcomeFindsThePlaceFree",
        "floods.py: connections that say nothing",
        "floods.py: heads that do not end",
        "floods.py: scrapes",
    ],
    "slow readers, plain and gzip": [
        "unit: ServerAbuse.ManySlowReadersHoldUpNobodyAndTheirMemoryIsBounded",
        "unit: ServerAbuse.AResponseThatIsNotReadInTimeIsCutAndLeavesNoSocketBehind",
    ],
    "a flood of TLS handshakes": [
        "unit: ServerTlsFairness.HandshakesOfAFloodLeaveTheNextTurnToOthers",
        "unit: FairWorkersTest.WhoHasHadLittleOvertakesWhatAFloodHasBegun",
        "unit: ServerTlsFairness.AHandshakeThatTakesLongHoldsUpNoEstablishedConnection",
        "floods.py: ClientHellos, RSA-4096",
        "floods.py: ClientHellos, P-256",
    ],
    "idle connections against a TLS client far away": [
        "unit: ServerFairness.TheFullestPeerLosesAConnectionAndWhoHoldsOneDoesNot",
        "floods.py: idle against TLS",
    ],
    "renegotiation, tickets, resumption, compression, TLS 1.1, ALPN h2 alone, a wrong server name": [
        "protection.py: what_tls_may_not_do_is_refused",
        "unit: ServerTls.NoSessionCanBeResumed",
    ],
    "a key that is unreadable, mismatched, missing, a FIFO, endless; a broken file": [
        "e2e: WebConfigTest.ABrokenFileAfterTheStartIsAnErrorToClientsAndTheLog",
        "e2e: WebConfigTest.AFileThatCannotBeIsRefusedAtTheStartInOneSentence",
        "unit: WatchedFileTest.WhatIsNoFileOrTooLargeIsRefusedAtOnce",
    ],
    "client certificates: none, the right one, others": [
        "e2e: WebConfigTest.ClientCertificatesAreDemandedAsGoDoes",
        "e2e: WebConfigTest.OnlyAllowedNamesAreLetIn",
    ],
    "who is a user, by the time of a refusal": [
        "protection.py: who_is_a_user_is_not_told_by_the_work_of_a_refusal",
        "unit: AuthenticatorTest.AnUnknownUserIsWrongEvenWithAUsersPassword",
    ],
    "a flood of guessed passwords against a first login": [
        "unit: ServerAuth.WhoHasNotBeenCheckedYetIsNextHoweverManyGuess",
        "e2e: WebConfigTest.AFloodOfWrongPasswordsHoldsUpNobodyWhoIsKnown",
        "floods.py: guessed passwords against first logins",
    ],
    "one client at the rate limit": [
        "unit: TokenBucket.WhoAsksNowAndThenIsLetInWhileOneFloods",
        "unit: TokenBucket.WhoAsksNowAndThenIsLetInWhile200Flood",
        "unit: ServerFairness.ProbesAreOutsideOfLimits",
        "floods.py: the rate limit, scrapes",
        "floods.py: the rate limit, probes",
    ],
    "CR LF in configured headers": ["unit: WebConfigParser.WhatWouldEndAHeaderBecomesABlank"],
    "a Host field of somebody else's (DNS rebinding)": [
        "unit: ServerAllowedHosts.ARequestForAnotherNameIs421ExceptForProbes",
        "unit: AllowedHosts.AddressesLocalhostAndTheNamesGivenPass",
        "protection.py: only_this_hosts_own_names_are_answered",
        "unit: ServerAllowedHosts.TheAuthorityOfATargetIsCheckedLikeHost",
        "unit: OwnNamesTest.TheCanonicalNameOfAShortOneIsInTheHostsFile",
    ],
    "hostile names and comments on the page, in JSON, the log and the metrics": [
        "names.py: page_json_log_and_metrics_hold_them_as_text",
        "unit: HtmlTest.EveryCharacterThatMeansSomethingInHtmlIsEscaped",
    ],
    "hostile names and comments in a terminal": [
        "names.py: a_terminal_gets_no_controls",
        "names.py: usage_errors_get_no_controls",
        "names.py: the_table_of_the_program_has_them_all",
        "unit: JsonTest.WhatActsOnATerminalIsEscaped",
        "unit: TextTest.ControlCharactersFromTheKernelDoNotReachTheTerminal",
    ],
    "capabilities and filter of every thread": ["e2e: PrivilegeTest.TheReadersIsNetAdminAloneAndTheServersNothing"],
    "60 system calls from inside": [
        "unit: Sandbox.RefusesWhatStartsProgramsOrChangesProcesses",
        "unit: Sandbox.RefusesToWriteFilesAndToRunNewCode",
        "unit: Sandbox.RefusesSocketsAndOptionsBeyondItsOwnQuestions",
        "unit: Sandbox.HoldsForThreadsThatRanBefore",
    ],
    "netlink writes from inside": [
        "e2e: HostileTest.InTheReaderNothingIsAcknowledged",
        "e2e: HostileTest.InTheServerNothingIsAcknowledged",
    ],
    "binding a Unix address from inside": [
        "unit: Sandbox.RefusesSocketsAndOptionsBeyondItsOwnQuestions",
        "unit: ServiceNotify.ItsSocketMakesNoFile",
    ],
    "what is needless or wide in the list of calls": ["unit: Sandbox.RefusesEveryCallThatIsNotListed"],
    "signals": [
        "starts.py: signals_do_not_end_it",
        "starts.py: signals_at_the_start_do_not_end_it",
        "starts.py: a_hangup_reads_the_web_configuration_again",
    ],
    "SIGTERM under floods": [
        "e2e: FaultsTest.TheEndIsInTimeWhateverIsHappening",
        "unit: ServerAuth.AStopDoesNotWaitForChecksThatWait",
    ],
    "a log on a full disk, closed, without a reader, blocked": [
        "starts.py: a_log_on_a_full_disk_stops_nothing",
        "starts.py: a_log_that_may_not_grow_stops_nothing",
        "starts.py: closed_standard_streams_become_dev_null",
        "starts.py: a_log_that_nobody_reads_stops_nothing",
        "starts.py: what_was_left_open_is_closed",
        "starts.py: a_log_whose_reader_has_gone_stops_nothing",
    ],
    "no descriptor left": [
        "e2e: FaultsTest.WithoutADescriptorLeftItSaysSoAndSeesAgainWhenThereAreSome",
        "unit: ServerFamine.WithNothingToGiveUpItWaitsForADescriptorWithoutSpinning",
        "starts.py: too_few_descriptors_are_a_sentence",
    ],
    "no memory left while it runs": ["e2e: FaultsTest.ACollectorThatRunsOutOfMemoryFailsAlone"],
    "no memory, no thread at the start": [
        "starts.py: too_little_memory_is_a_sentence",
        "starts.py: no_thread_left_is_a_sentence",
        "unit: LackOfResourcesTest.OfMemoryInAThreadIsASentenceAndTheExitCodeTwo",
    ],
    "kill -9 and a restart; two of them; the same port twice": [
        "e2e: FaultsTest.ARestartIsVisibleAsOne",
        "e2e: CommandLineTest.ASecondInstanceOnTheSamePortIsRefused",
    ],
    "procfs of processes only, or gone while it runs": [
        "starts.py: a_procfs_of_processes_only_is_not_ready",
        "starts.py: a_procfs_that_goes_away_is_not_ready",
        "unit: ReadinessTest.GoesWhereACollectorThatHasWorkedNoLongerDoes",
    ],
    "100,000 elements, a map of 40,000, jumps that explode": [
        "rulesets.py: large_sets_and_maps_are_looked_into",
        "unit: HostileRulesetTest.ASetOf100000ElementsIsLookedInto",
        "unit: HostileRulesetTest.AnExplosionOfJumpsIsGivenUp",
    ],
    "25,000 rules, the one that drops first, last": [
        "rulesets.py: a_rule_beyond_what_is_read_is_never_a_pass",
        "rulesets.py: a_report_of_100000_nft_rules_is_small",
        "rulesets.py: a_report_of_100000_legacy_rules_is_small",
    ],
    "nftables replaced again and again": [
        "rulesets.py: tables_that_are_replaced_give_one_of_two_verdicts",
        "kernel: ChurnTest.RulesThatChangeWhileReadAreReadOrSaidToBeTorn",
    ],
    "legacy tables replaced again and again": [
        "rulesets.py: legacy_tables_that_are_replaced_give_no_wrong_verdict",
        "growth.py: rules of iptables-legacy",
    ],
    "new flows, flushes, addresses that come and go": [
        "kernel: ChurnTest.ATableFlushedDuringTheDumpIsCountedWithinItsBounds",
        "e2e: SoakTest.UnderChurnMemoryAndDescriptorsStayFlatAndNoScrapeIsMissed",
    ],
    "tens of thousands of sockets": ["growth.py: sockets with entries", "growth.py: sockets at risk", "growth.py: stuck sockets"],
    "sockets that get stuck while it is stopped": ["stopped.py: sockets_stuck_while_it_is_stopped_are_all_counted"],
}

Test = collections.namedtuple("Test", "where what")


def parse(text):
    return Test(*text.split(": ", 1))


def known_tests():
    """All tests that there are, as they are named above."""
    known = set()
    for path in HERE.glob("*.py"):
        text = path.read_text()
        known |= {Test(path.name, name) for name in re.findall(r"^def (\w+)", text, re.MULTILINE)}
        known |= {Test(path.name, name) for name in re.findall(r'(?:Flood|Input)\("([^"]+)"', text)}
    for binary in BINARIES:
        for path in TESTS.joinpath(binary).rglob("*.cc"):
            for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", path.read_text(), re.MULTILINE):
                known.add(Test(binary, f"{suite}.{name}"))
    return known


def outcome_of_gtest(done):
    """A filter that finds no test, and a test that skips itself, end with 0, too."""
    passed = re.search(r"^\[  PASSED  \] (\d+) test", done.stdout, re.MULTILINE)
    skipped = "[  SKIPPED ]" in done.stdout
    if done.returncode != 0:
        return "FAILED"
    return "ok" if passed and int(passed.group(1)) > 0 and not skipped else "skipped"


def outcome_of(command, build, is_gtest):
    environment = {**os.environ, "FINWAIT_PROGRAM": f"{build}/finwait_exporter"}
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return "FAILED", f"it has not ended after {PATIENCE} s"
    if is_gtest:
        return outcome_of_gtest(done), done.stdout + done.stderr
    return {0: "ok", sandbox.SKIPPED: "skipped"}.get(done.returncode, "FAILED"), done.stdout + done.stderr


def play(test, build, memory):
    """What the test comes to: ok, FAILED or skipped; each is run once."""
    if test not in memory:
        if test.where in BINARIES:
            command = [f"{build}/{test.where}_tests", f"--gtest_filter={test.what}:*/{test.what}/*"]
        elif test.where in ("floods.py", "growth.py"):
            command = [sys.executable, HERE / test.where, "--only", test.what]
        else:
            command = [sys.executable, HERE / test.where, *([test.what] if test.what else [])]
        memory[test], said = outcome_of(command, build, test.where in BINARIES)
        print(f"{memory[test]:8}{test.where}: {test.what}", flush=True)
        if memory[test] != "ok":
            print(said[-2000:])
    return memory[test]


def play_single_requests(build):
    """(held, played): each request counts by itself."""
    outcome, said = outcome_of([sys.executable, HERE / "single_requests.py"], build, False)
    counted = re.search(r"^held: (\d+) of (\d+)$", said, re.MULTILINE)
    held, played = (int(number) for number in counted.groups()) if counted else (0, 1)
    print(f"{outcome:8}single_requests.py: {held} of {played}", flush=True)
    if outcome != "ok":
        print(said[-2000:])
    return held if outcome == "ok" else min(held, played - 1), played


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", metavar="BUILD", help="play them all, from this build folder")
    arguments = parser.parse_args()
    known = known_tests()
    missing = {name: [text for text in tests if parse(text) not in known] for name, tests in SCENARIOS.items()}
    for name in SCENARIOS:
        if missing[name]:
            print(f"not played: {name}" + "".join(f"\n  there is no {text}" for text in missing[name]))
    if not arguments.run:
        complete = sum(not texts for texts in missing.values())
        print(f"{complete} of {len(SCENARIOS)} scenarios have their tests, none of which was run (--run BUILD)")
        sys.exit(0 if complete == len(SCENARIOS) else 1)
    memory = {}
    tests = [parse(text) for texts in SCENARIOS.values() for text in texts if parse(text) in known]
    for test in sorted(tests, key=lambda test: test.where == "floods.py"):
        play(test, arguments.run, memory)
    held = [name for name, texts in SCENARIOS.items() if all(memory.get(parse(text)) == "ok" for text in texts)]
    for name in SCENARIOS:
        if name not in held:
            print(f"not held: {name}")
    singles, played = play_single_requests(arguments.run)
    total = played + len(SCENARIOS)
    print(f"held: {singles} of {played} single requests and {len(held)} of {len(SCENARIOS)} scenarios, "
          f"{singles + len(held)} of {total}; skipped: {sum(one == 'skipped' for one in memory.values())} tests")  # fmt: skip
    sys.exit(0 if singles + len(held) == total else 1)


if __name__ == "__main__":
    main()
