#include "collectors/kernel/namespaces/proc_sockets.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "collectors/base/text.h"
#include "collectors/kernel/retry_age.h"

namespace finwait::kernel::namespaces {
namespace {

// Clock ticks a second in what procfs prints (USER_HZ): the same on every architecture that this program runs on.
constexpr std::uint64_t kTicksPerSecond = 100;
// No line of tcp6 is longer than 200.
constexpr std::size_t kLongestLine = 512;

// "AAAAAAAA:BBBBBBBB", two numbers in hexadecimal.
template <typename First, typename Second>
std::optional<std::pair<First, Second>> ParsePair(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto first = ParseHex<First>(word.substr(0, colon));
  const auto second = ParseHex<Second>(word.substr(colon + 1));
  return first && second ? std::optional(std::pair(*first, *second)) : std::nullopt;
}

// An address is printed as one or four words of 32 bits, each as this machine reads what is in network byte order
// (get_tcp4_sock, get_tcp6_sock); the port is a number.
std::optional<Endpoint> ParseEnd(std::string_view word, IpFamily file) {
  const std::size_t digits = file == IpFamily::kIpv4 ? 8 : 32;
  if (word.size() != digits + 5 || word[digits] != ':') {
    return std::nullopt;
  }
  std::array<std::byte, 16> bytes = {};
  for (std::size_t at = 0; at < digits; at += 8) {
    const auto part = ParseHex<std::uint32_t>(word.substr(at, 8));
    if (!part) {
      return std::nullopt;
    }
    std::memcpy(bytes.data() + at / 2, &*part, sizeof *part);
  }
  const auto port = ParseHex<std::uint16_t>(word.substr(digits + 1));
  const auto address = IpAddress::FromBytes(std::span(bytes).first(digits / 2));
  return port && address ? std::optional(Endpoint{*address, *port}) : std::nullopt;
}

bool IsHeading(std::string_view line) { return Words(line).Next() == "sl"; }

// What is no connection is not an error.
enum class Line { kSocket, kOther, kMalformed };

Line Parse(std::string_view line, IpFamily file, ProcSocket& parsed) {
  Words words(line);
  if (!words.Next().ends_with(':')) {
    return Line::kMalformed;
  }
  const auto local = ParseEnd(words.Next(), file);
  const auto peer = ParseEnd(words.Next(), file);
  const auto state = ParseHex<std::uint8_t>(words.Next());
  const auto queues = ParsePair<std::uint32_t, std::uint32_t>(words.Next());
  const auto timer = ParsePair<std::uint8_t, std::uint64_t>(words.Next());
  const auto retransmits = ParseHex<std::uint32_t>(words.Next());
  const auto uid = ParseNumber<std::uint32_t>(words.Next());
  const auto probes = ParseNumber<std::uint32_t>(words.Next());
  const auto inode = ParseNumber<std::uint64_t>(words.Next());
  if (!local || !peer || !state || !queues || !timer || !retransmits || !uid || !probes || !inode) {
    return Line::kMalformed;
  }
  const auto known = TcpStateFromKernel(*state);
  if (!known || local->address.Family() != peer->address.Family()) {
    // A listener's mapped address has an unspecified peer of the other family: it is no connection either way.
    return known && *known != TcpState::kListen ? Line::kMalformed : Line::kOther;
  }
  parsed = ProcSocket();
  parsed.socket.state = *known;
  parsed.socket.local = *local;
  parsed.socket.peer = *peer;
  parsed.inode = *inode;
  parsed.unread = queues->second;
  parsed.socket.has_queued = queues->first != 0;
  parsed.socket.orphan = *inode == 0;
  parsed.socket.uid = *uid;
  parsed.socket.timer = timer->first <= 4 ? static_cast<SocketTimer>(timer->first) : SocketTimer::kNone;
  constexpr std::uint64_t kMostTicks = std::uint64_t{1} << 40;
  parsed.socket.timer_expires = std::chrono::milliseconds(std::min(timer->second, kMostTicks) * 1000 / kTicksPerSecond);
  parsed.socket.tries = parsed.socket.timer == SocketTimer::kRetransmit ? *retransmits : *probes;
  words.Next();  // references
  words.Next();  // the socket's address in the kernel, which is hidden
  // Only a full socket has more: the retransmission timeout in ticks.
  if (const auto timeout = ParseNumber<std::uint32_t>(words.Next())) {
    parsed.socket.minimum_age = MinimumAgeOf(parsed.socket.timer, parsed.socket.tries,
                                             std::chrono::microseconds(*timeout * (1'000'000 / kTicksPerSecond)));
  }
  return Line::kSocket;
}

}  // namespace

std::optional<ProcSocket> ParseProcSocket(std::string_view line, IpFamily file) {
  ProcSocket parsed;
  return Parse(line, file, parsed) == Line::kSocket ? std::optional(parsed) : std::nullopt;
}

Result<void> ReadProcSockets(int descriptor, IpFamily file, Deadline deadline,
                             const std::function<void(const ProcSocket&)>& visit) {
  const std::string what = file == IpFamily::kIpv4 ? "read net/tcp" : "read net/tcp6";
  if (::lseek(descriptor, 0, SEEK_SET) < 0) {
    return FailErrno(what, errno);
  }
  std::array<char, 64 * 1024> buffer;
  std::string begun;  // a line whose end has not been read yet
  ProcSocket parsed;
  const auto take = [&](std::string_view line) -> Result<void> {
    switch (Parse(line, file, parsed)) {
      case Line::kSocket:
        visit(parsed);
        return {};
      case Line::kOther:
        return {};
      case Line::kMalformed:
        break;
    }
    return IsHeading(line) ? Result<void>()
                           : Fail(FailureReason::kError, what + ": a line that is no socket: " + Quoted(line));
  };
  for (;;) {
    if (deadline.Passed()) {
      return Fail(FailureReason::kTimeout, what + ": not finished within the deadline");
    }
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FailErrno(what, errno);
    }
    if (got == 0) {
      return begun.empty() ? Result<void>() : take(begun);
    }
    std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      begun += rest.substr(0, std::min(end, kLongestLine + 1));
      if (begun.size() > kLongestLine) {
        return Fail(FailureReason::kError, what + ": a line longer than " + std::to_string(kLongestLine) + " bytes");
      }
      if (end == std::string_view::npos) {
        break;
      }
      if (auto taken = take(begun); !taken) {
        return taken;
      }
      begun.clear();
      rest.remove_prefix(end + 1);
    }
  }
}

}  // namespace finwait::kernel::namespaces
