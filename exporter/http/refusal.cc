#include "exporter/http/refusal.h"

#include <string_view>

namespace finwait::http {

namespace {

struct Reason {
  int status;
  std::string_view text;
};

constexpr Reason kReasons[] = {
    {400, "The request is not well-formed HTTP/1.1."},
    {404, "There is nothing at this path; / says what there is."},
    {405, "Only GET and HEAD are answered."},
    {408, "The request did not arrive in time."},
    {413, "A request cannot have a body."},
    {414, "The request target is too long."},
    {421, "This server does not answer for that host name; --web.allowed-hosts has those that it does answer for."},
    {431, "The request head is too long."},
    {500, "The request could not be answered; the log says why."},
    {503, "Too many requests at once; try again later."},
    {505, "Only HTTP/1.1 and HTTP/1.0 are spoken."},
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

HttpResponse Refusal(int status, const std::string& text) {
  const Reason& reason = ReasonOf(status);
  HttpResponse response =
      MakeResponse(reason.status, "text/plain; charset=utf-8", (text.empty() ? std::string(reason.text) : text) + "\n");
  if (status == 405) {
    response.headers.push_back({"Allow", "GET, HEAD"});
  }
  if (status == 503) {
    response.headers.push_back({"Retry-After", "1"});
  }
  return response;
}

}  // namespace finwait::http
