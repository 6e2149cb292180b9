#pragma once

#include <cstddef>
#include <string>

#include "exporter/diagnosis/idle.h"

namespace finwait::report {

/// Services beyond these are not named in one statement.
inline constexpr std::size_t kMostServicesNamed = 3;

/// "to peers' port 5432 of unit app.service".
inline std::string PortOf(const diagnosis::ServiceIdle& service) {
  return (service.service.at_peer ? "to peers' port " : "on port ") + std::to_string(service.service.port) +
         (service.owner != nullptr ? " of " + service.owner->Text() : "");
}

/// " (40 to peers' port 5432, 2 on port 22)": whose connections `count` of each service adds up; empty where none.
template <typename Count>
std::string ByPort(const diagnosis::IdleSummary& idle, Count count) {
  std::string text;
  std::size_t named = 0;
  for (const diagnosis::ServiceIdle& service : idle.services) {
    if (count(service) > 0 && named++ < kMostServicesNamed) {
      text += (text.empty() ? " (" : ", ") + std::to_string(count(service)) + " " + PortOf(service);
    }
  }
  return text.empty() ? text : text + (named > kMostServicesNamed ? ", and others)" : ")");
}

/// The smallest timeout that is advised for that silence, in whole minutes: longer than it.
inline std::uint64_t SafeTimeout(std::uint32_t longest_seconds) {
  return (std::uint64_t{longest_seconds} / 60 + 1) * 60;
}

}  // namespace finwait::report
