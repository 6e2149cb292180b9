#include "exporter/http/router.h"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>

#include <httplib.h>

#include "exporter/http/refusal.h"

namespace finwait::http {

namespace {

/// For want of memory for any other answer.
constexpr std::string_view kLastResort =
    "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The library refuses a whole request for a longer field; without it, the handler answers as if there was none.
constexpr std::size_t kLongestField = 8'000;

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

/// The target as every version of the library takes it: 0.11 refuses a second '?', although a query may hold one.
std::string TargetForLibrary(const std::string& target) {
  std::string out = target;
  if (const std::size_t query = out.find('?'); query != std::string::npos) {
    for (std::size_t at = out.find('?', query + 1); at != std::string::npos; at = out.find('?', at)) {
      out.replace(at, 1, "%3F");
    }
  }
  return out;
}

/// The line of a field as the library takes it: several lines of one name joined by commas (RFC 9110 section 5.2), as
/// 0.18 does not keep their order, and escaped, as it percent-decodes values, which are no such text. Empty where there
/// is none, or one that is longer than the library takes.
std::string LineForLibrary(const RequestHead& head, std::string_view name) {
  std::string line;
  head.ForEachField([&](std::string_view one, std::string_view value) {
    if (!SameFieldName(one, name) || value.empty()) {
      return;
    }
    line += line.empty() ? std::string(name) + ": " : ", ";
    for (const char c : value) {
      line += c == '%' ? "%25" : std::string(1, c);
    }
  });
  return line.empty() || line.size() > kLongestField ? "" : line + "\r\n";
}

/// The head that the library parses.
std::string HeadForLibrary(const RequestHead& head) {
  return head.method + " " + TargetForLibrary(head.target) + " HTTP/1.1\r\n" + LineForLibrary(head, "Accept") +
         LineForLibrary(head, "Accept-Encoding") + "\r\n";
}

/// A route pattern of the library (a regular expression) that only `path` itself matches.
std::string PatternFor(const std::string& path) {
  std::string pattern;
  for (const char c : path) {
    if (std::string_view(R"(\^$.|?*+()[]{}:)").find(c) != std::string_view::npos) {  // "/:name" is a parameter to 0.18
      pattern += '\\';
    }
    pattern += c;
  }
  return pattern;
}

/// What belongs to one answer beside the library's own request and response.
struct Exchange {
  const std::vector<HeaderField>& headers;
  const HttpResponse* refusal = nullptr;         ///< instead of the handler's answer
  std::shared_ptr<const std::string> body = {};  ///< kept from the library, which would copy and compress it
};

}  // namespace

class Router::Library final : private httplib::Server {
 public:
  Library(ExceptionReport report, std::chrono::seconds idle_time, std::size_t requests) : report_(std::move(report)) {
    set_keep_alive_timeout(static_cast<time_t>(idle_time.count()));
    set_keep_alive_max_count(requests);
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      Exchange* exchange = Find(request);
      if (exchange == nullptr || exchange->refusal == nullptr) {
        return HandlerResponse::Unhandled;
      }
      Fill(*exchange->refusal, *exchange, response);
      return HandlerResponse::Handled;
    });
    set_exception_handler(
        [this](const httplib::Request& request, httplib::Response& response, const std::exception_ptr& exception) {
          Report(request.path, exception);
          if (Exchange* exchange = Find(request)) {
            Fill(Refusal(500), *exchange, response);
          }
        });
    set_post_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      response.headers.erase("Accept-Ranges");  // added for HEAD; ranges are not served
      if (const Exchange* exchange = Find(request)) {
        response.headers.erase("Content-Length");  // the library saw no body
        response.set_header("Content-Length", std::to_string(exchange->body ? exchange->body->size() : 0));
      }
    });
  }

  void Add(const std::string& path, http::Handler handler) {  // not httplib::Server::Handler
    Get(PatternFor(path),
        [this, handler = std::move(handler)](const httplib::Request& request, httplib::Response& response) {
          if (Exchange* exchange = Find(request)) {
            Fill(handler(request), *exchange, response);
          }
        });
  }

  OutgoingResponse Run(const std::string& head, bool is_head, Exchange exchange, bool keep_alive) {
    const Registration registration(*this, exchange);
    MemoryStream stream(head);
    Process(&Library::process_request, stream, !keep_alive,
            [&registration](httplib::Request& request) { registration.Bind(request); });
    return {stream.TakeOutput(), is_head ? nullptr : std::move(exchange.body), keep_alive};
  }

  void Report(std::string_view path, const std::exception_ptr& exception) const {
    if (!report_) {
      return;
    }
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      report_(path, error.what());
    } catch (...) {
      report_(path, "not a std::exception");
    }
  }

 private:
  using Setup = std::function<void(httplib::Request&)>;
  /// The library's entry up to 0.15 and since: Debian 12 and Debian 13. Which one there is picks the overload.
  using Process11 = bool (httplib::Server::*)(httplib::Stream&, bool, bool&, const Setup&);
  using Process18 = bool (httplib::Server::*)(httplib::Stream&, const std::string&, int, const std::string&, int, bool,
                                              bool&, const Setup&);

  bool Process(Process11 process, httplib::Stream& stream, bool close, const Setup& setup) {
    bool client_closes = false;
    return (this->*process)(stream, close, client_closes, setup);
  }
  bool Process(Process18 process, httplib::Stream& stream, bool close, const Setup& setup) {
    bool client_closes = false;
    return (this->*process)(stream, "", 0, "", 0, close, client_closes, setup);
  }

  /// The library makes the request and hands the same object to all handlers, so its address names the exchange.
  class Registration {
   public:
    Registration(Library& library, Exchange& exchange) : library_(library), exchange_(exchange) {}
    ~Registration() {
      const std::lock_guard lock(library_.mutex_);
      std::erase_if(library_.under_way_, [this](const auto& entry) { return entry.second == &exchange_; });
    }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

    void Bind(const httplib::Request& request) const {
      const std::lock_guard lock(library_.mutex_);
      library_.under_way_[&request] = &exchange_;
    }

   private:
    Library& library_;
    Exchange& exchange_;
  };

  Exchange* Find(const httplib::Request& request) {
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(&request);
    return found == under_way_.end() ? nullptr : found->second;
  }

  static void Fill(HttpResponse from, Exchange& exchange, httplib::Response& to) {
    to.status = from.status;
    to.set_header("Content-Type", from.content_type);
    to.set_header("Date", HttpDate());
    for (const auto& [name, value] : from.headers) {
      to.set_header(name, value);
    }
    for (const auto& [name, value] : exchange.headers) {
      if (!to.has_header(name.c_str())) {
        to.set_header(name, value);
      }
    }
    exchange.body = std::move(from.body);
  }

  const ExceptionReport report_;
  std::mutex mutex_;
  std::map<const httplib::Request*, Exchange*> under_way_;  ///< guarded by mutex_; as many as there are threads
};

