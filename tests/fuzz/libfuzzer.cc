// The targets under libFuzzer: build/fuzz/finwait_fuzz --target=NAME [libFuzzer's options] CORPUS...
// tools/fuzz.sh runs them all.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/mutator.h"
#include "tests/fuzz/target.h"

namespace {

const finwait::fuzz::Target* g_target = nullptr;  // libFuzzer calls functions, which have nowhere else to look

}  // namespace

extern "C" {

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kFlag = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.starts_with(kFlag)) {
      g_target = finwait::fuzz::FindTarget(argument.substr(kFlag.size()));
    } else if (argument == "--list") {
      for (const auto& target : finwait::fuzz::Targets()) {
        std::printf("%s\n", std::string(target.name).c_str());
      }
      std::exit(0);
    }
  }
  if (g_target == nullptr) {
    std::fputs("give --target=NAME, of those that --list prints\n", stderr);
    std::exit(2);
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  g_target->run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  std::mt19937 random(seed);
  const auto bytes = [](std::byte* at, std::size_t length, std::size_t capacity) {
    return LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(at), length, capacity);
  };
  if (g_target->shape == finwait::fuzz::Shape::kBytes) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const auto mutated =
      finwait::fuzz::Mutate({reinterpret_cast<const std::byte*>(data), size}, g_target->shape, random, bytes);
  if (mutated.empty() || mutated.size() > max_size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}

}  // extern "C"
