#pragma once

#include <cstdint>
#include <string>

#include "collectors/base/unique_fd.h"

namespace finwait::lab {

/// A BPF program of two instructions, attached for as long as this object lives. Each throws where the kernel, or this
/// process's rights, have no such programs: MayLoadBpf() tells before.
class DroppingProgram {
 public:
  /// In a hook of netfilter's of the calling thread's network namespace (Linux 6.4): drops all that comes to it.
  /// `family`: NFPROTO_IPV4 or NFPROTO_IPV6; `hook`: NF_INET_LOCAL_OUT ...
  static DroppingProgram InNetfilter(std::uint32_t family, std::uint32_t hook);
  /// At the egress of the control group at `path` (v2).
  static DroppingProgram AtEgressOf(const std::string& path);
  /// On all that goes out by a device of the calling thread's namespace, at tc's egress (tcx, Linux 6.6).
  static DroppingProgram AtTcOf(const std::string& device);
  /// On all that comes in by a device of the calling thread's namespace, by generic XDP.
  static DroppingProgram AtDevice(const std::string& device);

 private:
  DroppingProgram(UniqueFd program, UniqueFd link) : program_(std::move(program)), link_(std::move(link)) {}
  UniqueFd program_;
  UniqueFd link_;
};

/// Whether this kernel is new enough for InNetfilter(), and for AtTcOf().
bool HasNetfilterPrograms();
bool HasTcx();

/// Whether this process may load BPF programs at all: it is root in the first user namespace, as a rule.
bool MayLoadBpf();

}  // namespace finwait::lab
