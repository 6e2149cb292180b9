#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"

/// What takes CAP_SYS_ADMIN: to open something in another network namespace. A process of its own does it (the opener),
/// and passes the descriptor. It is asked by messages of one size, and answers each by one of one size.
namespace finwait::kernel::namespaces {

/// What is opened.
enum class Opened : std::uint8_t {
  kSockets,    ///< a socket of sock_diag, with the request for a dump of TCP sockets sent already
  kNetfilter,  ///< a netlink socket for nftables' rules and for conntrack
  kRouting,    ///< a netlink socket for routes, addresses and devices
  kTcpLoose,   ///< net.netfilter.nf_conntrack_tcp_loose, for reading
};
inline constexpr std::uint8_t kMostOpened = static_cast<std::uint8_t>(Opened::kTcpLoose);

/// One request as it crosses.
struct OpenRequest {
  std::uint32_t number = 0;   ///< comes back in the answer
  std::uint32_t process = 0;  ///< the PID of one that lives in the namespace
  std::uint64_t inode = 0;    ///< of that namespace's net/tcp: the opener opens nothing in any other
  Opened what = Opened::kSockets;
  std::uint8_t family = 0;      ///< kSockets: AF_INET or AF_INET6
  std::uint8_t extensions = 0;  ///< kSockets: see socket_dump.h
  std::uint8_t zero = 0;
  std::uint32_t states = 0;    ///< kSockets: bits of KernelStateBit()
  std::uint32_t sequence = 0;  ///< kSockets: of the request to the kernel
  std::uint32_t zero_too = 0;
};
static_assert(sizeof(OpenRequest) == 32);

/// One answer as it crosses; with a descriptor where `error` is 0.
struct OpenAnswer {
  std::uint32_t number = 0;
  std::int32_t error = 0;  ///< errno
};
static_assert(sizeof(OpenAnswer) == 8);

/// The opener: answers requests that come by `channel`, a SOCK_SEQPACKET socket, until its other end is closed. What is
/// no request is answered with EBADMSG, one that names another namespace with ESTALE. For a process of one thread,
/// which is in its own network namespace whenever it waits.
void RunOpener(int channel, int procfs);

/// The other end. Thread-safe.
class Opener {
 public:
  explicit Opener(UniqueFd channel) : channel_(std::move(channel)) {}

  /// `request.number` is set here. kTimeout where no answer comes within a second; an error that WhyGone() tells of
  /// where the opener has ended.
  Result<UniqueFd> Open(OpenRequest request);
  /// That it has ended, or answered what it may not: it is asked no more. Nothing while it is there.
  std::optional<Error> WhyGone() const;
  int Descriptor() const { return channel_.Get(); }

 private:
  Result<UniqueFd> Receive(std::uint32_t number);
  Failure Gone(const char* why);

  mutable std::mutex mutex_;
  UniqueFd channel_;
  std::uint32_t numbers_ = 0;
  std::optional<Error> gone_;
};

/// Both ends of a channel between the two, close-on-exec.
Result<std::pair<UniqueFd, UniqueFd>> MakeOpenerChannel();

}  // namespace finwait::kernel::namespaces
