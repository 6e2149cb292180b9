// The program's own grading of its predictions, held against closes of every fate on the real kernel.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;

constexpr int kEach = 2;
constexpr const char* kTranslated = "198.51.100.1";

class PredictionOutcomesTest : public testing::Test {
 protected:
  void Open(std::uint16_t port, const std::string& address = lab::Wire::kPeer4) {
    listeners_.push_back(std::make_unique<lab::Listener>(scene_.Peer(), lab::Wire::kPeer4, port));
    bool local = true;
    for (UniqueFd& end : lab::ConnectMany(kEach, scene_.Local(), address, port, *listeners_.back())) {
      (local ? ends_[port] : peers_).push_back(std::move(end));
      local = !local;
    }
  }
  static std::map<std::string, double> OutcomesOf(const Program& program) {
    const std::string family = "finwait_prediction_outcomes_total{";
    std::map<std::string, double> outcomes;
    for (const auto& [series, value] : program.Scrape()) {
      if (series.starts_with(family) && value > 0) {
        outcomes[series.substr(family.size())] = value;
      }
    }
    return outcomes;
  }

  Scene scene_;
  std::vector<std::unique_ptr<lab::Listener>> listeners_;
  std::map<std::uint16_t, std::vector<UniqueFd>> ends_;  // the local ones, by port
  std::vector<UniqueFd> peers_;
};

TEST_F(PredictionOutcomesTest, ClosesOfEveryFateAreCountedOnceAsPredicted) {
  scene_.Local().Shell(
      "for port in 1002 1003; do iptables -A OUTPUT -p tcp --dport $port -m conntrack --ctstate INVALID -j DROP; done; "
      "iptables -A INPUT -p tcp --sport 1004 -m conntrack ! --ctstate ESTABLISHED -j DROP; "
      "iptables -A INPUT -p tcp --sport 1005 -m conntrack --ctstate NEW -j DROP; "
      "iptables -A INPUT -p tcp --sport 1006 -m conntrack --ctstate INVALID -j DROP; "
      "iptables -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2; "
      "ip route add 198.51.100.0/24 via 192.0.2.2; "
      "iptables -A OUTPUT -p tcp --dport 1008 -m conntrack --ctstate INVALID -m statistic --mode random "
      "--probability 0.5 -j DROP");
  for (const int port : {1001, 1002, 1003, 1004, 1005, 1006, 1008}) {
    Open(static_cast<std::uint16_t>(port));
  }
  Open(1007, kTranslated);
  const Program program(scene_.Local(), {"--sampling.interval=1s"});
  nlohmann::json report;
  const auto live = [&](const char* what) {
    report = nlohmann::json::parse(program.Get("/api/v1/report").body);
    return report["live"].is_object() ? report["live"][what] : nlohmann::json();
  };
  ASSERT_TRUE(Eventually([&] { return live("open") == 8 * kEach; }));
  scene_.LoseEntries();
  const nlohmann::json at_risk = {{"fin_dropped", 2 * kEach},  {"ack_dropped", kEach},  {"nat_lost", kEach},
                                  {"peer_fin_dropped", kEach}, {"peer_decides", kEach}, {"unknown", kEach}};
  ASSERT_TRUE(Eventually([&] { return live("at_risk") == at_risk && live("open") == 8 * kEach; }))
      << report["live"].dump(1);
  EXPECT_TRUE(OutcomesOf(program).empty()) << "nothing has closed";

  for (UniqueFd& end : ends_[1003]) {
    CloseWithReset(end);
  }
  ends_.clear();
  const std::map<std::string, double> expected = {
      {"fate=\"clean\",outcome=\"as_foretold\"}", kEach},
      {"fate=\"fin_dropped\",outcome=\"as_foretold\"}", 2 * kEach},
      {"fate=\"ack_dropped\",outcome=\"as_foretold\"}", kEach},
      {"fate=\"nat_lost\",outcome=\"as_foretold\"}", kEach},
      {"fate=\"peer_fin_dropped\",outcome=\"as_foretold\"}", kEach},
      {"fate=\"peer_decides\",outcome=\"as_foretold\"}", kEach},
      {"fate=\"unknown\",outcome=\"unseen\"}", kEach},
  };
  Eventually([&] { return OutcomesOf(program) == expected; }, 40);
  EXPECT_EQ(OutcomesOf(program), expected);
}

}  // namespace
}  // namespace finwait::e2e
