// `finwait-plan` (scripts/plan.sh) and `finwait_exporter plan`: what they say of a candidate ruleset, how they exit,
// and that every loader's rules are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::e2e {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNftDrop =
    "table inet candidate { chain o { type filter hook output priority 0; ct state invalid drop; }; }\n";

class PlanTest : public testing::Test {
 protected:
  PlanTest()
      : listener_(wire_.peer, lab::Wire::kPeer4, 443), client_(lab::Connect(wire_.local, lab::Wire::kPeer4, 443)) {}

  /// finwait-plan, run on the host.
  lab::CommandOutput Plan(std::vector<std::string> arguments, const std::string& input = "", int seconds = 60) const {
    arguments.insert(arguments.begin(),
                     {"env", "FINWAIT_PROGRAM=" + lab::Program(), (lab::SourceFolder() / "scripts/plan.sh").string()});
    return wire_.local.Command(arguments, input, seconds);
  }
  Json PlanJson(const std::string& file, int exit_code) const {
    const lab::CommandOutput output = Plan({"--format=json", file});
    EXPECT_EQ(output.exit_code, exit_code) << output.out << output.err;
    EXPECT_EQ(output.err, "");
    return output.out.empty() ? Json() : Json::parse(output.out);
  }
  /// What `check --format=json` prints on the host, as a file.
  std::string Report() const {
    const lab::CommandOutput output =
        wire_.local.Command({lab::Program(), "check", "--format=json", lab::kOwnNamespaceOnly});
    return folder_.Write("report.json", output.out);
  }
  /// `finwait_exporter plan`, run in a namespace with `rules`, as nft has them, and no devices.
  static lab::CommandOutput PlanIn(const lab::Namespace& where, const std::string& report) {
    return where.Command({lab::Program(), "plan", "--against=" + report, "--format=json"});
  }

  lab::Wire wire_;
  lab::TemporaryFolder folder_;
  lab::Listener listener_;
  UniqueFd client_;
};

TEST_F(PlanTest, ACandidateThatDropsTheFinIsSaidToLoseTheConnection) {
  const std::string file = folder_.Write("rules.nft", kNftDrop);
  const Json plan = PlanJson(file, 1);
  EXPECT_EQ(plan["verdict"], "loses");
  const Json& lost = plan["newly_lost"];
  ASSERT_EQ(lost["connections"].size(), 1U) << plan;
  EXPECT_EQ(lost["connections"][0]["local"], lab::LocalEndpoint(client_));
  EXPECT_EQ(lost["connections"][0]["now"]["fate"], "clean");
  EXPECT_EQ(lost["connections"][0]["candidate"]["fate"], "fin_dropped");
  EXPECT_EQ(lost["connections"][0]["candidate"]["rule"]["table"], "candidate");
  EXPECT_EQ(lost["connections"][0]["candidate"]["rule"]["text"], "ct state invalid drop");
  EXPECT_FALSE(lost["classes"].empty());
  const lab::CommandOutput text = Plan({file});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.out, HasSubstr("LOSES: "));
  EXPECT_THAT(text.out, HasSubstr("FIN dropped at output by nft table inet candidate"));
  EXPECT_THAT(text.out, HasSubstr("open now: " + lab::LocalEndpoint(client_)));
  EXPECT_THAT(wire_.local.Shell("nft list ruleset"), Not(HasSubstr("candidate"))) << "the host is only read";
}

TEST_F(PlanTest, TheRulesInForceLoadedAgainLoseNothing) {
  const std::string file = folder_.Write("rules.nft", kNftDrop);
  wire_.local.Shell("nft -f " + file);
  const Json plan = PlanJson(file, 0);
  EXPECT_EQ(plan["verdict"], "safe");
  EXPECT_EQ(plan["connections_unchanged"], 1U) << plan;
  for (const char* change : {"newly_lost", "newly_closing", "otherwise", "cannot_tell"}) {
    EXPECT_TRUE(plan[change]["connections"].empty()) << plan;
    EXPECT_TRUE(plan[change]["classes"].empty()) << plan;
  }
}

