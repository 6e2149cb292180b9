#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <list>
#include <optional>
#include <thread>

#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/server_fixture.h"

namespace finwait::http {
namespace {

using namespace std::chrono_literals;
using testing_client::Client;

class ServerFamine : public ServerFixture {
 protected:
  /// Starts with one connection that is accepted and idle, and none that still has to go.
  void StartWithIdleClient() {
    Start();
    const std::ptrdiff_t before = OpenDescriptors();
    idle_.emplace(Port());
    ASSERT_TRUE(lab::Eventually([&] { return OpenDescriptors() == before + 2; }));
  }

  std::optional<Client> idle_;
};

/// Takes every free file descriptor of this process but `left`.
class DescriptorFamine {
 public:
  explicit DescriptorFamine(std::size_t left) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = UniqueFd(dup(0)).Get();
    const rlimit low{static_cast<rlim_t>(next) + 20, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    while (true) {
      UniqueFd fd(dup(0));
      if (!fd) {
        break;
      }
      taken_.push_back(std::move(fd));
    }
    taken_.resize(taken_.size() - left);
  }
  ~DescriptorFamine() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::list<UniqueFd> taken_;
};

TEST_F(ServerFamine, WithoutADescriptorLeftTheOldestConnectionGivesWay) {
  StartWithIdleClient();
  Client client;
  const DescriptorFamine famine(0);
  client.Connect(Port());
  client.Send(RequestFor("/hello"));
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_TRUE(idle_->IsEnded(1s));
}

TEST_F(ServerFamine, TheLastDescriptorIsUsedAndNobodyGivesWayForIt) {
  StartWithIdleClient();
  Client client;
  const DescriptorFamine famine(1);
  client.Connect(Port());
  client.Send(RequestFor("/hello"));
  EXPECT_EQ(client.Receive().status, 200);
  idle_->Send(RequestFor("/hello"));
  EXPECT_EQ(idle_->Receive().status, 200);
}

TEST_F(ServerFamine, WithNothingToGiveUpItWaitsForADescriptorWithoutSpinning) {
  Start();
  Client client;
  std::optional<DescriptorFamine> famine(std::in_place, 0);
  client.Connect(Port());
  client.Send(RequestFor("/hello"));
  const std::clock_t cpu_before = std::clock();
  EXPECT_EQ(client.ReceiveAll(500ms), "");
  EXPECT_LT(std::clock() - cpu_before, CLOCKS_PER_SEC / 10);
  famine.reset();
  EXPECT_EQ(client.Receive().status, 200);
}

}  // namespace
}  // namespace finwait::http
