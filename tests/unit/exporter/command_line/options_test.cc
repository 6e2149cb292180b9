#include "exporter/command_line/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <sstream>

namespace finwait::command_line {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr CollectorSwitch kCollectors[] = {{"sockets", true}, {"firewall", true}, {"conntrack_events", false}};

tl::expected<Options, UsageError> Parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> all = {"finwait_exporter"};
  all.insert(all.end(), arguments);
  return ParseOptions(all, kCollectors);
}

Options Parsed(std::initializer_list<const char*> arguments) {
  auto options = Parse(arguments);
  EXPECT_TRUE(options) << options.error().message;
  return options ? *options : Options{};
}

std::string Complaint(std::initializer_list<const char*> arguments) {
  const auto options = Parse(arguments);
  return options ? "(accepted)" : options.error().message;
}

TEST(Options, WithoutArgumentsItServesWithTheDefaultsOfTheContract) {
  const Options options = Parsed({});
  EXPECT_EQ(options.command, Command::kServe);
  EXPECT_THAT(options.listen_addresses, ElementsAre(http::ListenAddress{"", 10061}));
  EXPECT_EQ(options.telemetry_path, "/metrics");
  EXPECT_EQ(options.web_config_file, "");
  EXPECT_EQ(options.max_requests, 40u);
  EXPECT_TRUE(options.exporter_metrics);
  EXPECT_THAT(options.enabled_collectors, ElementsAre("sockets", "firewall"));
  EXPECT_EQ(options.log_level, service::LogLevel::kInfo);
  EXPECT_EQ(options.log_format, service::LogFormat::kLogfmt);
  EXPECT_EQ(options.procfs, "/proc");
  EXPECT_EQ(options.sampling_interval, std::chrono::seconds(5));
  EXPECT_EQ(options.cpu_budget, 0.02);
  EXPECT_FALSE(options.report_details);
  EXPECT_TRUE(options.filter_calls);
}

TEST(Options, EveryFlagReachesItsValueInBothForms) {
  const Options options = Parsed({"--web.listen-address=127.0.0.1:9000",
                                  "--web.listen-address",
                                  "[::1]:0",
                                  "--web.telemetry-path=/m",
                                  "--web.config.file",
                                  "web.yml",
                                  "--web.max-requests",
                                  "0",
                                  "--web.allowed-hosts=node1,node1.example.org",
                                  "--web.allowed-hosts",
                                  "*",
                                  "--web.systemd-socket",
                                  "--web.disable-exporter-metrics",
                                  "--no-collector.sockets",
                                  "--collector.conntrack_events",
                                  "--sampling.table-walk",
                                  "--log.level=warn",
                                  "--log.format",
                                  "json",
                                  "--path.procfs=/host/proc",
                                  "--sampling.interval",
                                  "1m30s",
                                  "--sampling.cpu-budget=1",
                                  "--report.details",
                                  "--no-sandbox.seccomp"});
  EXPECT_THAT(options.listen_addresses,
              ElementsAre(http::ListenAddress{"127.0.0.1", 9000}, http::ListenAddress{"::1", 0}));
  EXPECT_EQ(options.telemetry_path, "/m");
  EXPECT_EQ(options.web_config_file, "web.yml");
  EXPECT_EQ(options.max_requests, 0u);
  EXPECT_THAT(options.allowed_hosts, ElementsAre("node1", "node1.example.org", "*"));
  EXPECT_TRUE(options.systemd_socket);
  EXPECT_FALSE(options.exporter_metrics);
  EXPECT_THAT(options.enabled_collectors, ElementsAre("firewall", "conntrack_events"));
  EXPECT_EQ(options.log_level, service::LogLevel::kWarn);
  EXPECT_EQ(options.log_format, service::LogFormat::kJson);
  EXPECT_EQ(options.procfs, "/host/proc");
  EXPECT_EQ(options.sampling_interval, std::chrono::seconds(90));
  EXPECT_EQ(options.cpu_budget, 1.0);
  EXPECT_TRUE(options.report_details);
  EXPECT_FALSE(options.filter_calls);
  EXPECT_TRUE(options.table_walk);
  EXPECT_FALSE(Parsed({}).table_walk);
}