// Of classes of marks it cannot be known what KUBE-MARK-MASQ's mark does to them: under either alike.
TEST_F(PlanTest, ARulesetOfKubeProxyLoadedAgainLosesNothing) {
  std::ifstream from(lab::SourceFolder() / "tests/fixtures/firewall/real/kube-proxy.iptables");
  const std::string rules{std::istreambuf_iterator<char>(from), {}};
  const std::string now = folder_.Write("now.iptables", rules);
  wire_.local.Shell("iptables-nft-restore < " + now);
  EXPECT_EQ(PlanJson("iptables-nft:" + now, 0)["verdict"], "safe");
  const auto with = [&](const std::string& place, const std::string& rule) {
    std::string other = rules;
    other.insert(other.find(place), rule + "\n");
    return "iptables-nft:" + folder_.Write("then.iptables", other);
  };
  EXPECT_EQ(PlanJson(with("-A KUBE-FORWARD", "-A INPUT -p tcp -m tcp --dport 9100 -j ACCEPT"), 0)["verdict"], "safe");
  EXPECT_EQ(PlanJson(with("-A KUBE-SERVICES -d", "-A OUTPUT -m conntrack --ctstate INVALID -j DROP"), 1)["verdict"],
            "loses");
}

TEST_F(PlanTest, ADifferenceInWhatOnlyNewConnectionsMeetIsADifference) {
  const auto rules = [&](const std::string& port) {
    return folder_.Write("nat" + port + ".nft",
                         "table ip candidate { chain p { type nat hook output priority -100; tcp dport " + port +
                             " dnat to 192.0.2.2; }; }\n");
  };
  wire_.local.Shell("nft -f " + rules("80"));
  EXPECT_EQ(PlanJson(rules("80"), 0)["verdict"], "safe");
  const Json plan = PlanJson(rules("81"), 1);
  EXPECT_FALSE(plan["newly_lost"]["classes"].empty()) << plan;
}

TEST_F(PlanTest, ACandidateWithoutTheDropIsSaidToLetTheConnectionClose) {
  wire_.local.Shell("nft -f " + folder_.Write("now.nft", kNftDrop));
  const std::string other = "table inet candidate { chain o { type filter hook output priority 0; accept; }; }\n";
  const Json plan = PlanJson(folder_.Write("rules.nft", other), 0);
  EXPECT_EQ(plan["newly_closing"]["connections"].size(), 1U) << plan;
}

TEST_F(PlanTest, AnotherRuleForTheSameLossIsNotNewlyLost) {
  wire_.local.Shell("nft -f " + folder_.Write("now.nft", kNftDrop));
  const std::string other =
      "table inet candidate { chain o { type filter hook output priority 0; ct state invalid log drop; }; }\n";
  const Json plan = PlanJson(folder_.Write("rules.nft", other), 0);
  ASSERT_EQ(plan["otherwise"]["connections"].size(), 1U) << plan;
  EXPECT_EQ(plan["otherwise"]["connections"][0]["now"]["rule"]["text"], "ct state invalid drop");
  EXPECT_THAT(plan["otherwise"]["connections"][0]["candidate"]["rule"]["text"].get<std::string>(), HasSubstr("log"));
}

TEST_F(PlanTest, WhatHangsOnChanceCannotBeTold) {
  const std::string file = folder_.Write("rules.nft",
                                         "table inet candidate { chain o { type filter hook output priority 0; ct "
                                         "state invalid limit rate 1/second drop; }; }\n");
  const Json plan = PlanJson(file, 3);
  EXPECT_EQ(plan["verdict"], "unknown");
  EXPECT_EQ(plan["cannot_tell"]["connections"].size(), 1U) << plan;
}

TEST_F(PlanTest, TheRulesInForceAreSafeWhateverTheyHangOn) {
  const std::string chance = folder_.Write("chance.nft",
                                           "table inet candidate { chain o { type filter hook output priority 0; ct "
                                           "state invalid limit rate 1/second drop; }; }\n");
  wire_.local.Shell("nft -f " + chance);
  const Json plan = PlanJson(chance, 0);
  EXPECT_EQ(plan["verdict"], "safe");
  EXPECT_EQ(plan["same_rules"], true);
  EXPECT_EQ(plan["connections_unknown"], 1);
  EXPECT_THAT(Plan({chance}).out, HasSubstr("What becomes of 1 connection is unknown, as before.\n"));
}

