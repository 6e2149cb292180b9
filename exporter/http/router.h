#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/http/message.h"
#include "exporter/http/request_reader.h"

namespace finwait::http {

/// Told of an exception that a handler let out: the path it was for and what the exception says. Called on a worker.
using ExceptionReport = std::function<void(std::string_view path, std::string_view what)>;

/// The one cpp-httplib server of the program, which lives as long as this object: it parses each request, once, routes
/// it to its handler, catches what the handler throws (500, without the exception's text) and writes every response
/// head. It works on memory only, and is given a head only after RequestReader has found it well-formed; of the header
/// fields it is given those that handlers read (Accept, Accept-Encoding), because the library acts on others by itself:
/// see server.h. Respond and Refuse are thread-safe and do not throw.
class Router {
 public:
  /// `idle_time` and `requests` are what the heads of kept connections promise (Keep-Alive: timeout, max).
  Router(ExceptionReport report, std::chrono::seconds idle_time, std::size_t requests);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Has `handler` answer the requests for `path`, compared byte by byte. Only before the first Respond.
  void Add(const std::string& path, Handler handler);

  /// The answer of the path's handler. `headers` are added where the handler does not set the same. The head says
  /// "Connection: close" unless `keep_alive`.
  OutgoingResponse Respond(const RequestHead& head, const std::vector<HeaderField>& headers, bool keep_alive) const;
  /// `refusal` instead of a handler's answer.
  OutgoingResponse Refuse(const RequestHead& head, const HttpResponse& refusal, const std::vector<HeaderField>& headers,
                          bool keep_alive) const;
  /// `refusal` of bytes that are no request. `is_head` leaves the body out. The connection ends.
  OutgoingResponse Refuse(const HttpResponse& refusal, bool is_head) const;

 private:
  class Library;
  std::unique_ptr<Library> library_;
};

}  // namespace finwait::http