TEST(Options, PathTimeoutsAreDurationsOrPresets) {
  const Options options = Parsed({"--path.timeout=198.51.100.0/24=5m50s", "--path.timeout", "2001:db8::/32=azure-lb"});
  ASSERT_EQ(options.path_timeouts.size(), 2u);
  EXPECT_EQ(options.path_timeouts[0].network, "198.51.100.0/24");
  EXPECT_EQ(options.path_timeouts[0].timeout, std::chrono::seconds(350));
  EXPECT_EQ(options.path_timeouts[1].bits, 32u);
  EXPECT_EQ(options.path_timeouts[1].timeout, std::chrono::seconds(240));
  EXPECT_THAT(Complaint({"--path.timeout=::/0=gcp", "--path.timeout=::/0=ipvs"}), HasSubstr("twice for \"::/0\""));
  EXPECT_THAT(Complaint({"--path.timeout=::/0=1s", "--path.timeout=::/1=1s", "--path.timeout=::/2=1s",
                         "--path.timeout=::/3=1s", "--path.timeout=::/4=1s", "--path.timeout=::/5=1s",
                         "--path.timeout=::/6=1s", "--path.timeout=::/7=1s", "--path.timeout=::/8=1s"}),
              HasSubstr("may be given 8 times, but was given 9 times"));
}

TEST(Options, OtherNamespacesAreObservedUnlessToldOtherwise) {
  EXPECT_EQ(Parsed({}).namespaces, sources::NamespaceDepth::kObserve);
  EXPECT_TRUE(Parsed({}).owner_names);
  const Options options = Parsed({"--namespaces=none", "--path.pod-logs=/logs", "--owners.names=off"});
  EXPECT_EQ(options.namespaces, sources::NamespaceDepth::kNone);
  EXPECT_EQ(options.pod_logs, "/logs");
  EXPECT_FALSE(options.owner_names);
  EXPECT_EQ(Parsed({"--namespaces=enter"}).namespaces, sources::NamespaceDepth::kEnter);
  EXPECT_EQ(Complaint({"--namespaces=all"}), "--namespaces cannot be \"all\": give none, observe or enter.");
  EXPECT_THAT(Complaint({"--owners.names=yes"}), HasSubstr("give on or off"));
}

TEST(Options, TheLastOfTwoContraryCollectorSwitchesWins) {
  EXPECT_THAT(Parsed({"--no-collector.sockets", "--collector.sockets"}).enabled_collectors,
              ElementsAre("sockets", "firewall"));
  EXPECT_THAT(Parsed({"--collector.sockets", "--no-collector.sockets"}).enabled_collectors, ElementsAre("firewall"));
}

TEST(Options, CheckTakesItsFormatAndTheGeneralFlagsBeforeAndAfterItsName) {
  const Options options = Parsed({"--path.procfs=/p", "check", "--format=json", "--no-collector.firewall"});
  EXPECT_EQ(options.command, Command::kCheck);
  EXPECT_EQ(options.report_format, ReportFormat::kJson);
  EXPECT_EQ(options.procfs, "/p");
  EXPECT_THAT(options.enabled_collectors, ElementsAre("sockets"));
  EXPECT_EQ(Parsed({"check"}).report_format, ReportFormat::kText);
  EXPECT_EQ(Parsed({"check", "--format=prometheus"}).report_format, ReportFormat::kPrometheus);
  EXPECT_EQ(Parsed({"check", "--format=nagios"}).report_format, ReportFormat::kNagios);
  EXPECT_EQ(Parsed({"check", "--format=bug"}).report_format, ReportFormat::kBug);
}

TEST(Options, CheckTellsOfThePastFromTheStore) {
  const Options options = Parsed({"check", "--since=1h30m", "--storage.path=/var/lib/x"});
  EXPECT_EQ(options.since, std::chrono::minutes(90));
  EXPECT_EQ(options.storage_path, "/var/lib/x");
  EXPECT_EQ(Parsed({"check"}).since, std::nullopt);
  EXPECT_THAT(Complaint({"check", "--since=yesterday"}),
              HasSubstr("--since cannot be \"yesterday\": give how far back to look, as 30m or 2h."));
  EXPECT_THAT(Complaint({"check", "--since=0s"}), HasSubstr("--since cannot be \"0s\""));
  EXPECT_THAT(Complaint({"check", "--since=2h", "--format=nagios"}), HasSubstr("prints text or json"));
  EXPECT_THAT(Complaint({"--since=2h"}), HasSubstr("There is no flag \"--since=2h\""));
}

