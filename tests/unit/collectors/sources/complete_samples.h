#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "collectors/sources/collector.h"

namespace finwait::sources {

/// A sample of each collector in which nothing is missing, as the tests of collectors tell them: what docs/metrics.md
/// is made from. A test adds its own at namespace scope: const bool kNetstatComplete =
/// CompleteSamples::Add(NetstatSample{...});
class CompleteSamples {
 public:
  template <typename Sample>
  static bool Add(Sample sample) {
    return All().emplace(Sample::kCollector, std::make_shared<Sample>(std::move(sample))).second;
  }
  /// Null where no test has added one.
  static std::shared_ptr<const SampleData> Of(std::string_view collector) {
    const auto found = All().find(collector);
    return found != All().end() ? found->second : nullptr;
  }

 private:
  static std::map<std::string_view, std::shared_ptr<const SampleData>>& All() {
    static std::map<std::string_view, std::shared_ptr<const SampleData>> samples;
    return samples;
  }
};

}  // namespace finwait::sources
