// Prints what each collector says of itself, as JSON, in the registry's order: what tools/generate.py makes lists from.

#include <iostream>

#include <nlohmann/json.hpp>

#include "collectors/sources/registry.h"

int main() {
  using finwait::sources::CollectorInfo;
  nlohmann::ordered_json collectors = nlohmann::ordered_json::array();
  for (const CollectorInfo& info : finwait::sources::CollectorRegistry()) {
    collectors.push_back({{"name", info.name},
                          {"summary", info.summary},
                          {"reads", info.reads},
                          {"capability", Name(info.capability)},
                          {"part", info.part},
                          {"enabled_by_default", info.enabled_by_default}});
  }
  std::cout << collectors.dump(2) << "\n";
}
