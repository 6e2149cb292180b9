#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"

namespace finwait::witness {

/// The closing packets that are told of: the label `packet`. One with both flags is a reset.
enum class ClosingPacket : std::uint8_t { kFin, kRst };
inline constexpr ClosingPacket kClosingPackets[] = {ClosingPacket::kFin, ClosingPacket::kRst};
constexpr std::string_view Name(ClosingPacket packet) { return packet == ClosingPacket::kFin ? "fin" : "rst"; }

/// Whose packet it was: the label `place`.
enum class Place : std::uint8_t {
  kLocal,      ///< sent by this namespace, or sent to it
  kForwarded,  ///< on its way through
};
inline constexpr Place kPlaces[] = {Place::kLocal, Place::kForwarded};
constexpr std::string_view Name(Place place) { return place == Place::kLocal ? "local" : "forwarded"; }

/// What dropped it, as far as the kernel's reason tells: the label `reason`.
enum class ReasonClass : std::uint8_t {
  kNetfilter,  ///< a rule, a policy, conntrack, or a BPF program in a hook of netfilter's
  kRoute,      ///< no route, a reverse path that is none, a neighbour that does not answer
  kDevice,     ///< the device: its link, its queue, its memory
  kQdisc,      ///< a queueing discipline, or a filter or action of tc (which may be BPF)
  kBpf,        ///< XDP, or a program of a control group or a socket
  kOther,
};
inline constexpr ReasonClass kReasonClasses[] = {ReasonClass::kNetfilter, ReasonClass::kRoute, ReasonClass::kDevice,
                                                 ReasonClass::kQdisc,     ReasonClass::kBpf,   ReasonClass::kOther};
/// The label value.
std::string_view Name(ReasonClass reason);
/// In a sentence: "dropped by ...".
std::string_view Words(ReasonClass reason);

/// The class of a reason by its name in the kernel's BTF (enum skb_drop_reason), as numbers differ by kernel. Nothing
/// for what is no loss: a packet consumed, and one that TCP itself took in and had no use for (TCP_*, NO_SOCKET, ...).
std::optional<ReasonClass> ClassOfReason(std::string_view name);

/// What the kernel says of the entry that a dropped packet had.
enum class PacketEntry : std::uint8_t {
  kNone,       ///< none: INVALID, or conntrack had not looked at it
  kUntracked,  ///< a rule keeps it from being tracked (notrack)
  kTracked,
};

/// One closing packet that the kernel dropped, as it says itself.
struct Drop {
  std::uint64_t number = 0;  ///< counted from 1 by this process
  SteadyClock::time_point at;
  std::uint64_t cookie = 0;  ///< of its socket; 0: none, or none that sock_diag has been asked for
  std::uint64_t cgroup = 0;  ///< v2, of its socket; 0: not known
  Endpoint source;           ///< as in the packet where it was dropped, so perhaps translated
  Endpoint destination;
  std::uint32_t mark = 0;
  ClosingPacket packet = ClosingPacket::kFin;
  Place place = Place::kLocal;
  ReasonClass reason_class = ReasonClass::kOther;
  PacketEntry entry = PacketEntry::kNone;
  bool incoming = false;    ///< it had come in by a device
  bool connected = false;   ///< of a connection with a socket here, and no answer to what there is no socket for
  std::string reason;       ///< by its BTF name, without its prefix: "NETFILTER_DROP"
  std::string kernel_code;  ///< the function that dropped it, as the kernel names it; may be empty
};

/// By ClosingPacket, Place and ReasonClass.
using Counts = std::array<std::array<std::array<std::uint64_t, 6>, 2>, 2>;

}  // namespace finwait::witness
