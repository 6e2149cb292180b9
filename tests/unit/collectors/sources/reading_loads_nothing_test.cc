// A request to a part of the kernel that is a module and not loaded makes the kernel load it. No look may.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <map>
#include <set>
#include <string>

#include "collectors/kernel/find_socket.h"
#include "collectors/kernel/socket_pass.h"
#include "collectors/sources/registry.h"
#include "collectors/sources/tracking.h"
#include "tests/soon.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::sources {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// A host whose conntrack is there but whose other modules are not, or not known to be.
class LookingLoadsNothingTest : public testing::TestWithParam<kernel::FeatureState> {
 protected:
  LookingLoadsNothingTest() {
    procfs_.Write("sys/net/netfilter/nf_conntrack_count", "1\n");
    procfs_.Write("sys/net/netfilter/nf_conntrack_events", "2\n");
    host_ = procfs_.MakeHost();
    host_.find_feature = [](const kernel::KernelFeature&) { return GetParam(); };
    host_.open_channel = [this](int protocol) {
      asked_.insert(protocol);
      return kernel::netlink::FakeKernel::Make()->Open(protocol);
    };
    host_.open_events = [this](const kernel::netlink::Subscription& subscription) {
      asked_.insert(subscription.protocol);
      return Result<std::unique_ptr<kernel::netlink::EventSource>>(FailErrno("subscribe", EINVAL));
    };
  }

  // The protocols whose subsystems may be modules; addresses and routes are always built in.
  std::set<int> Asked() const {
    std::set<int> asked = asked_;
    asked.erase(NETLINK_ROUTE);
    return asked;
  }

  kernel::ProcfsFixture procfs_;
  kernel::Host host_;
  std::set<int> asked_;
};

TEST_P(LookingLoadsNothingTest, NoCollectorAsksForWhatIsNotThereAndEachSaysHowToLoadIt) {
  const std::map<std::string_view, const char*> modules = {
      {"conntrack_stats", "nf_conntrack_netlink"},
      {"conntrack_table", "nf_conntrack_netlink"},
      {"conntrack_events", "nf_conntrack_netlink"},
      {"tracking", "nf_conntrack_netlink"},
      {"sockets", "tcp_diag"},
  };
  for (const CollectorInfo& info : CollectorRegistry()) {
    const auto collected = info.make(host_, {})->Collect(Soon());
    EXPECT_THAT(Asked(), IsEmpty()) << info.name;
    const auto module = modules.find(info.name);
    if (module == modules.end()) {
      continue;
    }
    ASSERT_FALSE(collected) << info.name;
    EXPECT_EQ(collected.error().reason, FailureReason::kUnsupported) << info.name;
    EXPECT_THAT(collected.error().message, HasSubstr("`modprobe " + std::string(module->second) + "`"));
  }
}

TEST_P(LookingLoadsNothingTest, NeitherDoesAQuestionAboutOneConnection) {
  const Endpoint local = {*IpAddress::Parse("192.0.2.1"), 40000};
  const Endpoint peer = {*IpAddress::Parse("192.0.2.2"), 80};
  const auto socket = FindSocket(host_, local, peer, Soon());
  ASSERT_FALSE(socket);
  EXPECT_THAT(socket.error().message, HasSubstr("`modprobe tcp_diag`"));
  kernel::SocketTable sockets = {kernel::TcpSocket()};
  const std::vector<std::size_t> first = {0};
  EXPECT_FALSE(AskForEntries(host_, first, {}, Soon(), sockets));
  EXPECT_FALSE(StreamEntries(host_, Soon(), sockets));
  EXPECT_FALSE(ReadSockets(host_, kernel::kAllSocketStates, 0, Soon(), kernel::Into(sockets)));
  EXPECT_THAT(Asked(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(AbsentOrUnknown, LookingLoadsNothingTest,
                         testing::Values(kernel::FeatureState::kAbsent, kernel::FeatureState::kUnknown),
                         [](const auto& one) {
                           return one.param == kernel::FeatureState::kAbsent ? "absent" : "unknown";
                         });

}  // namespace
}  // namespace finwait::sources
