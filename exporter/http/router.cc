#include "exporter/http/exchange.h"

#include <algorithm>
#include <exception>
#include <string>

#include <httplib.h>

#include "exporter/http/refusal.h"

namespace finwait::http {

namespace {

/// Both ends of a connection that is only memory.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string input) : input_(std::move(input)) {}

  bool is_readable() const override { return position_ < input_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, std::size_t size) override {
    const std::size_t length = input_.copy(out, size, position_);
    position_ += length;
    return static_cast<ssize_t>(length);
  }
  ssize_t write(const char* data, std::size_t size) override {
    output_.append(data, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  std::string TakeOutput() { return std::move(output_); }

 private:
  std::string input_;
  std::size_t position_ = 0;
  std::string output_;
};

/// httplib's request line: it takes a second '?' for an error, although a query may hold one.
std::string RequestLine(const RequestHead& head) {
  std::string target = head.target;
  if (const std::size_t query = target.find('?'); query != std::string::npos) {
    for (std::size_t at = target.find('?', query + 1); at != std::string::npos; at = target.find('?', at)) {
      target.replace(at, 1, "%3F");
    }
  }
  return head.method + " " + target + " HTTP/1.1\r\n\r\n";
}

/// One request through httplib, which has no room for a context of our own in its handlers: hence one object each.
class Exchange final : private httplib::Server {
 public:
  Exchange(const RequestHead& head, const http::Handler& handler, const ExceptionReport& report,
           const std::vector<HeaderField>& headers)
      : head_(head), handler_(handler), report_(report), headers_(headers) {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      Handle(request, response);
      return HandlerResponse::Handled;
    });
    set_exception_handler(
        [this](const httplib::Request&, httplib::Response& response, const std::exception_ptr& exception) {
          Report(exception);
          Fill(MakeResponse(500, "text/plain; charset=utf-8", *Refusal(500).body), response);
        });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      response.headers.erase("Accept-Ranges");  // added for HEAD; ranges are not served
    });
  }

  OutgoingResponse Run() {
    MemoryStream stream(RequestLine(head_));
    bool connection_closed = false;
    process_request(stream, /*close_connection=*/true, connection_closed, nullptr);
    return {stream.TakeOutput(), head_.method == "HEAD" ? nullptr : body_};
  }

 private:
  void Handle(const httplib::Request& request, httplib::Response& response) {
    Fill(handler_({head_.method, request.path, request.params, head_.headers}), response);
  }

  void Report(const std::exception_ptr& exception) {
    if (!report_) {
      return;
    }
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      report_(head_.path, error.what());
    } catch (...) {
      report_(head_.path, "not a std::exception");
    }
  }

  /// Leaves the body out of httplib's hands: it would copy and compress it.
  void Fill(HttpResponse from, httplib::Response& to) {
    to.status = from.status;
    to.set_header("Content-Type", from.content_type);
    to.set_header("Content-Length", std::to_string(from.body ? from.body->size() : 0));
    to.set_header("Date", HttpDate());
    for (const auto& [name, value] : from.headers) {
      to.set_header(name, value);
    }
    for (const auto& [name, value] : headers_) {
      if (!to.has_header(name.c_str())) {
        to.set_header(name, value);
      }
    }
    body_ = std::move(from.body);
  }

  const RequestHead& head_;
  const http::Handler& handler_;  // not httplib::Server::Handler
  const ExceptionReport& report_;
  const std::vector<HeaderField>& headers_;
  std::shared_ptr<const std::string> body_;
};

}  // namespace

OutgoingResponse Answer(const RequestHead& head, const Handler& handler, const ExceptionReport& report,
                        const std::vector<HeaderField>& headers) {
  try {
    return Exchange(head, handler, report, headers).Run();
  } catch (const std::exception& error) {  // ours or httplib's: out of memory
    if (report) {
      report(head.path, error.what());
    }
    return Refusal(500, head.method == "HEAD", "", headers);
  }
}

}  // namespace finwait::http
