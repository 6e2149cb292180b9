#include "exporter/http/allowed_hosts.h"

#include <arpa/inet.h>

#include <algorithm>

#include "collectors/base/text.h"
#include "exporter/http/message.h"

namespace finwait::http {

namespace {

// ":443", ":" (RFC 3986, 3.2.3) or nothing.
bool IsPort(std::string_view text) {
  return text.empty() || (text.front() == ':' && text.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

// What has something else than a port behind it stays as it is: nobody's name.
std::string_view WithoutPort(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  const std::size_t end = std::min(host.find(bracketed ? ']' : ':'), host.size());
  const std::string_view port = host.substr(std::min(bracketed ? end + 1 : end, host.size()));
  if (!IsPort(port) || (bracketed && end == host.size())) {
    return host;
  }
  return bracketed ? host.substr(1, end - 1) : host.substr(0, end);
}

bool IsAddress(const std::string& text) {
  in6_addr bytes{};
  return inet_pton(AF_INET, text.c_str(), &bytes) == 1 || inet_pton(AF_INET6, text.c_str(), &bytes) == 1;
}

}  // namespace

AllowedHosts::AllowedHosts(std::vector<std::string> names) : names_(std::move(names)) {
  names_.emplace_back("localhost");
}

bool AllowedHosts::Allow(std::string_view host) const {
  const std::string name(WithoutLastDot(WithoutPort(host)));
  return host.empty() || IsAddress(name) || std::any_of(names_.begin(), names_.end(), [&name](const std::string& one) {
           return one == "*" || SameFieldName(WithoutLastDot(one), name);
         });
}

}  // namespace finwait::http
