// Stuck sockets at many rules: what is said of them adds up, and what is advised frees exactly those that it is for.
// FINWAIT_PLACES and FINWAIT_STUCK: other numbers of them (tools/prove_places.sh).

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <sstream>

#include "tests/e2e/scene.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using nlohmann::json;

constexpr std::uint16_t kFirstPort = 1001;
constexpr std::size_t kPlaces = 40;
constexpr std::uint64_t kStuck = 3000;

std::size_t NumberFrom(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::stoul(text) : otherwise;
}

// A rule in a chain of its own for `port`: of either tool, for either family.
std::string DropRule(std::uint16_t port) {
  const std::string number = std::to_string(port);
  const int kind = port % 4;
  if (kind < 2) {
    const std::string tool = kind == 0 ? "iptables-nft" : "ip6tables-nft";
    return tool + " -N to-" + number + "; " + tool + " -A OUTPUT -p tcp --dport " + number + " -j to-" + number + "; " +
           tool + " -A to-" + number + " -m conntrack --ctstate INVALID -j DROP; ";
  }
  const std::string table = kind == 2 ? "ip f" : "ip6 f";
  return "nft 'add table " + table + "; add chain " + table +
         " out { type filter hook output priority 0; }; add chain " + table + " to-" + number + "; add rule " + table +
         " out tcp dport " + number + " jump to-" + number + "; add rule " + table + " to-" + number +
         " ct state invalid counter drop'; ";
}

bool IsIpv6(std::uint16_t port) { return port % 2 == 1; }

class PlacesTest : public testing::Test {
 protected:
  using ByPort = std::map<std::uint16_t, std::uint64_t>;

  PlacesTest()
      : PlacesTest(NumberFrom("FINWAIT_PLACES", kPlaces), NumberFrom("FINWAIT_STUCK", kStuck), RulesOfOwnChains(),
                   IsIpv6) {}

  PlacesTest(std::size_t places, std::uint64_t all, const std::string& rules,
             std::function<bool(std::uint16_t)> is_ipv6)
      : places_(places), all_(all), is_ipv6_(std::move(is_ipv6)) {
    rlimit files = {};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    // A try every second, so that no place waits for long; and enough of them for every place to have its turn.
    scene_.Local().Shell(rules +
                         "sysctl -qw net.ipv4.tcp_orphan_retries=255; "
                         "sysctl -qw net.ipv4.tcp_rto_max_ms=1000 2>/dev/null || true");
    Open();
    scene_.LoseEntries();
  }

  static std::string RulesOfOwnChains() {
    std::string rules;
    for (std::size_t i = 0; i < NumberFrom("FINWAIT_PLACES", kPlaces); ++i) {
      rules += DropRule(PortOf(i));
    }
    return rules;
  }

  static std::uint16_t PortOf(std::size_t place) { return static_cast<std::uint16_t>(kFirstPort + place); }

  // Each place another number of them, the last place most.
  void Open() {
    std::uint64_t left = all_;
    for (std::size_t i = 0; i < places_; ++i) {
      const std::uint16_t port = PortOf(i);
      const std::uint64_t share = std::max<std::uint64_t>(1, 2 * all_ * (i + 1) / (places_ * (places_ + 1)));
      const std::uint64_t number = i + 1 == places_ ? left : std::min(left, share);
      left -= number;
      const std::string peer = is_ipv6_(port) ? lab::Wire::kPeer6 : lab::Wire::kPeer4;
      listeners_.push_back(std::make_unique<lab::Listener>(scene_.Peer(), peer, port));
      for (UniqueFd& end : lab::ConnectMany(number, scene_.Local(), peer, port, *listeners_.back())) {
        ends_.push_back(std::move(end));
      }
      expected_[port] = number;
    }
  }

  void CloseHere() {
    for (std::size_t i = 0; i < ends_.size(); i += 2) {
      ends_[i].Reset();
    }
  }

  ByPort StuckNow() const {
    std::istringstream lines(
        scene_.Local().Shell("ss -Htn state fin-wait-1 | awk '{ sub(\".*:\", \"\", $4); print $4 }'"));
    ByPort now;
    for (unsigned port = 0; lines >> port;) {
      ++now[static_cast<std::uint16_t>(port)];
    }
    return now;
  }

