#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace finwait::privilege {

/// A demand on one argument of a system call: (argument & mask) == value, or argument >= value. Pointers are never
/// looked behind: the kernel gives a filter the registers and nothing else.
struct Demand {
  enum class Comparison : std::uint8_t { kMasked, kAtLeast };
  unsigned argument = 0;  ///< counted from 0
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
  Comparison comparison = Comparison::kMasked;
};

/// A system call that the program may make, whatever its arguments or with arguments that meet all demands. A call may
/// be listed several times, once for each way in which it is allowed.
struct AllowedCall {
  const char* name;
  std::array<Demand, 3> demands = {};
  std::size_t demand_count = 0;
};

/// The processes of the program, by what they do.
enum class Role : std::uint8_t {
  kReader,       ///< reads the kernel: also `check` and `explain`, which are one process
  kServer,       ///< hears strangers
  kClient,       ///< asks other hosts: `pairs`
  kWitness,      ///< tells of dropped packets, from a program that it has attached before
  kTableWalker,  ///< runs a program that it has loaded before, and tells what that has counted
  kOpener,       ///< opens sockets in other network namespaces (kernel/namespaces/opener.h)
};

/// What the reader's filter must know where the headers of its netlink requests are sealed
/// (kernel/netlink/sealed_requests.h), so that the kernel takes no request but those.
struct SealedCalls {
  struct Message {
    Demand socket;   ///< on sendmsg's first argument
    Demand headers;  ///< on its second
  };
  std::vector<Message> messages;
  std::uint64_t end = 0;       ///< of the sealed memory, below which nothing changes
  int first_fixed = 0;         ///< descriptors from here on are never closed; a power of two
  std::optional<int> channel;  ///< the socket to the server, one of those
  std::optional<int> opener;   ///< the socket to the opener, one of those
};

/// What a process does, as far as its filter must know.
struct Work {
  Role role = Role::kReader;
  std::optional<SealedCalls> sealed = std::nullopt;  ///< of the reader, where its headers are
  bool writes_store = false;                         ///< of the server: StoreCalls
  /// Of the reader: iptables-legacy (ip6tables-legacy) has tables. Where it has none the kernel would make the one that
  /// is asked for, so none can be.
  bool ipv4_tables = true;
  bool ipv6_tables = true;
};

/// What a process does once it runs: the whole list.
std::vector<AllowedCall> AllowedCalls(const Work& work);
/// What it may not do and does not know of, so that it is refused without being counted.
std::vector<AllowedCall> ExpectedCalls(const Work& work);
/// What the server does beside that with files that it has opened before, where it has a store (--storage.path). No
/// file can be made, opened for writing or removed by them.
std::span<const AllowedCall> StoreCalls();
/// What the opener does: the whole list.
std::span<const AllowedCall> OpenerCalls();
/// What a client alone does: it opens TCP connections.
std::span<const AllowedCall> ClientCalls();

}  // namespace finwait::privilege
