#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace finwait::kernel {

/// A part of the kernel that may be a module, and that the kernel would load by itself when somebody asks for it.
struct KernelFeature {
  std::string_view module;  ///< as lsmod prints it
  std::string_view symbol;  ///< a function that only this feature has
  std::string_view option;  ///< what the kernel's configuration calls it
};

/// nftables; a request to it also loads nfnetlink, which it needs.
inline constexpr KernelFeature kNfTables = {"nf_tables", "nft_register_chain_type", "CONFIG_NF_TABLES"};
/// ctnetlink: conntrack's own netlink. On a modular kernel it is loaded by the first who asks, such as conntrack(8).
inline constexpr KernelFeature kConntrackNetlink = {"nf_conntrack_netlink", "ctnetlink_dump_table",
                                                    "CONFIG_NF_CT_NETLINK"};
/// sock_diag for TCP; it needs inet_diag. On a modular kernel both are loaded by the first who asks, such as ss(8).
inline constexpr KernelFeature kTcpDiag = {"tcp_diag", "tcp_diag_get_info", "CONFIG_INET_TCP_DIAG"};

enum class FeatureState {
  kSafeToAsk,  ///< it is there, or this kernel has no modules to load: a request changes nothing
  kAbsent,     ///< it is not there; a request might load it
  kUnknown,    ///< what would tell cannot be read
};

/// Tells whether a request to a subsystem is free of side effects. A read-only program must not make the kernel load a
/// module. Keeps what cannot change (what is built in); thread-safe.
class KernelFeatures {
 public:
  struct Paths {
    std::filesystem::path procfs = "/proc";
    std::filesystem::path sysfs = "/sys";
    std::filesystem::path modules = "/lib/modules";
    std::filesystem::path boot = "/boot";
    std::string release;  ///< of the running kernel; empty asks uname
  };

  explicit KernelFeatures(Paths paths);

  /// Whether `feature` may be asked now. A few microseconds when it is there; the first time that it is not, up to some
  /// tens of milliseconds, because the kernel's list of symbols is the last resort.
  FeatureState Find(const KernelFeature& feature);

 private:
  bool NoModuleSupport() const;
  bool IsLoaded(std::string_view module) const;
  FeatureState FindBuiltIn(const KernelFeature& feature) const;

  Paths paths_;
  std::mutex mutex_;
  std::map<std::string, FeatureState, std::less<>> built_in_;
};

}  // namespace finwait::kernel
