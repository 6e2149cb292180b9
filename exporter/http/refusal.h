#pragma once

#include <string>

#include "exporter/http/message.h"

namespace finwait::http {

/// The answer where no handler gives one: 400, 404, 405, 408, 413, 414, 421, 431, 500, 503 or 505, with one sentence of
/// text that says nothing about this host. `text` replaces that sentence.
HttpResponse Refusal(int status, const std::string& text = "");

}  // namespace finwait::http
