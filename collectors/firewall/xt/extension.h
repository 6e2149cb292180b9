#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/firewall/model/expression.h"
#include "collectors/firewall/model/traits.h"
#include "collectors/firewall/packet/condition.h"
#include "collectors/firewall/packet/hook_context.h"
#include "collectors/firewall/packet/packet.h"
#include "collectors/firewall/packet/translation.h"
#include "collectors/firewall/packet/tristate.h"

/// What an extension of x_tables consists of, for those who write one: its file below xt/ decodes the kernel's
/// structure, says what it means for a packet and how its tool prints it, and states its traits. registry.h finds it.
namespace finwait::firewall::xt {

using packet::AbstractByte;
using packet::AbstractBytes;
using packet::AbstractNumber;
using packet::AddressKind;
using packet::Condition;
using packet::Conditions;
using packet::Field;
using packet::HookContext;
using packet::IntervalSet;
using packet::NewValue;
using packet::Packet;
using packet::PacketTracking;
using packet::PathKind;
using packet::SocketOwner;
using packet::Translation;
using packet::Tristate;
using packet::TristateOf;

/// Facts of the namespace that an extension needs and no rule holds.
class FactLookup {
 public:
  virtual ~FactLookup() = default;
  /// Whether an accounting object (nfacct) has a quota; kUnknown: nobody can be asked.
  virtual Tristate HasQuota(const std::string& accounting_object) = 0;
  /// The ipset of that number; null: not known.
  virtual const facts::Ipset* FindIpset(std::uint16_t index) = 0;
  /// Whether an ipset has that element now; kUnknown: nobody can be asked.
  virtual Tristate IsInIpset(const facts::IpsetElementKey& element) = 0;
  /// All that an ipset holds; null: not known.
  virtual const facts::IpsetContents* FindIpsetContents(const std::string&) { return nullptr; }
  /// The matches of that name among all rules that the ruleset holds. Valid as long as the ruleset is.
  virtual std::span<const XtMatch* const> MatchesOf(std::string_view) { return {}; }
  /// The answer to a need; null: not known yet, or nobody can be asked.
  virtual const facts::Fact* Ask(const facts::Need&) { return nullptr; }
};

/// An extension's options as its tool writes them: each with a space before it, "" where there are none.
struct OptionText {
  OptionText(std::string text) : options(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  OptionText(const char* text) : options(text) {}             // NOLINT(google-explicit-constructor)
  OptionText(std::string text, std::string_view other_name) : options(std::move(text)), name(other_name) {}

  std::string options;
  std::string_view name = {};  ///< under which it was written, where that is another one
};

/// The revisions of one structure or meaning, both included.
struct Revisions {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  constexpr bool Have(std::uint32_t revision) const { return revision >= first && revision <= last; }
};
/// Of extensions of which nothing is read.
inline constexpr Revisions kAnyRevision = {0, UINT32_MAX};

/// A match extension. Null functions: nothing is known of it but its traits.
struct Match {
  std::string_view name;
  Revisions revisions;
  Traits traits;
  /// What it asks of a packet.
  Conditions (*conditions)(const XtMatch&, const Packet&, const HookContext&, FactLookup&) = nullptr;
  /// Nothing: the structure is of a form that this version does not know.
  std::optional<OptionText> (*text)(const XtMatch&, bool ipv6) = nullptr;
  /// Whether its answer depends on conntrack's state of the packet; null: it never does.
  bool (*tests_state)(const XtMatch&) = nullptr;
  /// What it changes of a packet that it has matched, or not (`matched`, after an inversion); null: nothing.
  void (*change)(const XtMatch&, Packet&, const HookContext&, bool matched) = nullptr;
  /// Its structure without what its tool leaves in it of its own memory, so that two loads of one rule give one value;
  /// null: there is nothing of that kind.
  Value (*identity)(const XtMatch&) = nullptr;
};

/// The queues of NFQUEUE among which a packet goes to one.
struct QueueUse {
  std::optional<std::uint16_t> first = {};  ///< absent: not known
  std::uint16_t total = 1;                  ///< how many, from `first` on
  bool bypass = false;                      ///< accepts where nobody listens
};

/// What a target does besides what it changes in the packet.
struct Effect {
  enum class Kind {
    kNext,       ///< the rule goes on
    kDrop,       ///< the packet is gone
    kReject,     ///< the packet is gone and its sender told
    kQueue,      ///< a program in user space decides
    kTranslate,  ///< `translation`, which ends the base chain
    kUnknown,    ///< `because`: nobody can say
  };
  Kind kind = Kind::kNext;
  std::string because = {};
  Translation translation = {};
  QueueUse queue = {};  ///< kQueue