TEST_F(PlanTest, AnIpsetWithOtherMembersIsAnotherRuleset) {
  const auto set = [&](const std::string& name, const std::string& member) {
    return folder_.Write(name + ".ipset", "create blocked hash:net family inet\nadd blocked " + member + "\n");
  };
  const std::string elsewhere = set("now", "203.0.113.0/24");
  const std::string rules = "iptables-nft:" + folder_.Write("rules.iptables",
                                                            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
                                                            ":OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -m set --match-set "
                                                            "blocked dst -m conntrack --ctstate INVALID -j DROP\n"
                                                            "COMMIT\n");
  wire_.local.Shell("ipset restore -file " + elsewhere + "; iptables-nft-restore < " +
                    rules.substr(rules.find(':') + 1));
  const auto plan = [&](const std::string& members, int exit_code) {
    const lab::CommandOutput output = Plan({"--format=json", members, rules});
    EXPECT_EQ(output.exit_code, exit_code) << output.out << output.err;
    return output.out.empty() ? Json() : Json::parse(output.out);
  };
  EXPECT_EQ(plan(elsewhere, 0)["same_rules"], true);
  const Json other = plan(set("then", "192.0.2.0/24"), 1);
  EXPECT_EQ(other["newly_lost"]["connections"].size(), 1U) << other;
}

// Where it is loaded the list is empty, and the report does not hold it.
TEST_F(PlanTest, ARulesetThatAsksForRecentAddressesIsTheSameLoadedAgain) {
  const std::string rules = folder_.Write("rules.iptables",
                                          "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
                                          "-A OUTPUT -p tcp -m recent --name bad --rcheck --rdest -m conntrack "
                                          "--ctstate INVALID -j DROP\nCOMMIT\n");
  wire_.local.Shell("iptables-nft-restore < " + rules + "; echo +198.51.100.9 > /proc/net/xt_recent/bad");
  EXPECT_EQ(PlanJson("iptables-nft:" + rules, 0)["same_rules"], true);
}

// By the words of what they hang on the two are one, and the candidate loses nearly all.
TEST_F(PlanTest, WhatHangsOnChanceUnderEitherIsNotSaidToBeSafe) {
  const auto rules = [&](const std::string& rate) {
    return folder_.Write(rate.substr(0, 1) + ".nft",
                         "table inet candidate { chain o { type filter hook output priority 0; ct state invalid limit "
                         "rate " +
                             rate + " accept; ct state invalid drop; }; }\n");
  };
  wire_.local.Shell("nft -f " + rules("9000/second"));
  const Json plan = PlanJson(rules("1/day"), 3);
  EXPECT_EQ(plan["verdict"], "unknown");
  EXPECT_EQ(plan["cannot_tell"]["connections"].size(), 1U) << plan;
}

TEST_F(PlanTest, AReportOfWhoMayNotReadTheRulesSaysWhy) {
  const lab::CommandOutput output =
      wire_.local.Command({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab::Program(), "check",
                           "--format=json", lab::kOwnNamespaceOnly});
  const Json report = Json::parse(output.out);
  const Json& sockets = report["host"]["sockets"];
  ASSERT_FALSE(sockets.empty()) << output.out;
  EXPECT_THAT(sockets[0]["close"]["consequence"].get<std::string>(), HasSubstr("CAP_NET_ADMIN"));
}

TEST_F(PlanTest, RulesThatNameDevicesByNumberMeetTheHostsDevices) {
  const std::string file = folder_.Write("rules.nft",
                                         "table inet candidate { chain o { type filter hook output priority 0; oif "
                                         "\"veth0\" ct state invalid drop; }; }\n");
  const Json plan = PlanJson(file, 1);
  EXPECT_EQ(plan["newly_lost"]["connections"].size(), 1U) << plan;
}

TEST_F(PlanTest, ACandidateThatDoesNotLoadIsRefusedInItsToolsWords) {
  const lab::CommandOutput output = Plan({folder_.Write("rules.nft", "table inet candidate { chane o }\n")});
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(output.out, "");
  EXPECT_THAT(output.err, HasSubstr("syntax error"));
  EXPECT_THAT(output.err, HasSubstr("does not load"));
}

