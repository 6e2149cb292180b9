#include "exporter/http/request.h"

#include <httplib.h>

namespace finwait::http {

std::optional<std::string> Parameter(const httplib::Request& request, const std::string& name) {
  const auto found = request.params.find(name);
  return found == request.params.end() ? std::nullopt : std::optional(found->second);
}

std::string Header(const httplib::Request& request, const std::string& name) {
  std::string joined;
  const auto [first, last] = request.headers.equal_range(name);
  for (auto line = first; line != last; ++line) {
    joined += (joined.empty() ? "" : ", ") + line->second;
  }
  return joined;
}

}  // namespace finwait::http