namespace {

/// Makes an answer, or says why there is none and falls back to one that takes no memory worth speaking of.
template <typename Run, typename Report>
OutgoingResponse Guarded(const Run& run, const Report& report) {
  try {
    return run();
  } catch (...) {  // ours or the library's: out of memory
    report(std::current_exception());
    return {std::string(kLastResort), nullptr, false};
  }
}

}  // namespace

Router::Router(ExceptionReport report, std::chrono::seconds idle_time, std::size_t requests)
    : library_(std::make_unique<Library>(std::move(report), idle_time, requests)) {}
Router::~Router() = default;

void Router::Add(const std::string& path, Handler handler) { library_->Add(path, std::move(handler)); }

OutgoingResponse Router::Respond(const RequestHead& head, const std::vector<HeaderField>& headers,
                                 bool keep_alive) const {
  return Guarded([&] { return library_->Run(HeadForLibrary(head), head.IsHead(), {headers}, keep_alive); },
                 [&](const std::exception_ptr& exception) { library_->Report(head.path, exception); });
}

OutgoingResponse Router::Refuse(const RequestHead& head, const HttpResponse& refusal,
                                const std::vector<HeaderField>& headers, bool keep_alive) const {
  return Guarded(
      [&] {
        return library_->Run(HeadForLibrary(head), head.IsHead(), {headers, &refusal}, keep_alive);
      },
      [&](const std::exception_ptr& exception) { library_->Report(head.path, exception); });
}

OutgoingResponse Router::Refuse(const HttpResponse& refusal, bool is_head) const {
  const std::vector<HeaderField> none;
  const std::string head = is_head ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n";
  return Guarded(
      [&] {
        return library_->Run(head, is_head, {none, &refusal}, false);
      },
      [&](const std::exception_ptr& exception) { library_->Report("", exception); });
}

}  // namespace finwait::http
