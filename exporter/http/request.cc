#include "exporter/http/request.h"

#include <httplib.h>

namespace finwait::http {

std::optional<std::string> Parameter(const httplib::Request& request, const std::string& name) {
  const auto found = request.params.find(name);
  return found == request.params.end() ? std::nullopt : std::optional(found->second);
}

std::string Header(const httplib::Request& request, const std::string& name) { return request.get_header_value(name); }

}  // namespace finwait::http
