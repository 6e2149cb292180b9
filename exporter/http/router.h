#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "exporter/http/message.h"
#include "exporter/http/request_reader.h"

namespace finwait::http {

/// Told of an exception that a handler let out: the path it was for and what the exception says. Called on a worker.
using ExceptionReport = std::function<void(std::string_view path, std::string_view what)>;

/// Has `handler` answer the request. cpp-httplib does the protocol: it splits the target into path and parameters,
/// catches what the handler throws (500, without the exception's text) and writes the response head. It works on memory
/// only and is given nothing but the request line, because its own reading of sockets and header fields is not safe to
/// expose: see server.h. `headers` are added where the handler does not set the same. Does not throw.
OutgoingResponse Answer(const RequestHead& head, const Handler& handler, const ExceptionReport& report,
                        const std::vector<HeaderField>& headers = {});

}  // namespace finwait::http
