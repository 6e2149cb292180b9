#pragma once

#include <string>
#include <vector>

#include "exporter/http/message.h"

namespace finwait::http {

/// The answer to a request that no handler sees: 400, 404, 405, 408, 413, 414, 431, 500, 503 or 505, with one sentence
/// of text that says nothing about this host. `text` replaces that sentence. `is_head` leaves the body out.
OutgoingResponse Refusal(int status, bool is_head = false, const std::string& text = "",
                         const std::vector<HeaderField>& headers = {});

}  // namespace finwait::http
