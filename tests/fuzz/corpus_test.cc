// The short form of fuzzing: every target runs over its committed corpus, and over some thousand inputs made from it.
// Built with the release it finds crashes, hangs and broken promises; with the presets asan and tsan also what these
// see. The long form is tools/fuzz.sh.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/fuzz/mutator.h"
#include "tests/fuzz/target.h"
#include "tests/lab/paths.h"

namespace finwait::fuzz {
namespace {

using Input = std::vector<std::byte>;

std::vector<Input> Corpus(const Target& target) {
  std::vector<std::filesystem::path> paths;
  const auto folder = lab::SourceFolder() / "tests/fuzz/corpus" / target.name;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Input> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    const auto* bytes = reinterpret_cast<const std::byte*>(content.data());
    inputs.emplace_back(bytes, bytes + content.size());
  }
  return inputs;
}

class FuzzCorpus : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, HoldsItsPromisesOnTheCorpusAndOnWhatIsLikeIt) {
  const Target& target = GetParam();
  const std::vector<Input> inputs = Corpus(target);
  ASSERT_FALSE(inputs.empty()) << "no corpus/" << target.name;
  target.run({});
  for (const Input& input : inputs) {
    target.run(input);
  }
  std::mt19937 random(20240229);
  const ByteMutator mutate_bytes = PlainByteMutator(random);
  constexpr int kRuns = 2000;
  for (int i = 0; i < kRuns; ++i) {
    Input mutated = inputs[random() % inputs.size()];
    for (std::size_t changes = 1 + random() % 4; changes > 0; --changes) {
      mutated = Mutate(mutated, target.shape, random, mutate_bytes);
    }
    target.run(mutated);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzCorpus, testing::ValuesIn(Targets().begin(), Targets().end()),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace finwait::fuzz