TEST_F(PlanTest, WrongUsageIsRefusedInASentence) {
  const auto refusal = [&](const std::vector<std::string>& arguments) {
    const lab::CommandOutput output = Plan(arguments);
    EXPECT_EQ(output.exit_code, 3);
    EXPECT_EQ(output.out, "");
    return output.err;
  };
  const std::string file = folder_.Write("rules.nft", kNftDrop);
  EXPECT_THAT(refusal({}), HasSubstr("which FILE"));
  EXPECT_THAT(refusal({"--formt=json", file}), HasSubstr("no flag \"--formt=json\""));
  EXPECT_THAT(refusal({"--format=yaml", file}), HasSubstr("text or json"));
  EXPECT_THAT(refusal({folder_.PathOf("missing")}), HasSubstr("no readable file"));
  EXPECT_THAT(refusal({"--against=" + folder_.PathOf("missing"), file}), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal({"--against=" + folder_.Write("cut.json", "{\"version\":"), file}), HasSubstr("cut short"));
  EXPECT_THAT(refusal({"--against=" + folder_.Write("old.json", "{\"version\": \"0.0.1\"}"), file}),
              HasSubstr("check --format=json"));
}

TEST_F(PlanTest, AReportOfAnotherFormIsRefused) {
  std::ifstream made(Report());
  Json report = Json::parse(made);
  report["version"] = "9.0.0";
  report["host"]["format"] = 99;
  const lab::CommandOutput output =
      Plan({"--against=" + folder_.Write("other.json", report.dump()), folder_.Write("rules.nft", kNftDrop)});
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_THAT(output.err, HasSubstr("version \"9.0.0\" of finwait_exporter made it in another form"));
}

TEST_F(PlanTest, AReportOfAnotherVersionOrHostIsNamed) {
  std::ifstream made(Report());
  Json report = Json::parse(made);
  report["version"] = "9.0.0";
  report["host"]["name"] = "web-7";
  const std::string other = "--against=" + folder_.Write("other.json", report.dump());
  const std::string rules = folder_.Write("rules.nft", kNftDrop);
  const Json plan = Json::parse(Plan({other, "--format=json", rules}).out);
  EXPECT_EQ(plan["verdict"], "loses");
  EXPECT_EQ(plan["host"]["name"], "web-7");
  EXPECT_EQ(plan["host"]["version"], "9.0.0");
  EXPECT_THAT(Plan({other, rules}).out, HasSubstr("with the report of web-7 of "));
}

TEST_F(PlanTest, ReportsThatNoHostMakesAreRefusedInASentence) {
  const std::string rules = folder_.Write("rules.nft", kNftDrop);
  const auto refusal = [&](const std::string& report) {
    const lab::CommandOutput output = Plan({"--against=" + folder_.Write("report.json", report), rules});
    EXPECT_EQ(output.exit_code, 3);
    EXPECT_EQ(output.out, "");
    return output.err;
  };
  constexpr std::size_t kTooLarge = (std::size_t{64} << 20) + 1;
  constexpr std::size_t kDeep = 1'000'000;
  EXPECT_THAT(refusal(std::string(kTooLarge, ' ')), HasSubstr("it is larger than any report (64 MiB).\n"));
  EXPECT_THAT(refusal(std::string(kDeep, '[') + std::string(kDeep, ']')), HasSubstr("it is no JSON"));
  EXPECT_THAT(refusal(R"({"version": "0.1.0", "host": {"format": 1}})"), HasSubstr("is not what this program writes"));
}

TEST_F(PlanTest, AReportServesWhereTheHostIsNot) {
  const std::string report = Report();
  const lab::Namespace elsewhere;
  elsewhere.Shell("nft -f " + folder_.Write("rules.nft", kNftDrop));
  const lab::CommandOutput output = PlanIn(elsewhere, report);
  EXPECT_EQ(output.exit_code, 1) << output.err;
  const Json plan = Json::parse(output.out);
  EXPECT_EQ(plan["newly_lost"]["connections"].size(), 1U) << plan;
  const Json& classes = plan["newly_lost"]["classes"];
  ASSERT_FALSE(classes.empty());
  EXPECT_EQ(classes[0]["connections"]["family"], "ipv4");
}

