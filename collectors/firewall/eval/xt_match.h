#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "collectors/firewall/eval/condition.h"
#include "collectors/firewall/eval/hook_context.h"
#include "collectors/firewall/eval/packet.h"
#include "collectors/firewall/model/expression.h"

namespace finwait::firewall::eval {

/// All of them must hold, in order, for a match extension to match.
using Conditions = std::vector<Condition>;

/// What a legacy rule's fixed part asks of a packet.
Conditions ConditionsOf(const IpHeaderMatch& match, const Packet& packet, const HookContext& context);

/// What a match extension asks of a packet. An extension whose answer nobody can predict, or that this version does
/// not know, is one condition that is kUnknown.
Conditions ConditionsOf(const XtMatch& match, const Packet& packet, const HookContext& context);

/// Whether the extension's answer depends on conntrack's state of the packet (`-m conntrack --ctstate`, `-m state`).
bool TestsConntrackState(const XtMatch& match);

/// One extension as this version understands it.
struct XtMatchHandler {
  const char* name;
  /// The revisions that it understands, both included.
  unsigned first_revision;
  unsigned last_revision;
  Conditions (*conditions)(const XtMatch& match, const Packet& packet, const HookContext& context);
};

/// The handlers by what they look at: headers, conntrack, everything else. Null where the extension is not theirs.
const XtMatchHandler* FindHeaderMatch(const XtMatch& match);
const XtMatchHandler* FindConntrackMatch(const XtMatch& match);
const XtMatchHandler* FindMetadataMatch(const XtMatch& match);

/// Looks `match` up in a table of handlers.
template <std::size_t N>
const XtMatchHandler* FindIn(const XtMatchHandler (&handlers)[N], const XtMatch& match) {
  for (const XtMatchHandler& handler : handlers) {
    if (match.name == handler.name && match.revision >= handler.first_revision &&
        match.revision <= handler.last_revision) {
      return &handler;
    }
  }
  return nullptr;
}

/// Copies an extension's private structure. False when the kernel sent fewer bytes than that.
template <typename T>
bool ReadInfo(const Value& info, T* structure) {
  if (info.size() < sizeof(T)) {
    return false;
  }
  std::memcpy(structure, info.data(), sizeof(T));
  return true;
}

/// For an extension whose structure is too short.
Conditions Unreadable();

/// The bytes of a structure's member that is in network order.
template <typename T>
std::span<const std::byte> BytesOf(const T& member) {
  return std::as_bytes(std::span(&member, 1));
}

}  // namespace finwait::firewall::eval
