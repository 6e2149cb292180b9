#include "exporter/privilege/capabilities.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <string>

namespace finwait::privilege {
namespace {

constexpr const char* kNothing = "0000000000000000";
constexpr const char* kNetAdmin = "0000000000001000";

// The Cap lines of this process's status, by name.
std::map<std::string, std::string> Sets() {
  std::ifstream status("/proc/thread-self/status");
  std::map<std::string, std::string> sets;
  for (std::string name, value; status >> name;) {
    if (name.starts_with("Cap") && status >> value) {
      sets[name] = value;
    }
  }
  return sets;
}

bool HasEverything() { return ::prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) == 1 && Sets().at("CapEff:") != kNothing; }

// Whether `action` succeeds in a child process, whose capabilities are its own to lose.
bool InChild(const std::function<bool()>& action) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(action() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && status == 0;
}

TEST(Capabilities, AreAllGoneExceptNetAdminWhenThatIsKept) {
  if (!HasEverything()) {
    GTEST_SKIP() << "this process has no capabilities to give up: run it as root";
  }
  EXPECT_TRUE(InChild([] {
    const auto given_up = GiveUpCapabilities({.net_admin = true});
    const auto sets = Sets();
    return given_up && sets.at("CapEff:") == kNetAdmin && sets.at("CapPrm:") == kNetAdmin &&
           sets.at("CapBnd:") == kNetAdmin && sets.at("CapInh:") == kNothing && sets.at("CapAmb:") == kNothing &&
           EffectiveCapabilities() == "CAP_NET_ADMIN";
  }));
}

TEST(Capabilities, AreAllGoneWhenNothingNeedsOne) {
  EXPECT_TRUE(InChild([] {
    const bool whole = HasEverything();
    const auto given_up = GiveUpCapabilities({});
    const auto sets = Sets();
    return given_up && sets.at("CapEff:") == kNothing && sets.at("CapPrm:") == kNothing &&
           (!whole || sets.at("CapBnd:") == kNothing) && sets.at("CapInh:") == kNothing &&
           sets.at("CapAmb:") == kNothing && EffectiveCapabilities() == "none";
  }));
}

TEST(Capabilities, OnceGoneAreNotKeptByAskingAgain) {
  EXPECT_TRUE(InChild([] {
    return GiveUpCapabilities({}) && GiveUpCapabilities({.net_admin = true}) && Sets().at("CapEff:") == kNothing;
  }));
}

}  // namespace
}  // namespace finwait::privilege
