#pragma once

#include <stdexcept>

#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "tests/lab/namespace.h"

namespace finwait::lab {

/// The machine as a thread inside the namespace sees it.
inline kernel::Host HostHere() {
  auto host = kernel::OpenHost("/proc");
  if (!host) {
    throw std::runtime_error(host.error().message);
  }
  return *host;
}

/// One look of a fresh collector of type `Reader` inside `where`, whose sample is a `Sample`; throws when it fails,
/// even in part.
template <typename Sample, typename Reader, typename... Arguments>
Sample Collect(const Namespace& where, Arguments... arguments) {
  Sample sample;
  where.Run([&] {
    Reader reader(HostHere(), arguments...);
    auto collected = reader.Collect(Deadline::After(std::chrono::seconds(10)));
    if (!collected) {
      throw std::runtime_error(collected.error().message);
    }
    if (!collected->gaps.empty()) {
      throw std::runtime_error(collected->gaps.front().message);
    }
    sample = dynamic_cast<const Sample&>(*collected->data);
  });
  return sample;
}

}  // namespace finwait::lab
