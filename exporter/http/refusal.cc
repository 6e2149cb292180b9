#include "exporter/http/refusal.h"

#include <string_view>

namespace finwait::http {

namespace {

struct Reason {
  int status;
  std::string_view phrase;
  std::string_view text;
};

constexpr Reason kReasons[] = {
    {400, "Bad Request", "The request is not well-formed HTTP/1.1."},
    {404, "Not Found", "There is nothing at this path; / says what there is."},
    {405, "Method Not Allowed", "Only GET and HEAD are answered."},
    {408, "Request Timeout", "The request did not arrive in time."},
    {413, "Content Too Large", "A request cannot have a body."},
    {414, "URI Too Long", "The request target is too long."},
    {431, "Request Header Fields Too Large", "The request head is too long."},
    {500, "Internal Server Error", "The request could not be answered; the log says why."},
    {503, "Service Unavailable", "Too many requests at once; try again later."},
    {505, "HTTP Version Not Supported", "Only HTTP/1.1 and HTTP/1.0 are spoken."},
};

const Reason& ReasonOf(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) {
      return reason;
    }
  }
  return ReasonOf(500);
}

}  // namespace

OutgoingResponse Refusal(int status, bool is_head, const std::string& text, const std::vector<HeaderField>& headers) {
  const Reason& reason = ReasonOf(status);
  const std::string body = (text.empty() ? std::string(reason.text) : text) + "\n";
  OutgoingResponse response;
  response.head = "HTTP/1.1 " + std::to_string(reason.status) + " " + std::string(reason.phrase) +
                  "\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\nDate: " + HttpDate() + "\r\n";
  if (status == 405) {
    response.head += "Allow: GET, HEAD\r\n";
  }
  if (status == 503) {
    response.head += "Retry-After: 1\r\n";
  }
  for (const auto& [name, value] : headers) {
    response.head += name + ": " + value + "\r\n";
  }
  response.head += "\r\n";
  if (!is_head) {
    response.body = std::make_shared<const std::string>(body);
  }
  return response;
}

}  // namespace finwait::http
