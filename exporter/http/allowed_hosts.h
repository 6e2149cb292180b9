#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finwait::http {

/// The host names that a request's Host field may have. A web page can have its own name point to this host (DNS
/// rebinding) and then read what this server answers in the name of the person who looks at it; its name is what gives
/// it away. Addresses are always allowed, as no name is looked up for them, and so is "localhost".
class AllowedHosts {
 public:
  /// `names` are compared without case and without a dot at the end; "*" allows all.
  explicit AllowedHosts(std::vector<std::string> names);

  /// `host` as the Host field has it, with or without a port. A request without one comes from no browser and is
  /// allowed.
  bool Allow(std::string_view host) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace finwait::http
