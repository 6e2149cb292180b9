#include "collectors/kernel/features.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

namespace finwait::kernel {
namespace {

bool Exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::string RunningRelease() {
  utsname name = {};
  return ::uname(&name) == 0 ? name.release : "";
}

// "kernel/net/netfilter/nf_tables.ko": files may spell a module with dashes where its name has underscores.
bool NamesModule(std::string line, std::string_view module) {
  line.erase(0, line.rfind('/') + 1);
  std::replace(line.begin(), line.end(), '-', '_');
  return line == std::string(module) + ".ko";
}

}  // namespace

KernelFeatures::KernelFeatures(Paths paths) : paths_(std::move(paths)) {
  if (paths_.release.empty()) {
    paths_.release = RunningRelease();
  }
}

FeatureState KernelFeatures::Find(const KernelFeature& feature) {
  const std::lock_guard lock(mutex_);
  const auto known = built_in_.find(feature.module);
  if (known != built_in_.end() && known->second == FeatureState::kSafeToAsk) {
    return FeatureState::kSafeToAsk;
  }
  if (IsLoaded(feature.module)) {  // not kept: a module can be unloaded
    return FeatureState::kSafeToAsk;
  }
  if (known != built_in_.end()) {
    return known->second;
  }
  const FeatureState state = NoModuleSupport() ? FeatureState::kSafeToAsk : FindBuiltIn(feature);
  built_in_.emplace(feature.module, state);
  return state;
}

bool KernelFeatures::NoModuleSupport() const {
  // A procfs that shows processes only (hidepid's subset=pid) hides both files, and then says nothing.
  return !Exists(paths_.procfs / "modules") && Exists(paths_.procfs / "filesystems");
}

bool KernelFeatures::IsLoaded(std::string_view module) const {
  if (Exists(paths_.sysfs / "module" / module)) {
    return true;
  }
  std::ifstream modules(paths_.procfs / "modules");
  for (std::string line; std::getline(modules, line);) {
    if (line.compare(0, line.find(' '), module) == 0) {
      return true;
    }
  }
  return false;
}

FeatureState KernelFeatures::FindBuiltIn(const KernelFeature& feature) const {
  std::ifstream listed(paths_.modules / paths_.release / "modules.builtin");
  for (std::string line; std::getline(listed, line);) {
    if (NamesModule(std::move(line), feature.module)) {
      return FeatureState::kSafeToAsk;
    }
  }
  // A service's sandbox hides the list above and the one below (ProtectKernelModules=, ProtectKernelTunables=), not
  // this.
  const std::string built_in = std::string(feature.option) + "=y";
  std::ifstream configuration(paths_.boot / ("config-" + paths_.release));
  bool configured = false;
  for (std::string line; std::getline(configuration, line);) {
    if (line == built_in) {
      return FeatureState::kSafeToAsk;
    }
    configured = configured || line.starts_with("CONFIG_");
  }
  if (configured) {
    return FeatureState::kAbsent;
  }
  // "ffffffff81000000 T symbol", and a tab and "[module]" behind a module's symbols.
  std::ifstream symbols(paths_.procfs / "kallsyms");
  bool any = false;
  for (std::string line; std::getline(symbols, line);) {
    any = true;
    const std::size_t name = line.rfind(' ') + 1;
    if (line.compare(name, std::string::npos, feature.symbol) == 0) {
      return FeatureState::kSafeToAsk;
    }
  }
  return any ? FeatureState::kAbsent : FeatureState::kUnknown;
}

}  // namespace finwait::kernel
