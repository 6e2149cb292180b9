#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/http/message.h"

namespace finwait::http {

/// How much of a request head is read before it is refused.
struct HeadLimits {
  std::size_t bytes = 16 * 1024;        ///< all of it; more is 431
  std::size_t target_bytes = 8 * 1000;  ///< the request target (RFC 9112 asks for 8000); more is 414
  std::size_t fields = 100;             ///< header lines; more is 431
};

/// A request head that was read to its end and is well-formed: what decides where the request goes. The rest is text
/// for the library to parse (router.h).
struct RequestHead {
  std::string method;  ///< "GET" or "HEAD"
  std::string target;  ///< in origin form ("/path?query"), percent-encoded
  std::string path;    ///< percent-decoded
  /// Of a target in absolute form ("http://authority/path"): it counts as much as the Host field. Else empty.
  std::string authority;
  std::string fields;  ///< the header lines as they were sent, each ended by CRLF
  /// Whether the client can take another answer on this connection: HTTP/1.1, not asked to close, and nothing sent
  /// behind this head yet.
  bool keep_alive = false;

  bool IsHead() const { return method == "HEAD"; }
  /// Calls `visit` with the name and the value of each header line.
  void ForEachField(const std::function<void(std::string_view name, std::string_view value)>& visit) const;
  /// The value of the first header line of that name, whatever the case; empty when there is none.
  std::string_view Field(std::string_view name) const;
};

/// Takes a request head as it arrives, and refuses at the first byte that decides it. Stricter than it need be where
/// leniency has been somebody's hole: no bare CR or LF, no folded lines, no blanks before a colon, no control
/// characters, no second Host, no request body.
class RequestReader {
 public:
  enum class State { kIncomplete, kComplete, kRefused };

  explicit RequestReader(HeadLimits limits) : limits_(limits) {}

  /// Takes what arrived next. What follows the head is ignored: the connection then ends with the answer.
  State Read(std::string_view bytes);

  bool HasReceived() const { return !received_.empty(); }
  /// The status that says why, once kRefused: 400, 405, 413, 414, 431 or 505.
  int Refusal() const { return refusal_; }
  /// Whether the request line asked for HEAD, whose answer has no body.
  bool IsHead() const { return head_.method == "HEAD"; }
  /// The head, once kComplete. Call once.
  RequestHead TakeHead() { return std::move(head_); }

 private:
  State Refuse(int status);
  bool BytesAreLegal(std::size_t end);
  /// Each parses one part and returns 0 or the status that refuses it.
  int ParseRequestLine(std::string_view line);
  int ParseTarget(std::string_view target);
  int ParseFields(std::string_view lines);
  int ParseField(std::string_view line);
  /// Takes note of what the fields say together.
  int CheckFields();

  HeadLimits limits_;
  std::string received_;
  std::size_t checked_ = 0;  ///< bytes of received_ that BytesAreLegal has seen
  bool skipped_empty_line_ = false;
  bool has_request_line_ = false;
  bool is_http_1_0_ = false;
  RequestHead head_;
  int refusal_ = 0;
};

}  // namespace finwait::http
