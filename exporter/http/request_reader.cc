#include "exporter/http/request_reader.h"

#include <algorithm>
#include <optional>

#include "collectors/base/text.h"
#include "exporter/http/percent_decoding.h"

namespace finwait::http {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kLongestMethodAndVersion = 64;

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// RFC 9110 section 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

}  // namespace

RequestReader::State RequestReader::Refuse(int status) {
  refusal_ = status;
  return State::kRefused;
}

RequestReader::State RequestReader::Read(std::string_view bytes) {
  received_ += bytes.substr(0, limits_.bytes + kHeadEnd.size() - std::min(received_.size(), limits_.bytes));
  if (!skipped_empty_line_ && received_.starts_with(kLineEnd)) {  // RFC 9112 section 2.2 has us ignore one
    received_.erase(0, kLineEnd.size());
    skipped_empty_line_ = true;
    checked_ = 0;
  }
  const std::size_t head_end = received_.find(kHeadEnd, checked_ < 3 ? 0 : checked_ - 3);
  if (!BytesAreLegal(head_end == std::string::npos ? received_.size() : head_end + kLineEnd.size())) {
    return Refuse(400);
  }
  if (!has_request_line_) {
    const std::size_t line_end = received_.find(kLineEnd);
    if (line_end == std::string::npos) {
      const bool too_long = received_.size() > limits_.target_bytes + kLongestMethodAndVersion;
      return too_long ? Refuse(414) : State::kIncomplete;
    }
    if (const int status = ParseRequestLine(std::string_view(received_).substr(0, line_end))) {
      return Refuse(status);
    }
    has_request_line_ = true;
  }
  if (std::min(head_end, received_.size()) + kHeadEnd.size() > limits_.bytes) {
    return Refuse(431);
  }
  if (head_end == std::string::npos) {
    return State::kIncomplete;
  }
  const std::size_t fields = received_.find(kLineEnd) + kLineEnd.size();
  const std::size_t fields_end = head_end + kLineEnd.size();
  if (const int status = ParseFields(std::string_view(received_).substr(fields, fields_end - fields))) {
    return Refuse(status);
  }
  head_.keep_alive = head_.keep_alive && !is_http_1_0_ && received_.size() == head_end + kHeadEnd.size();
  return State::kComplete;
}

bool RequestReader::BytesAreLegal(std::size_t end) {
  for (; checked_ < end; ++checked_) {
    const char c = received_[checked_];
    const bool after_return = checked_ > 0 && received_[checked_ - 1] == '\r';
    if (after_return != (c == '\n')) {  // a line ends with both or with neither
      return false;
    }
    const auto code = static_cast<unsigned char>(c);
    if ((code < 0x20 && c != '\t' && c != '\r' && c != '\n') || code == 0x7F) {
      return false;
    }
  }
  return true;
}

int RequestReader::ParseRequestLine(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return 400;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  const bool is_version = version.size() == 8 && version.starts_with("HTTP/") && version[5] >= '0' &&
                          version[5] <= '9' && version[6] == '.' && version[7] >= '0' && version[7] <= '9';
  if (!IsToken(method) || !is_version) {
    return 400;
  }
  if (version[5] != '1') {
    return 505;
  }
  if (method != "GET" && method != "HEAD") {
    return 405;
  }
  head_.method = method;
  is_http_1_0_ = version[7] == '0';
  return ParseTarget(line.substr(first + 1, last - first - 1));
}

int RequestReader::ParseTarget(std::string_view target) {
  if (target.size() > limits_.target_bytes) {
    return 414;
  }
  const bool is_legal =
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7F && c != '#'; });
  for (const std::string_view scheme : {"http://", "https://"}) {  // the absolute form, which proxies send
    if (!SameFieldName(target.substr(0, scheme.size()), scheme)) {
      continue;
    }
    const std::size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
    head_.authority = target.substr(scheme.size(), end - scheme.size());
    if (head_.authority.empty()) {
      return 400;
    }
    target.remove_prefix(end);
    head_.target = target.starts_with('/') ? "" : "/";
    break;
  }
  head_.target += target;
  const std::optional<std::string> path = PercentDecode(head_.target.substr(0, head_.target.find('?')));
  if (!is_legal || !head_.target.starts_with('/') || !path || !PercentDecode(head_.target)) {
    return 400;
  }
  head_.path = *path;
  return 0;
}

int RequestReader::ParseFields(std::string_view lines) {
  head_.fields = lines;
  std::size_t fields = 0;
  while (!lines.empty()) {
    const std::size_t end = lines.find(kLineEnd);
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(':');
    if (++fields > limits_.fields) {
      return 431;
    }
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {  // folded lines end here too
      return 400;
    }
    lines.remove_prefix(end + kLineEnd.size());
  }
  return CheckFields();
}

int RequestReader::CheckFields() {
  std::size_t hosts = 0;
  int refusal = 0;
  head_.keep_alive = true;
  head_.ForEachField([&](std::string_view name, std::string_view value) {
    if (SameFieldName(name, "Host")) {
      ++hosts;
    } else if (SameFieldName(name, "Connection")) {
      head_.keep_alive = head_.keep_alive && SameFieldName(value, "keep-alive");
    } else if (refusal == 0 && SameFieldName(name, "Transfer-Encoding")) {
      refusal = 413;
    } else if (refusal == 0 && SameFieldName(name, "Content-Length")) {
      const bool is_number = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
      refusal = !is_number ? 400 : value.find_first_not_of('0') != std::string_view::npos ? 413 : 0;
    }
  });
  if (refusal != 0) {
    return refusal;
  }
  return hosts > 1 || (hosts == 0 && !is_http_1_0_) ? 400 : 0;
}

void RequestHead::ForEachField(const std::function<void(std::string_view name, std::string_view value)>& visit) const {
  for (std::string_view lines = fields; !lines.empty();) {
    const std::size_t end = lines.find(kLineEnd);
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(':');
    visit(line.substr(0, colon), Trim(line.substr(colon + 1)));
    lines.remove_prefix(end + kLineEnd.size());
  }
}

std::string_view RequestHead::Field(std::string_view name) const {
  std::optional<std::string_view> found;
  ForEachField([&](std::string_view one, std::string_view value) {
    if (!found && SameFieldName(one, name)) {
      found = value;
    }
  });
  return found.value_or("");
}

}  // namespace finwait::http
