#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "collectors/base/result.h"
#include "exporter/http/message.h"

namespace finwait::http {

/// `data` as one gzip member (RFC 1952), at zlib's fastest level: metrics shrink to about an eighth at any level. Fails
/// only for want of memory.
Result<std::string> Gzip(std::string_view data);

/// The response as the request's Accept-Encoding wants it: compressed, and in any case with Accept-Encoding in Vary.
/// Bodies too small to gain from it, and all when memory is short, stay as they are.
HttpResponse Compressed(const httplib::Request& request, HttpResponse response);
/// The same, for a body that many ask for: `compressed` is used where it is not null, and set where compressing was
/// worth it.
HttpResponse Compressed(const httplib::Request& request, HttpResponse response,
                        std::shared_ptr<const std::string>& compressed);

}  // namespace finwait::http
