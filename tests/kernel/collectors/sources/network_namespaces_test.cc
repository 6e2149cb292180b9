#include "collectors/sources/network_namespaces.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::sources {
namespace {

NetworkNamespacesSample Look(const lab::Namespace& where) {
  return lab::Look<NetworkNamespacesSample, NetworkNamespacesCollector>(where);
}

// A process that does nothing but live in a namespace.
class Inhabitant {
 public:
  explicit Inhabitant(const lab::Namespace& where) : pid_(where.Spawn({"sleep", "60"})) {}
  ~Inhabitant() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

// Other programs' namespaces come and go on the machine that runs this: only differences made here are certain, and
// only as bounds.
TEST(NetworkNamespacesTest, CountsTheNamespacesThatProcessesLiveInAndNotItsOwn) {
  const lab::Namespace here;
  const lab::Namespace first;
  const lab::Namespace second;
  const Inhabitant at_home(here);
  const Inhabitant one(first);
  const Inhabitant another(first);
  const Inhabitant third(second);
  EXPECT_TRUE(lab::Eventually([&] { return Look(here).unseen >= 2; }));
  EXPECT_TRUE(lab::Eventually([&] { return Look(here).processes_elsewhere >= 3; }));
}

}  // namespace
}  // namespace finwait::sources
