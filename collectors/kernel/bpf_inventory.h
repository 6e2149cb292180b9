#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/group_programs.h"

namespace finwait::kernel {

/// A BPF program that is linked into a hook of netfilter's (Linux 6.4).
struct NetfilterProgram {
  static constexpr std::uint64_t kAnyNamespace = 0;  ///< there is such a link, and nobody could tell whose
  std::uint64_t network_namespace = kAnyNamespace;   ///< the inode of its file
  IpFamily family = IpFamily::kIpv4;
  std::uint32_t hook = 0;    ///< NF_INET_*
  std::uint32_t number = 0;  ///< of the program; 0: not known
  std::string name;          ///< may be empty
};

/// What only the mighty are told of BPF, as it was when it was listed.
struct BpfInventory {
  std::map<std::uint32_t, std::string> names;  ///< of programs, by their numbers
  std::vector<NetfilterProgram> in_netfilter;  ///< of all network namespaces
  std::vector<GroupProgram> of_groups;         ///< for kernels that tell the mighty alone (ReadGroupPrograms)

  /// "" for none.
  std::string NameOf(std::uint32_t program) const {
    const auto found = names.find(program);
    return found != names.end() ? found->second : std::string();
  }
};

/// `"drop" (17)`, or `17` where it has no name, or none is known.
std::string CalledBpf(const std::string& name, std::uint32_t number);

/// The names of all BPF programs (BPF_PROG_GET_NEXT_ID). Takes CAP_SYS_ADMIN in the first user namespace.
Result<std::map<std::uint32_t, std::string>> ReadBpfNames();
/// Whether any BPF link is one of netfilter's (BPF_LINK_GET_NEXT_ID). Takes the same.
Result<bool> HasNetfilterLinks();

}  // namespace finwait::kernel
