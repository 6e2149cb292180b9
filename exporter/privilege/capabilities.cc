#include "exporter/privilege/capabilities.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <cctype>
#include <cerrno>
#include <memory>
#include <type_traits>

namespace finwait::privilege {
namespace {

using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, decltype(&cap_free)>;

bool Holds(const Capabilities& capabilities, cap_value_t capability, cap_flag_t set) {
  cap_flag_value_t value = CAP_CLEAR;
  return cap_get_flag(capabilities.get(), capability, set, &value) == 0 && value == CAP_SET;
}

// Every capability that the running kernel knows: it answers -1 about others.
bool KernelKnows(cap_value_t capability) { return cap_get_bound(capability) >= 0; }

bool IsKept(cap_value_t capability, KeptCapabilities kept) {
  return (capability == CAP_NET_ADMIN && kept.net_admin) ||
         ((capability == CAP_BPF || capability == CAP_PERFMON) && kept.bpf) ||
         ((capability == CAP_SYS_ADMIN || capability == CAP_SYS_PTRACE) && kept.entering);
}

bool HoldsMoreThan(const Capabilities& held, KeptCapabilities kept) {
  for (cap_value_t capability = 0; KernelKnows(capability); ++capability) {
    if (Holds(held, capability, CAP_PERMITTED) && !IsKept(capability, kept)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<void> GiveUpCapabilities(KeptCapabilities kept) {
  const Capabilities held(cap_get_proc(), cap_free);
  const Capabilities left(cap_init(), cap_free);
  if (!held || !left) {
    return FailErrno("read this process's capabilities", errno);
  }
  if (Holds(held, CAP_SETPCAP, CAP_EFFECTIVE)) {
    for (cap_value_t capability = 0; KernelKnows(capability); ++capability) {
      if (!IsKept(capability, kept) && cap_drop_bound(capability) != 0) {
        return FailErrno("reduce the bounding set of capabilities", errno);
      }
    }
  }
  for (const cap_value_t capability : {CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF, CAP_SYS_ADMIN, CAP_SYS_PTRACE}) {
    if (IsKept(capability, kept) && Holds(held, capability, CAP_PERMITTED)) {
      cap_set_flag(left.get(), CAP_PERMITTED, 1, &capability, CAP_SET);
      cap_set_flag(left.get(), CAP_EFFECTIVE, 1, &capability, CAP_SET);
    }
  }
  // What is no longer inheritable is no longer ambient either: the kernel sees to that.
  if (cap_set_proc(left.get()) != 0) {
    const int error = errno;
    if (HoldsMoreThan(held, kept)) {
      return FailErrno("give up capabilities", error);
    }
    return GiveUpAmbientCapabilities();
  }
  return {};
}

bool MayReduceCapabilities() {
  const Capabilities held(cap_get_proc(), cap_free);
  return held && cap_set_proc(held.get()) == 0;
}

Result<void> GiveUpAmbientCapabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return FailErrno("leave no capability to a program that is started", errno);
  }
  return {};
}

std::string EffectiveCapabilities() {
  const Capabilities held(cap_get_proc(), cap_free);
  std::string names;
  for (cap_value_t capability = 0; held && KernelKnows(capability); ++capability) {
    if (Holds(held, capability, CAP_EFFECTIVE)) {
      const std::unique_ptr<char, decltype(&cap_free)> name(cap_to_name(capability), cap_free);
      names += names.empty() ? "" : ",";
      for (const char* letter = name.get(); letter != nullptr && *letter != '\0'; ++letter) {
        names += static_cast<char>(std::toupper(static_cast<unsigned char>(*letter)));
      }
    }
  }
  return names.empty() ? "none" : names;
}

}  // namespace finwait::privilege