TEST(Options, ExplainTakesTheTwoEndsOfAConnection) {
  const Options four = Parsed({"explain", "192.0.2.1:40000", "192.0.2.2:443", "--format", "json"});
  EXPECT_EQ(four.command, Command::kExplain);
  EXPECT_EQ(four.local, (ConnectionEnd{"192.0.2.1", 40000}));
  EXPECT_EQ(four.peer, (ConnectionEnd{"192.0.2.2", 443}));
  EXPECT_EQ(four.report_format, ReportFormat::kJson);
  const Options six = Parsed({"explain", "[2001:DB8:0::1]:1", "[2001:db8::2]:65535"});
  EXPECT_EQ(six.local, (ConnectionEnd{"2001:db8::1", 1}));
  EXPECT_EQ(six.peer, (ConnectionEnd{"2001:db8::2", 65535}));
}

TEST(Options, PlanTakesAHost) {
  const Options live = Parsed({"plan", "--against=live", "--format=json"});
  EXPECT_EQ(live.command, Command::kPlan);
  EXPECT_EQ(live.against, "live");
  EXPECT_EQ(live.report_format, ReportFormat::kJson);
  EXPECT_FALSE(live.list_devices);
  EXPECT_TRUE(Parsed({"plan", "--against=report.json", "--list-devices"}).list_devices);
  EXPECT_THAT(Complaint({"plan"}), HasSubstr("plan needs --against=REPORT"));
  EXPECT_THAT(Complaint({"plan", "--against=a", "--against=b"}), HasSubstr("may be given once"));
  EXPECT_THAT(Complaint({"plan", "--against=a", "--format=nagios"}), HasSubstr("text or json"));
  EXPECT_THAT(Complaint({"plan", "--against=a", "rules.nft"}), HasSubstr("one too many"));
}

TEST(Options, WrongEndsAreRefusedWithWhatWouldBeRight) {
  EXPECT_EQ(Complaint({"explain", "192.0.2.1", "192.0.2.2:443"}),
            "LOCAL cannot be \"192.0.2.1\": give an address and a port from 1 to 65535, as 192.0.2.1:443 or "
            "[2001:db8::1]:443.");
  EXPECT_THAT(Complaint({"explain", "192.0.2.1:1", "host:443"}), HasSubstr("PEER cannot be \"host:443\""));
  EXPECT_THAT(Complaint({"explain", "192.0.2.1:0", "192.0.2.2:443"}), HasSubstr("LOCAL cannot be"));
  EXPECT_THAT(Complaint({"explain", "192.0.2.1:1", "[2001:db8::1]:443"}),
              HasSubstr("an IPv4 address, as LOCAL is one"));
  EXPECT_THAT(Complaint({"explain", "192.0.2.1:1"}), HasSubstr("takes two arguments"));
  EXPECT_THAT(Complaint({"explain", "192.0.2.1:1", "192.0.2.2:2", "192.0.2.3:3"}), HasSubstr("3 were given"));
  EXPECT_THAT(Complaint({"explain"}), HasSubstr("0 were given"));
}

