#include "exporter/pairs/request.h"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "collectors/base/text.h"

namespace finwait::pairs {
namespace {

// What an error of the library's is for an operator.
std::string Problem(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "no connection to it can be made";
    case httplib::Error::ConnectionTimeout:
      return "it did not take the connection in time";
    case httplib::Error::SSLConnection:
      return "no TLS connection to it can be made";
    case httplib::Error::SSLLoadingCerts:
      return "the certificates to trust cannot be loaded";
    case httplib::Error::SSLServerVerification:
      return "its certificate is not one to trust (see --ca-file)";
    case httplib::Error::Read:
      return "its answer did not come, or not in time";
    default:
      return "it could not be asked (" + httplib::to_string(error) + ")";
  }
}

std::string Refused(int status) {
  switch (status) {
    case 401:
    case 403:
      return "it refuses the user and password (" + std::to_string(status) + ")";
    case 404:
      return "it serves no pairs: start it with --pairs.key-file";
    case 503:
      return "it cannot tell now: not ready, busy, or its live sockets cannot be read (503)";
    default:
      return "it answered " + std::to_string(status);
  }
}

}  // namespace

// Ends requests that take too long as a whole: the library bounds each step alone, and an answer may come byte by byte.
class Requests::Watch {
 public:
  Watch() : thread_([this](const std::stop_token& stop) { Run(stop); }) {}

  void Begin(httplib::ClientImpl& client, SteadyClock::time_point until) {
    const std::lock_guard lock(mutex_);
    running_.insert({&client, until});
  }
  /// True where it was in time.
  bool End(httplib::ClientImpl& client) {
    const std::lock_guard lock(mutex_);
    const bool in_time = SteadyClock::now() < running_.at(&client);
    running_.erase(&client);
    return in_time;
  }

 private:
  void Run(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds kBetween(250);
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const auto now = SteadyClock::now();
      for (const auto& [client, until] : running_) {
        if (now >= until) {
          client->stop();
        }
      }
      changed_.wait_for(lock, stop, kBetween, [] { return false; });
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<httplib::ClientImpl*, SteadyClock::time_point> running_;
  std::jthread thread_;  // last: it uses all of the above
};

Requests::Requests(const std::map<std::string, Result<std::string>>& addresses, std::filesystem::path ca_file,
                   std::chrono::seconds patience, std::chrono::seconds longest)
    : addresses_(addresses),
      ca_file_(std::move(ca_file)),
      patience_(patience),
      longest_(longest),
      watch_(std::make_unique<Watch>()) {}
Requests::~Requests() = default;

Result<AnswerHead> Requests::Get(const Target& target, const std::string& path, std::size_t most_bytes,
                                 const TakePiece& take, const TakeAge& take_age) const {
  const auto address = addresses_.find(target.host);
  if (address == addresses_.end() || !address->second) {
    return Fail(FailureReason::kError,
                address == addresses_.end() ? "its name was not looked up" : address->second.error().message);
  }
  std::unique_ptr<httplib::ClientImpl> client;
  if (target.tls) {
    auto tls = std::make_unique<httplib::SSLClient>(target.host, target.port);
    if (!ca_file_.empty()) {
      tls->set_ca_cert_path(ca_file_.string());
    }
    tls->enable_server_certificate_verification(true);
    client = std::move(tls);
  } else {
    client = std::make_unique<httplib::ClientImpl>(target.host, target.port);
  }
  client->set_hostname_addr_map({{target.host, *address->second}});
  client->set_connection_timeout(patience_);
  client->set_read_timeout(patience_);
  client->set_write_timeout(patience_);
  client->set_follow_location(false);
  client->set_keep_alive(false);
  if (!target.user.empty()) {
    client->set_basic_auth(target.user, target.password);
  }
  AnswerHead head;
  int status = 0;
  std::size_t bytes = 0;
  bool unwanted = false;
  watch_->Begin(*client, SteadyClock::now() + longest_);
  const httplib::Result result = client->Get(
      target.path + path, httplib::Headers{},
      [&](const httplib::Response& response) {
        status = response.status;
        head.age_seconds = ParseNumber<float>(response.get_header_value("Age")).value_or(0);
        if (take_age) {
          take_age(head.age_seconds);
        }
        return status == 200;
      },
      [&](const char* data, std::size_t size) {
        bytes += size;
        unwanted = bytes > most_bytes || !take(std::string_view(data, size));
        return !unwanted;
      });
  const bool in_time = watch_->End(*client);
  if (status != 0 && status != 200) {
    return Fail(FailureReason::kError, Refused(status));
  }
  if (unwanted) {
    return Fail(FailureReason::kError, bytes > most_bytes ? "its answer is too long" : "its answer is malformed");
  }
  if (!result) {
    return Fail(FailureReason::kError, in_time ? Problem(result.error()) : "its answer took too long");
  }
  return head;
}

}  // namespace finwait::pairs