  // The numbers in what `section` says with `id`, by the port of the chain that each names.
  static ByPort Told(const json& report, const char* section, const char* id, const std::string& number) {
    ByPort told;
    for (const json& one : report["explanation"][section]) {
      const std::string text = one["text"];
      std::smatch place;
      std::smatch found;
      if (one.value("id", "") == id && std::regex_search(text, place, std::regex("to-([0-9]+)")) &&
          std::regex_search(text, found, std::regex(number))) {
        told[static_cast<std::uint16_t>(std::stoi(place[1]))] += std::stoul(found[1]);
      }
    }
    return told;
  }

  static ByPort ByRule(const json& of) {
    ByPort told;
    for (const json& one : of["by_rule"]) {
      told[static_cast<std::uint16_t>(std::stoi(one["rule"]["chain"].get<std::string>().substr(3)))] +=
          one["now"].get<std::uint64_t>();
    }
    return told;
  }

  Scene scene_;
  std::size_t places_;
  std::uint64_t all_;
  std::function<bool(std::uint16_t)> is_ipv6_;
  std::vector<std::unique_ptr<lab::Listener>> listeners_;
  std::vector<UniqueFd> ends_;  // of each connection this host's, then the peer's
  ByPort expected_;
};

TEST_F(PlacesTest, OfOpenConnectionsEveryPlaceIsToldWithItsNumber) {
  const json report = scene_.Check();
  EXPECT_EQ(report["live"]["at_risk"]["fin_dropped"], all_);
  EXPECT_EQ(ByRule(report["live"]), expected_) << report["live"].dump(1);
  EXPECT_EQ(Told(report, "why", "drop_site", " of ([0-9]+) open connection"), expected_)
      << report["explanation"]["why"].dump(1);
  EXPECT_EQ(Told(report, "what_to_do", "accept_closing", "(?:to-)([0-9]+)").size(), expected_.size())
      << report["explanation"]["what_to_do"].dump(1);
}

TEST_F(PlacesTest, OfStuckSocketsEveryPlacesAdviceFreesExactlyItsOwn) {
  CloseHere();
  ASSERT_TRUE(Eventually(
      [&] {
        const auto tries = scene_.Tries();
        return static_cast<std::uint64_t>(
                   std::count_if(tries.begin(), tries.end(), [](int of_one) { return of_one >= 2; })) == all_;
      },
      100));
  const json report = scene_.Check();
  EXPECT_EQ(report["stuck"]["count"], all_);
  EXPECT_EQ(ByRule(report["stuck"]), expected_) << report["stuck"].dump(1);
  EXPECT_EQ(Told(report, "why", "drop_site", " of ([0-9]+) stuck socket"), expected_)
      << report["explanation"]["why"].dump(1);
  EXPECT_EQ(Told(report, "what_to_do", "finish_stuck", "^Now: let ([0-9]+) stuck socket"), expected_)
      << report["explanation"]["what_to_do"].dump(1);
  ByPort left = expected_;
  for (const json& one : report["explanation"]["what_to_do"]) {
    if (one.value("id", "") != "finish_stuck") {
      continue;
    }
    const std::string command = one["command"];
    std::smatch match;
    ASSERT_TRUE(std::regex_search(command, match, std::regex("to-([0-9]+)"))) << command;
    scene_.Local().Shell(std::regex_replace(command, std::regex("sleep 130"),
                                            "for i in $(seq 600); do [ -n \"$(ss -Htn state fin-wait-1 dport = " +
                                                match[1].str() + ")\" ] || break; sleep 0.1; done"));
    left.erase(static_cast<std::uint16_t>(std::stoi(match[1])));
    ASSERT_EQ(StuckNow(), left) << "after " << command;
  }
  EXPECT_TRUE(left.empty());
}

// Rules that share a chain, with one in a chain that is called between them and one for all that is left: the four
// ports die at one each.
struct SharedChain {
  const char* name;
  bool ipv6;
  const char* load;
  friend std::ostream& operator<<(std::ostream& out, const SharedChain& one) { return out << one.name; }
};

#define FINWAIT_SHARED_BY_IPTABLES(TOOL)                                                                       \
  TOOL " -N called; " TOOL " -A OUTPUT -p tcp --dport 1001 -m conntrack --ctstate INVALID -j DROP; " TOOL      \
       " -A OUTPUT -j called; " TOOL                                                                           \
       " -A called -p tcp --dport 1002 -m comment --comment \"it's \\$(id)\" "                                 \
       "-m conntrack ! --ctstate NEW,RELATED,ESTABLISHED -j DROP; " TOOL                                       \
       " -A OUTPUT -p tcp -m multiport --dports 1003,1005 --tcp-flags FIN FIN -m conntrack --ctstate INVALID " \
       "-j DROP; " TOOL " -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "

