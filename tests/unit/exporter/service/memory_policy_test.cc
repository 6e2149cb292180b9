#include "exporter/service/memory_policy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

namespace finwait::service {
namespace {

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::unique_ptr<char[]> Used(std::size_t size) {
  std::unique_ptr<char[]> block(new char[size]);
  std::memset(block.get(), 1, size);
  return block;
}

// Exits with 0 when it is so, else with the number of what is not.
[[noreturn]] void UseAndFree() {
  ConfigureAllocator();
  Used(4'000'000);  // would raise glibc's own threshold above the blocks below
  const std::size_t before = ResidentBytes();
  std::vector<std::unique_ptr<char[]>> kept;
  {
    std::vector<std::unique_ptr<char[]>> freed;
    for (int i = 0; i < 20; ++i) {
      freed.push_back(Used(2'000'000));
      kept.push_back(Used(100));
    }
    if (ResidentBytes() <= before + 35'000'000) {
      std::exit(1);
    }
  }
  std::exit(ResidentBytes() < before + 4'000'000 ? 0 : 2);
}

TEST(MemoryPolicy, WhatIsFreedIsNoLongerResidentAlsoBelowWhatIsKept) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer has an allocator of its own";
#endif
  // In a process that starts afresh: what other tests have left free would be used first.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(UseAndFree(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace finwait::service