  static Effect Unknown(std::string because) { return {Kind::kUnknown, std::move(because), {}, {}}; }
};

/// A target extension. One without any `apply` leaves the packet as it is, and the rule goes on, unless its traits call
/// it unknowable: then nobody can say what becomes of the packet.
struct Target {
  std::string_view name;
  Revisions revisions;
  Traits traits;
  Effect (*apply)(const XtTarget&, Packet&, const HookContext&) = nullptr;
  /// In its place, of one that asks for facts.
  Effect (*apply_with_facts)(const XtTarget&, Packet&, const HookContext&, FactLookup&) = nullptr;
  std::optional<OptionText> (*text)(const XtTarget&, bool ipv6) = nullptr;
  /// Whether what it does hangs on the mark that the packet's entry has had before; null: it never does.
  bool (*reads_connection_mark)(const XtTarget&) = nullptr;
  /// Whether it answers with a TCP reset; null: it never does.
  bool (*resets)(const XtTarget&, IpFamily) = nullptr;
  /// The traits of one use, where its options decide about them; null: always `traits`.
  Traits (*traits_of)(const XtTarget&) = nullptr;
};

/// The extensions of one file.
struct Family {
  std::span<const Match> matches = {};
  std::span<const Target> targets = {};
};

/// The extension's private structure as T, copied so that alignment does not matter; nothing where the kernel sent
/// fewer bytes than that.
template <typename T>
std::optional<T> ReadAs(const Value& info) {
  if (info.size() < sizeof(T)) {
    return std::nullopt;
  }
  T structure;
  std::memcpy(&structure, info.data(), sizeof structure);
  return structure;
}

/// The decoder of an extension whose revisions all have the structure T.
template <typename T>
std::optional<T> Decode(const XtMatch& match) {
  return ReadAs<T>(match.info);
}
template <typename T>
std::optional<T> Decode(const XtTarget& target) {
  return ReadAs<T>(target.info);
}

/// For an extension whose structure is too short.
inline Conditions Unreadable() {
  return {Condition::Of(Tristate::kUnknown, "an xt match of a form not known to this version")};
}

/// Match::conditions made of a decoder and a meaning: `Meaning(info, packet, context)`, or with the facts behind that.
template <auto Decoder, auto Meaning>
Conditions ConditionsBy(const XtMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts) {
  const auto info = Decoder(match);
  if (!info) {
    return Unreadable();
  }
  if constexpr (std::is_invocable_v<decltype(Meaning), decltype(*info), const Packet&, const HookContext&,
                                    FactLookup&>) {
    return Meaning(*info, packet, context, facts);
  } else {
    return Meaning(*info, packet, context);
  }
}

/// Match::text and Target::text made of a decoder and a printer: `Printer(info, ipv6)` or, where it is the same for
/// both families, `Printer(info)`.
template <auto Decoder, auto Printer, typename Extension>
std::optional<OptionText> TextBy(const Extension& extension, bool ipv6) {
  const auto info = Decoder(extension);
  if (!info) {
    return std::nullopt;
  }
  if constexpr (std::is_invocable_v<decltype(Printer), decltype(*info), bool>) {
    return Printer(*info, ipv6);
  } else {
    return Printer(*info);
  }
}

/// The same for extensions whose revisions all have the structure Info.
template <typename Info>
constexpr auto kMatchDecoder = static_cast<std::optional<Info> (*)(const XtMatch&)>(Decode<Info>);
template <typename Info>
constexpr auto kTargetDecoder = static_cast<std::optional<Info> (*)(const XtTarget&)>(Decode<Info>);
template <typename Info, auto Meaning>
constexpr auto kConditionsOf = ConditionsBy<kMatchDecoder<Info>, Meaning>;
template <typename Info, auto Printer>
constexpr auto kMatchTextOf = TextBy<kMatchDecoder<Info>, Printer, XtMatch>;
template <typename Info, auto Printer>
constexpr auto kTargetTextOf = TextBy<kTargetDecoder<Info>, Printer, XtTarget>;

/// The bytes of a structure's member that is in network order.
template <typename T>
std::span<const std::byte> BytesOf(const T& member) {
  return std::as_bytes(std::span(&member, 1));
}

/// A text of a structure that ends at its first NUL or with its room.
template <std::size_t N>
std::string_view BoundedText(const char (&text)[N]) {
  return {text, strnlen(text, N)};
}

}  // namespace finwait::firewall::xt
