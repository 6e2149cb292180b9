#include "exporter/service/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>

#include "collectors/base/unique_fd.h"

namespace finwait::service {
namespace {

using std::chrono::microseconds;

ServiceNotify With(const std::map<std::string, std::string>& variables) {
  return ServiceNotify([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

// A service manager's end: a bound datagram socket.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') {
      address.sun_path[0] = '\0';
    } else {
      path_ = name;
    }
    bound_ = ::bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&address),
                    static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0;
  }
  ~Manager() {
    if (!path_.empty()) {
      ::unlink(path_.c_str());
    }
  }
  bool Bound() const { return bound_; }
  std::string Next() const {
    char buffer[256];
    const ssize_t size = ::recv(fd_.Get(), buffer, sizeof(buffer), 0);
    return size < 0 ? "" : std::string(buffer, static_cast<std::size_t>(size));
  }

 private:
  UniqueFd fd_;
  std::string path_;
  bool bound_ = false;
};

TEST(ServiceNotify, TellsTheServiceManagerOverAPathOrAnAbstractName) {
  const std::string unique = "finwait_notify_" + std::to_string(::getpid());
  for (const std::string& name : {"/tmp/" + unique, "@" + unique}) {
    const Manager manager(name);
    ASSERT_TRUE(manager.Bound()) << name;
    const ServiceNotify notify = With({{"NOTIFY_SOCKET", name}});
    EXPECT_TRUE(notify.Ready());
    EXPECT_TRUE(notify.Alive());
    EXPECT_TRUE(notify.Stopping());
    EXPECT_EQ(manager.Next(), "READY=1");
    EXPECT_EQ(manager.Next(), "WATCHDOG=1");
    EXPECT_EQ(manager.Next(), "STOPPING=1");
    EXPECT_EQ(manager.Next(), "");
  }
}

TEST(ServiceNotify, DoesNothingWithoutAServiceManager) {
  const ServiceNotify notify = With({});
  EXPECT_TRUE(notify.Ready());
  EXPECT_FALSE(notify.WatchdogPeriod());
}

TEST(ServiceNotify, SaysWhyNobodyCouldBeTold) {
  EXPECT_EQ(With({{"NOTIFY_SOCKET", "/nowhere/notify"}}).Ready().error().message,
            "connect to the service manager: No such file or directory");
  for (const std::string& name : {std::string("relative"), "/" + std::string(108, 'x')}) {
    EXPECT_EQ(With({{"NOTIFY_SOCKET", name}}).Ready().error().message,
              "NOTIFY_SOCKET names no socket: \"" + name + "\"");
  }
}

// Under the sandbox no other Unix socket can be made; and this one is bound, once and for all.
TEST(ServiceNotify, ItsSocketMakesNoFile) {
  const std::string name = "@finwait_bound_" + std::to_string(::getpid());
  const Manager manager(name);
  const int next = ::dup(0);
  ::close(next);
  const ServiceNotify notify = With({{"NOTIFY_SOCKET", name}});
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "made_here");
  EXPECT_EQ(::bind(next, reinterpret_cast<const sockaddr*>(&address), sizeof(address.sun_family) + 10), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(::access("made_here", F_OK), 0);
}

TEST(ServiceNotify, NeverWaitsForAServiceManagerThatDoesNotRead) {
  const std::string name = "@finwait_deaf_" + std::to_string(::getpid());
  const Manager manager(name);
  const ServiceNotify notify = With({{"NOTIFY_SOCKET", name}});
  bool refused = false;
  for (int i = 0; i < 100'000 && !refused; ++i) {
    refused = !notify.Alive();
  }
  EXPECT_TRUE(refused);
}

TEST(ServiceNotify, WatchdogPeriodIsTakenIfItIsMeantForThisProcess) {
  const std::string own = std::to_string(::getpid());
  EXPECT_EQ(With({{"WATCHDOG_USEC", "30000000"}}).WatchdogPeriod(), microseconds(30'000'000));
  EXPECT_EQ(With({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", own}}).WatchdogPeriod(), microseconds(5));
  const std::string other = std::to_string(::getpid() + 1);
  EXPECT_FALSE(With({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", other}}).WatchdogPeriod());
}

TEST(ServiceNotify, ImpossibleWatchdogPeriodsCountAsNone) {
  for (const char* text : {"", "0", "-1", "1s", "99999999999999999999", "9223372036854775807"}) {
    EXPECT_FALSE(With({{"WATCHDOG_USEC", text}}).WatchdogPeriod()) << text;
  }
}

}  // namespace
}  // namespace finwait::service
