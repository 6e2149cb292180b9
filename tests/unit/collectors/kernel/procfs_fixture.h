#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// A directory that stands in for procfs, removed with this object.
class ProcfsFixture {
 public:
  ProcfsFixture() {
    std::string path = testing::TempDir() + "finwait-procfs-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      throw std::runtime_error("mkdtemp " + path);
    }
    root_ = path;
  }
  ~ProcfsFixture() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  ProcfsFixture(const ProcfsFixture&) = delete;
  ProcfsFixture& operator=(const ProcfsFixture&) = delete;

  const std::filesystem::path& Root() const { return root_; }

  /// Writes a file, and the directories above it.
  void Write(const std::filesystem::path& relative, std::string_view content) const {
    std::filesystem::create_directories((root_ / relative).parent_path());
    std::ofstream file(root_ / relative, std::ios::binary);
    file << content << std::flush;
    if (!file) {
      throw std::runtime_error("write " + (root_ / relative).string());
    }
  }
  void Remove(const std::filesystem::path& relative) const { std::filesystem::remove_all(root_ / relative); }

  /// A host whose procfs is this directory, with every part of the kernel there, and no netlink.
  Host MakeHost() const {
    Host host;
    host.procfs = root_;
    host.find_feature = [](const KernelFeature&) { return FeatureState::kSafeToAsk; };
    return host;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace finwait::kernel