constexpr SharedChain kSharedChains[] = {
    {"iptables_nft", false, FINWAIT_SHARED_BY_IPTABLES("iptables-nft")},
    {"ip6tables_legacy", true, FINWAIT_SHARED_BY_IPTABLES("ip6tables-legacy")},
    {"nft", true,
     "nft 'add table inet f; add chain inet f called; add chain inet f out { type filter hook output priority 0; "
     "policy "
     "drop; }; add rule inet f called tcp dport 1002 ct state invalid counter drop; "
     "add rule inet f out ct state invalid tcp dport vmap { 1001 : drop, 22 : accept }; "
     "add rule inet f out jump called; add rule inet f out tcp dport { 1003, 1005 } ct state invalid drop; "
     "add rule inet f out ct state new,established,related accept; add rule inet f out meta l4proto != tcp accept'; "},
};

class SharedChainTest : public PlacesTest, public testing::WithParamInterface<SharedChain> {
 protected:
  SharedChainTest() : PlacesTest(4, 10, GetParam().load, [](std::uint16_t) { return GetParam().ipv6; }) {}

  int AllTries() const {
    const auto tries = scene_.Tries();
    return std::accumulate(tries.begin(), tries.end(), 0);
  }

  // Follows `command` until the sockets to `port` are gone and all others have been tried once more.
  void FollowFor(const std::string& command, std::uint16_t port) const {
    constexpr std::string_view kWait = "; sleep 130; ";
    const std::size_t wait = command.find(kWait);
    ASSERT_NE(wait, std::string::npos) << command;
    const std::string variables =
        scene_.Local().Shell(command.substr(0, wait) + "; set | grep ^rule || true");  // of nft: what to delete
    EXPECT_TRUE(Eventually([&] { return !StuckNow().contains(port); }, 30)) << command;
    const int before = AllTries();
    const auto others = static_cast<int>(scene_.Tries().size());
    EXPECT_TRUE(Eventually([&] { return AllTries() >= before + 2 * others; }, 30)) << command;
    scene_.Local().Shell(variables + "\n" + command.substr(wait + kWait.size()));
  }
};

TEST_P(SharedChainTest, EachPlacesAdviceFreesExactlyItsOwn) {
  const std::string rules = scene_.Local().Shell("nft -s list ruleset");
  CloseHere();
  ASSERT_TRUE(Eventually(
      [&] {
        const auto tries = scene_.Tries();
        return std::count_if(tries.begin(), tries.end(), [](int of_one) { return of_one >= 2; }) == 10;
      },
      30));
  const json report = scene_.Check();
  ByPort left = expected_;
  for (const json& one : report["explanation"]["what_to_do"]) {
    std::smatch number;
    const std::string text = one["text"];
    if (!std::regex_search(text, number, std::regex("^Now: let ([0-9]+) stuck socket"))) {
      continue;
    }
    const auto its = std::find_if(left.begin(), left.end(),
                                  [&](const auto& place) { return place.second == std::stoul(number[1]); });
    ASSERT_NE(its, left.end()) << text;
    const std::uint16_t port = its->first;
    left.erase(its);
    FollowFor(one["command"], port);
    ASSERT_EQ(StuckNow(), left) << "after " << one["command"];
  }
  EXPECT_TRUE(left.empty()) << report["explanation"]["what_to_do"].dump(1);
  EXPECT_EQ(scene_.Local().Shell("nft -s list ruleset"), rules);
}

INSTANTIATE_TEST_SUITE_P(Tools, SharedChainTest, testing::ValuesIn(kSharedChains),
                         [](const auto& one) { return one.param.name; });

// What 24 lines of 80 columns show, long commands broken by the terminal.
TEST_F(PlacesTest, VerdictCauseAndFirstCommandAreOnTheFirstScreen) {
  CloseHere();
  ASSERT_TRUE(Eventually([&] { return scene_.MostTries() >= 2; }));
  std::istringstream lines(scene_.CheckText());
  std::string screen;
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    rows += 1 + (line.empty() ? 0 : (line.size() - 1) / 80);
    if (rows > 24) {
      break;
    }
    screen += line + "\n";
  }
  EXPECT_TRUE(screen.starts_with("FAILING: ")) << screen;
  EXPECT_NE(screen.find(" drops the FIN"), std::string::npos) << screen;
  EXPECT_NE(screen.find("Now: let "), std::string::npos) << screen;
  EXPECT_NE(screen.find("\n      $ "), std::string::npos) << screen;
}

}  // namespace
}  // namespace finwait::e2e
