#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"

namespace finwait::lab {

/// What a command printed and how it ended.
struct CommandOutput {
  int exit_code = -1;
  std::string out;  ///< standard output
  std::string err;  ///< standard error
};

/// A network namespace of a test's own. It has no name and no mount: it lives as long as this object's descriptor (and
/// what runs inside), so that nothing is left behind however the test ends. Loopback is up.
class Namespace {
 public:
  Namespace();
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  /// Runs `action` on a thread that is inside this namespace and waits for it. Exceptions pass through.
  void Run(const std::function<void()>& action) const;

  /// Runs a program inside and waits for it, at most `seconds`; past that it is killed and the test fails by exception.
  CommandOutput Command(const std::vector<std::string>& arguments, const std::string& input = "",
                        int seconds = 20) const;

  /// As Command through `sh -c`; throws when it exits with anything but 0. Returns standard output.
  std::string Shell(const std::string& script) const;

  /// Writes a sysctl of this namespace: Sysctl("net.netfilter.nf_conntrack_tcp_loose", "0").
  void Sysctl(const std::string& name, const std::string& value) const;

  /// A path that `ip link set DEVICE netns PATH` accepts, valid while this object lives.
  std::string Path() const;
  /// Starts a program inside without waiting; its standard output and error go to `output_path` ("" discards them).
  /// Killed with SIGKILL when this process dies.
  pid_t Spawn(const std::vector<std::string>& arguments, const std::string& output_path = "") const;

 private:
  UniqueFd fd_;
};

/// Two namespaces joined by a veth pair: `local` is 192.0.2.1 and 2001:db8::1, `peer` is 192.0.2.2 and 2001:db8::2, on
/// devices `veth0`. Duplicate address detection is off, so both families work at once.
struct Wire {
  Wire();
  Namespace local;
  Namespace peer;
  static constexpr const char* kLocal4 = "192.0.2.1";
  static constexpr const char* kPeer4 = "192.0.2.2";
  static constexpr const char* kLocal6 = "2001:db8::1";
  static constexpr const char* kPeer6 = "2001:db8::2";
  static constexpr const char* kLocalMac = "02:00:00:00:00:01";
  static constexpr const char* kPeerMac = "02:00:00:00:00:02";
};

/// Puts this process into namespaces where it may do all this: nothing to do for root; else one re-execution of the
/// program under new user and network namespaces. Call it first in main(). Throws with a clear sentence where neither
/// works.
void RequireLab(int argc, char** argv);

}  // namespace finwait::lab