TEST(Options, EachWrongValueIsNamedWithItsFlagAndWhatWouldBeRight) {
  const struct {
    const char* flag;
    const char* value;
    const char* right;
  } kCases[] = {
      {"--web.listen-address", "10061", "\":port\""},
      {"--web.listen-address", ":65536", "from 0 to 65535"},
      {"--web.listen-address", "::1:80", "[IPv6 address]:port"},
      {"--web.listen-address", "[::1]", "[IPv6 address]:port"},
      {"--web.listen-address", "ho st:80", "host:port"},
      {"--web.telemetry-path", "metrics", "begins with \"/\""},
      {"--web.telemetry-path", "/a?b", "begins with \"/\""},
      {"--web.telemetry-path", "/healthz", "no other meaning"},
      {"--web.allowed-hosts", "node1:10061", "host names without a port"},
      {"--web.allowed-hosts", "node1,,node2", "host names without a port"},
      {"--web.allowed-hosts", "http://node1", "host names without a port"},
      {"--web.max-requests", "-1", "a whole number"},
      {"--web.max-requests", "1.5", "a whole number"},
      {"--web.max-requests", "99999999999999999999", "a whole number"},
      {"--log.level", "INFO", "debug, info, warn or error"},
      {"--log.format", "text", "logfmt or json"},
      {"--sampling.interval", "5", "a duration from 1s to 1h"},
      {"--sampling.interval", "999ms", "a duration from 1s to 1h"},
      {"--sampling.interval", "1h1ms", "a duration from 1s to 1h"},
      {"--sampling.interval", "-5s", "a duration from 1s to 1h"},
      {"--sampling.cpu-budget", "0", "above 0 and at most 1"},
      {"--sampling.cpu-budget", "1.01", "above 0 and at most 1"},
      {"--sampling.cpu-budget", "nan", "above 0 and at most 1"},
      {"--sampling.cpu-budget", "2%", "above 0 and at most 1"},
      {"--path.timeout", "198.51.100.0/24", "after \"=\" whole seconds"},
      {"--path.timeout", "198.51.100.1/24=350s", "a network without host bits"},
      {"--path.timeout", "198.51.100.0/33=350s", "a network without host bits"},
      {"--path.timeout", "198.51.100.0=350s", "a network without host bits"},
      {"--path.timeout", "198.51.100.0/24=0s", "whole seconds"},
      {"--path.timeout", "198.51.100.0/24=1500ms", "whole seconds"},
      {"--path.timeout", "198.51.100.0/24=aws", "one of aws-nitro"},
  };
  for (const auto& [flag, value, right] : kCases) {
    const std::string joined = std::string(flag) + "=" + value;
    for (const std::string& complaint : {Complaint({flag, value}), Complaint({joined.c_str()})}) {
      EXPECT_THAT(complaint, HasSubstr(std::string(flag) + " cannot be \"" + value + "\": give ")) << joined;
      EXPECT_THAT(complaint, HasSubstr(right)) << joined;
    }
  }
  EXPECT_THAT(Complaint({"check", "--format=xml"}),
              HasSubstr("--format cannot be \"xml\": give text, json, prometheus, nagios or bug"));
  EXPECT_THAT(Complaint({"explain", "192.0.2.1:1", "192.0.2.2:2", "--format=nagios"}),
              HasSubstr("--format cannot be \"nagios\": give text or json"));
}

TEST(Options, PairsTakesHostsAKeyAndAFile) {
  const Options options =
      Parsed({"pairs", "--key-file=/key", "web-1", "https://me:p@web-2:443", "--format=prometheus"});
  EXPECT_EQ(options.command, Command::kPairs);
  EXPECT_EQ(options.pairs_key_file, "/key");
  ASSERT_EQ(options.targets.size(), 2U);
  EXPECT_EQ(options.targets[0].Name(), "web-1:10061");
  EXPECT_TRUE(options.targets[1].tls);
  EXPECT_EQ(options.report_format, ReportFormat::kPrometheus);
  EXPECT_EQ(Parsed({"pairs", "--key-file=/key", "--file_sd=/hosts", "--ca-file=/ca"}).target_file, "/hosts");
  EXPECT_EQ(Parsed({"--pairs.key-file=/key"}).pairs_key_file, "/key");
}

TEST(Options, PairsWithoutWhatItNeedsSaysWhatToGive) {
  EXPECT_EQ(Complaint({"pairs", "web-1"}), "pairs needs the key that the services have: give --key-file=FILE.");
  EXPECT_EQ(Complaint({"pairs", "--key-file=/key"}), "pairs needs exporters to ask: give HOST_URL or --file_sd=FILE.");
  EXPECT_THAT(Complaint({"pairs", "--key-file=/key", "ftp://x"}),
              HasSubstr("HOST_URL cannot be \"ftp://x\": give an exporter as \"host\""));
  EXPECT_THAT(Complaint({"pairs", "--key-file=/key", "http://me:secret@"}), testing::Not(HasSubstr("secret")));
  EXPECT_THAT(Complaint({"pairs", "--key-file=/key", "x", "--format=nagios"}),
              HasSubstr("give text, json or prometheus."));
  EXPECT_EQ(Parse({"pairs"}).error().command, Command::kPairs);
  EXPECT_THAT(Complaint({"--web.telemetry-path=/api/v1/pairs"}), HasSubstr("no other meaning here"));
}

TEST(Options, WhatItDoesNotKnowIsNamed) {
  EXPECT_EQ(Complaint({"--web.listen-adress=:1"}), "There is no flag \"--web.listen-adress=:1\"; see --help.");
  EXPECT_EQ(Complaint({"--collector.dns"}), "There is no flag \"--collector.dns\"; see --help.");
  EXPECT_EQ(Complaint({"-v"}), "There is no flag \"-v\"; see --help.");
  EXPECT_EQ(Complaint({"chekc"}), "There is no command \"chekc\"; did you mean check?");
  EXPECT_EQ(Complaint({"chek"}), "There is no command \"chek\"; did you mean check?");
  EXPECT_EQ(Complaint({"explian"}), "There is no command \"explian\"; did you mean explain?");
  EXPECT_EQ(Complaint({"serve"}),
            "There is no command \"serve\"; the commands are check, explain, plan and pairs, see --help.");
  EXPECT_THAT(Complaint({"check", "explain"}), HasSubstr("\"explain\" is one too many"));
  EXPECT_EQ(Complaint({"check", "--frmat=json"}), "There is no flag \"--frmat=json\"; see --help.");
  EXPECT_EQ(Complaint({"--format=json"}), "There is no flag \"--format=json\"; see --help.");
}

