#pragma once

#include <optional>
#include <string>
#include <string_view>

/// What handlers are given: cpp-httplib's request, of a GET or HEAD without a body that passed every check. `path` and
/// `params` are percent-decoded; of the header fields there are Accept and Accept-Encoding.
namespace httplib {
struct Request;
}

namespace finwait::http {

/// The first value of a query parameter.
std::optional<std::string> Parameter(const httplib::Request& request, const std::string& name);

/// The value of a header field, whatever the case of its name; several lines of one name are one here, joined by commas
/// (router.cc). Empty when there is none.
std::string Header(const httplib::Request& request, const std::string& name);

}  // namespace finwait::http
