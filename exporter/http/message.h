#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/http/request.h"

namespace finwait::http {

/// One field line of a head.
struct HeaderField {
  std::string name;
  std::string value;
  bool operator==(const HeaderField&) const = default;
};

/// What a handler answers. Content-Length, Connection and Date are added on the way out.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  /// Shared, so that one rendering can be sent to many slow readers; null is an empty body.
  std::shared_ptr<const std::string> body;
  std::vector<HeaderField> headers;
};

inline HttpResponse MakeResponse(int status, std::string_view content_type, std::string body) {
  return {status, std::string(content_type), std::make_shared<const std::string>(std::move(body)), {}};
}

/// Answers a request. Runs on a worker thread, several at once if its route group has several workers. It should not
/// wait for anything: what is slow here keeps its route group busy, and the server's Stop waits for it.
using Handler = std::function<HttpResponse(const httplib::Request&)>;

/// A response ready to be sent: the head with its empty line, then the body (null for none).
struct OutgoingResponse {
  std::string head;
  std::shared_ptr<const std::string> body;
  bool keep_alive = false;  ///< the head promises that the connection takes another request

  std::size_t Size() const { return head.size() + (body ? body->size() : 0); }
};

/// Whether two header field names are the same: ASCII letters compare without case.
bool SameFieldName(std::string_view left, std::string_view right);

/// The current time as the Date header has it (RFC 9110 section 5.6.7).
std::string HttpDate();

}  // namespace finwait::http