TEST_F(PlanTest, ANamespaceMadeOnTheHostReadsItLive) {
  const std::string rules = folder_.Write("rules.nft", kNftDrop);
  // A shell on the host stays above the namespace.
  const std::string inside =
      "nft -f " + rules + " && " + lab::Program() + " plan --against=live --format=json --namespaces=none";
  const lab::CommandOutput output =
      wire_.local.Command({"sh", "-c", "unshare --net sh -c '" + inside + "; exit $?'; exit $?"}, "", 60);
  EXPECT_EQ(output.exit_code, 1) << output.err;
  const Json plan = Json::parse(output.out);
  EXPECT_EQ(plan["newly_lost"]["connections"].size(), 1U) << plan;
}

// So deep the kernel lets nftables jump; of x_tables it lets a chain lead to as many as there are.
TEST_F(PlanTest, JumpsAreFollowedAsDeepAsTheKernelLoadsThem) {
  const auto nft = [&](int depth) {
    std::string rules = "table inet candidate {\n";
    for (int i = depth; i > 0; --i) {
      rules += " chain c" + std::to_string(i) + " { " +
               (i < depth ? "jump c" + std::to_string(i + 1) : std::string("ct state invalid drop")) + "; }\n";
    }
    rules += " chain o { type filter hook output priority 0; jump c1; }\n}\n";
    return folder_.Write("deep.nft", rules);
  };
  EXPECT_EQ(PlanJson(nft(15), 1)["newly_lost"]["connections"].size(), 1U);
  const lab::CommandOutput deeper = Plan({nft(16)});
  EXPECT_EQ(deeper.exit_code, 3);
  EXPECT_THAT(deeper.err, HasSubstr("does not load (above is what nft says)"));
  constexpr int kLegacyDepth = 200;
  std::string chains = "*filter\n:OUTPUT ACCEPT [0:0]\n";
  std::string rules = "-A OUTPUT -j C0\n";
  for (int i = 0; i < kLegacyDepth; ++i) {
    chains += ":C" + std::to_string(i) + " - [0:0]\n";
    rules += "-A C" + std::to_string(i) +
             (i + 1 < kLegacyDepth ? " -j C" + std::to_string(i + 1)
                                   : std::string(" -m conntrack --ctstate INVALID -j DROP")) +
             "\n";
  }
  const Json legacy = PlanJson("iptables-legacy:" + folder_.Write("deep.v4", chains + rules + "COMMIT\n"), 1);
  EXPECT_EQ(legacy["newly_lost"]["connections"].size(), 1U) << legacy;
}

TEST_F(PlanTest, AMapOfAHundredThousandElementsIsOneClass) {
  constexpr int kElements = 100'000;
  std::string rules = "table ip candidate {\n map m { type ipv4_addr : verdict; elements = { " +
                      std::string(lab::Wire::kPeer4) + " : drop";
  for (int i = 0; i < kElements; ++i) {
    rules += ", 10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) +
             " : drop";
  }
  rules += " }; }\n chain o { type filter hook output priority 0; ct state invalid ip daddr vmap @m; }\n}\n";
  const Json plan = PlanJson(folder_.Write("map.nft", rules), 1);
  EXPECT_EQ(plan["newly_lost"]["connections"].size(), 1U);
  EXPECT_EQ(plan["newly_lost"]["classes"].size(), 1U);
  EXPECT_TRUE(plan["cannot_tell"]["classes"].empty());
  EXPECT_TRUE(plan["incomplete"].is_null()) << plan["incomplete"];
}