TEST(Options, AMissingOrRepeatedValueIsNamed) {
  EXPECT_EQ(Complaint({"--log.level"}), "--log.level needs a value; see --help.");
  EXPECT_EQ(Complaint({"--log.level=", "debug"}), "--log.level was given an empty value (\"\"); see --help.");
  EXPECT_EQ(Complaint({"--log.level=info", "--log.level", "debug"}),
            "--log.level may be given once, but was given as \"info\" and \"debug\".");
}

TEST(Options, WhatIsWrongIsSaidInOneLineWhateverWasTyped) {
  EXPECT_EQ(Complaint({"--no\x1b[31mn"}), "There is no flag \"--no\\x1b[31mn\"; see --help.");
  EXPECT_EQ(Complaint({"--no\nsense="}), "\"--no\\x0asense\" was given an empty value (\"\"); see --help.");
  EXPECT_THAT(Complaint({"--log.level=\r"}), HasSubstr("--log.level cannot be \"\\x0d\""));
  EXPECT_THAT(Complaint({"check", "a\tb"}), HasSubstr("\"a\\x09b\""));
}

TEST(Options, ASwitchTakesNoValue) {
  EXPECT_EQ(Complaint({"--report.details=perhaps"}),
            "--report.details takes no value, but was given \"perhaps\"; see --help.");
  EXPECT_THAT(Complaint({"--no-collector.sockets=true"}), HasSubstr("takes no value"));
  EXPECT_THAT(Complaint({"--version=3"}), HasSubstr("takes no value"));
  EXPECT_THAT(Complaint({"--help=3"}), HasSubstr("takes no value"));
}

TEST(Options, AUsageErrorTellsWhichCommandWasAskedFor) {
  EXPECT_EQ(Parse({"--bogus"}).error().command, Command::kServe);
  EXPECT_EQ(Parse({"check", "--bogus"}).error().command, Command::kCheck);
  EXPECT_EQ(Parse({"--bogus", "check"}).error().command, Command::kCheck);
  EXPECT_EQ(Parse({"explain", "--format"}).error().command, Command::kExplain);
  EXPECT_EQ(Parse({"check", "explain"}).error().command, Command::kCheck);
}

TEST(Options, HelpNamesEveryFlagAndFitsAHundredColumns) {
  for (const auto& arguments :
       {std::initializer_list<const char*>{"--help"}, {"check", "--help"}, {"explain", "-h"}, {"pairs", "-h"}}) {
    const Options options = Parsed(arguments);
    EXPECT_EQ(options.command, Command::kHelp);
    EXPECT_THAT(options.text, testing::EndsWith(".\n"));
    std::istringstream lines(options.text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 100u) << line;
    }
  }
  const std::string help = Parsed({"--help"}).text;
  for (const char* flag : {"--web.listen-address=",
                           "--web.telemetry-path=",
                           "--web.config.file=",
                           "--web.max-requests=",
                           "--[no-]web.disable-exporter-metrics",
                           "--[no-]collector.sockets",
                           "--[no-]collector.conntrack_events",
                           "--log.level=",
                           "--log.format=",
                           "--path.procfs=",
                           "--sampling.interval=",
                           "--sampling.cpu-budget=",
                           "--[no-]report.details",
                           "--namespaces=",
                           "--path.pod-logs=",
                           "--owners.names=",
                           "--version",
                           "--help",
                           "check",
                           "explain",
                           "--pairs.key-file=",
                           "plan",
                           "pairs"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
  EXPECT_THAT(Parsed({"explain", "--help"}).text, HasSubstr("LOCAL PEER"));
}

TEST(Options, VersionIsPrintedAsPrometheusProgramsDo) {
  const Options options = Parsed({"--version"});
  EXPECT_EQ(options.command, Command::kVersion);
  EXPECT_EQ(options.text, "finwait_exporter, version " FINWAIT_VERSION "\n");
}

}  // namespace
}  // namespace finwait::command_line
