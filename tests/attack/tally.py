#!/usr/bin/python3
"""Which test plays which of the red team's 99 attacks, and how many of them are held.

65 are single requests (single_requests.py plays them and some more). 34 are scenarios; below is each, with the tests that
play it. Without arguments it holds that these tests are there, and prints the tally; with --run it plays all of them from
a build and counts those that pass (half an hour; the floods measure how long others wait, and are played last).
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
SINGLE_REQUESTS = 65

# A test is "FILE.py: FUNCTION or NAME", or "BINARY: SUITE.TEST" of GoogleTest.
SCENARIOS = {
    "floods of idle, partial and complete requests, from 1 to 1,000 addresses": [
        "e2e: SiegeTest.PlainHttpAnswersWithinASecondIn64MB",
        "unit: ServerAbuse.SlowIdleAndHugeClientsAtOnceHoldUpNobody",
        "unit: ServerFairness.OnePeersRequestsLeaveAWorkerToOthers",
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
        "e2e: WebConfigTest.ABrokenFileAfterTheStartIsAnErrorToClientsAndTheLogAndNothingMore",
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
    ],
    "hostile names and comments on the page, in JSON, the log and the metrics": [
        "names.py: page_json_log_and_metrics_hold_them_as_text",
        "unit: HtmlTest.EveryCharacterThatMeansSomethingInHtmlIsEscaped",
    ],
    "hostile names and comments in a terminal": [
        "names.py: a_terminal_gets_no_controls",
        "names.py: usage_errors_get_no_controls",
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
    "signals": ["starts.py: signals_do_not_end_it", "starts.py: a_hangup_reads_the_web_configuration_again"],
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
        "unit: ReadinessTest.GoesWhereACollectorThatHasWorkedNoLongerDoesWhateverTheReason",
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
        "kernel: ChurnTest.ATableThatIsFlushedAndFilledDuringTheDumpIsCountedWithinWhatItEverHeld",
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
    for binary in ("unit", "kernel", "e2e"):
        for path in TESTS.joinpath(binary).rglob("*.cc"):
            for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", path.read_text(), re.MULTILINE):
                known.add(Test(binary, f"{suite}.{name}"))
    return known


def passes(test, build, memory):
    """Whether that test passes; each is run once."""
    if test not in memory:
        if test.where in ("unit", "kernel", "e2e"):
            command = [f"{build}/{test.where}_tests", f"--gtest_filter={test.what}", "--gtest_brief=1"]
        elif test.where in ("floods.py", "growth.py"):
            command = [sys.executable, HERE / test.where, "--only", test.what]
        else:
            command = [sys.executable, HERE / test.where, *([test.what] if test.what else [])]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=1200, check=False)
        memory[test] = done.returncode == 0
        print(f"{'ok    ' if memory[test] else 'FAILED'}  {test.where}: {test.what}", flush=True)
        if not memory[test]:
            print((done.stdout + done.stderr)[-2000:])
    return memory[test]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", metavar="BUILD", help="play them all, from this build folder")
    arguments = parser.parse_args()
    known = known_tests()
    missing = {name: [text for text in tests if parse(text) not in known] for name, tests in SCENARIOS.items()}
    held = [name for name in SCENARIOS if not missing[name]]
    singles = SINGLE_REQUESTS
    if arguments.run:
        memory = {}
        late = [parse(text) for name in held for text in SCENARIOS[name]]
        for test in sorted(late, key=lambda test: test.where == "floods.py"):
            passes(test, arguments.run, memory)
        held = [name for name in held if all(memory[parse(text)] for text in SCENARIOS[name])]
        singles = SINGLE_REQUESTS if passes(Test("single_requests.py", ""), arguments.run, memory) else 0
    for name in SCENARIOS:
        if name not in held:
            print(f"not held: {name}" + "".join(f"\n  there is no {text}" for text in missing[name]))
    print(f"{'held' if arguments.run else 'have their tests'}: {singles} single requests and {len(held)} scenarios, "
          f"{singles + len(held)} of {SINGLE_REQUESTS + len(SCENARIOS)}")  # fmt: skip
    sys.exit(0 if len(held) == len(SCENARIOS) and singles else 1)


if __name__ == "__main__":
    main()