// All of them are for networks that this host has no route to. A slow machine does not come to their end.
TEST_F(PlanTest, OfFiftyThousandRulesWhatIsNotToldIsSaid) {
  std::string rules = "table inet candidate {\n chain o {\n type filter hook output priority 0;\n";
  for (int i = 0; i < 50'000; ++i) {
    rules += "ip daddr 10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
             std::to_string(i & 255) + " tcp dport " + std::to_string(i % 60'000 + 1) + " ct state invalid drop\n";
  }
  constexpr int kPatience = 180;
  const lab::CommandOutput output =
      Plan({"--format=json", folder_.Write("many.nft", rules + " }\n}\n")}, "", kPatience);
  ASSERT_TRUE(output.exit_code == 0 || output.exit_code == 3) << output.exit_code << " " << output.err;
  EXPECT_EQ(output.err, "");
  const Json plan = Json::parse(output.out);
  EXPECT_TRUE(plan["newly_lost"]["connections"].empty());
  EXPECT_TRUE(plan["newly_lost"]["classes"].empty());
  EXPECT_EQ(plan["verdict"], output.exit_code == 0 ? "safe" : "unknown");
  EXPECT_TRUE(output.exit_code == 0 || plan["incomplete"].is_string() || !plan["cannot_tell"]["classes"].empty());
}

// How each tool's file looks that drops an INVALID FIN to port 443.
struct Loader {
  const char* name;
  const char* prefix;  // of finwait-plan's argument; "": it finds out by itself
  const char* rules;
  const char* backend;
};
void PrintTo(const Loader& loader, std::ostream* out) { *out << loader.name; }

class PlanLoaderTest : public PlanTest, public testing::WithParamInterface<Loader> {};

constexpr const char* kXtables =
    "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp --dport 443 -m "
    "conntrack --ctstate INVALID -j DROP\nCOMMIT\n";

INSTANTIATE_TEST_SUITE_P(AllLoaders, PlanLoaderTest,
                         testing::Values(Loader{"nft", "", kNftDrop, "nft"}, Loader{"iptables", "", kXtables, "nft"},
                                         Loader{"iptables_nft", "iptables-nft:", kXtables, "nft"},
                                         Loader{"iptables_legacy", "iptables-legacy:", kXtables, "legacy"}),
                         [](const auto& one) { return one.param.name; });

TEST_P(PlanLoaderTest, WhatItRefusesIsRefusedInItsWords) {
  std::string rules = GetParam().rules;
  rules.replace(rules.find("drop") != std::string::npos ? rules.find("drop") : rules.find("-j DROP"), 1, "?");
  const lab::CommandOutput output = Plan({GetParam().prefix + folder_.Write("rules.v4", rules)});
  EXPECT_EQ(output.exit_code, 3);
  EXPECT_EQ(output.out, "");
  const std::size_t ours = output.err.find("finwait-plan: ");
  ASSERT_NE(ours, std::string::npos) << output.err;
  EXPECT_GT(ours, 0U) << "the tool's words come first";
  EXPECT_THAT(output.err.substr(ours), HasSubstr("rules.v4 does not load (above is what "));
}

TEST_P(PlanLoaderTest, ItsRulesAreEvaluated) {
  const Json plan = PlanJson(GetParam().prefix + folder_.Write("rules.v4", GetParam().rules), 1);
  const Json& lost = plan["newly_lost"]["connections"];
  ASSERT_EQ(lost.size(), 1U) << plan;
  EXPECT_EQ(lost[0]["candidate"]["rule"]["backend"], GetParam().backend);
}

TEST_F(PlanTest, SetsOfIpsetAreLoadedBeforeTheRulesThatNameThem) {
  const std::string rules = folder_.Write("rules.v4",
                                          "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m set --match-set peers dst -m "
                                          "conntrack --ctstate INVALID -j DROP\nCOMMIT\n");
  const std::string sets =
      folder_.Write("sets", "create peers hash:net family inet\nadd peers " + std::string(lab::Wire::kPeer4) + "\n");
  const lab::CommandOutput output = Plan({"--format=json", rules, sets});
  ASSERT_EQ(output.exit_code, 1) << output.out << output.err;
  EXPECT_EQ(Json::parse(output.out)["newly_lost"]["connections"].size(), 1U) << output.out;
}

TEST_F(PlanTest, RulesOfBothFamiliesAndStandardInputAreOneCandidate) {
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer6, 443);
  const UniqueFd client = lab::Connect(wire_.local, lab::Wire::kPeer6, 443);
  const std::string six = folder_.Write("rules.v6", kXtables);
  const lab::CommandOutput output = Plan({"--format=json", "iptables:-", six}, kXtables);
  ASSERT_EQ(output.exit_code, 1) << output.out << output.err;
  EXPECT_EQ(Json::parse(output.out)["newly_lost"]["connections"].size(), 2U) << output.out;
}

}  // namespace
}  // namespace finwait::e2e
