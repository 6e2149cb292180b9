#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "collectors/base/unique_fd.h"

namespace finwait::http::testing_client {

/// A response as a client sees it. Status 0 means that the connection ended without one.
struct Reply {
  int status = 0;
  std::multimap<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  std::string raw;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// Takes the raw bytes of one response apart.
Reply ParseReply(const std::string& raw);

/// A TCP connection to a server on this host, which does exactly what it is told. Throws when it cannot connect.
class Client {
 public:
  /// `from` picks the address that the server sees: all of 127.0.0.0/8 is this host.
  explicit Client(std::uint16_t port, const std::string& from = "127.0.0.1", const std::string& to = "127.0.0.1",
                  int receive_buffer_bytes = 0)
      : Client(from, to, receive_buffer_bytes) {
    Connect(port, to);
  }
  /// Only the socket, for Connect later.
  Client() : Client("127.0.0.1", "127.0.0.1", 0) {}
  void Connect(std::uint16_t port, const std::string& to = "127.0.0.1");

  /// False when the server has cut the connection.
  bool Send(std::string_view data);
  void ShutdownWriting();
  /// Whether there is something to receive, if need be after a while.
  bool HasReceived(std::chrono::milliseconds patience);
  /// Everything until the server closes or `patience` passes.
  std::string ReceiveAll(std::chrono::milliseconds patience = std::chrono::seconds(5));
  Reply Receive(std::chrono::milliseconds patience = std::chrono::seconds(5)) {
    return ParseReply(ReceiveAll(patience));
  }
  /// Whether the server ends the connection within `patience`, by FIN or by RST. Throws away what it sends.
  bool IsEnded(std::chrono::milliseconds patience);
  int Fd() const { return fd_.Get(); }

 private:
  Client(const std::string& from, const std::string& to, int receive_buffer_bytes);

  UniqueFd fd_;
};

/// One request with "Host: h" and the given further header lines (each ended by CRLF).
Reply Get(std::uint16_t port, const std::string& path, const std::string& headers = "",
          const std::string& method = "GET");

}  // namespace finwait::http::testing_client
