// Targets of x_tables, in legacy rules and inside nftables.
#include <linux/netfilter.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "collectors/firewall/eval/rule_machine.h"

namespace finwait::firewall::eval {
namespace {

using Kind = RuleResult::Kind;

// Extensions after which the rule goes on, or the next one runs, as if they were not there.
constexpr std::string_view kHarmlessTargets[] = {
    "AUDIT",   "CHECKSUM", "CONNSECMARK", "IDLETIMER", "LED",         "LOG", "NFLOG",
    "RATEEST", "SECMARK",  "SET",         "TCPMSS",    "TCPOPTSTRIP", "TEE", "TRACE",
};

std::array<AbstractByte, 4> Marked(const AbstractNumber<4>& old, std::uint32_t clear, std::uint32_t flip) {
  std::array<AbstractByte, 4> bytes = old.bytes;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto cleared = static_cast<std::uint8_t>(clear >> (24 - 8 * i));
    const auto flipped = static_cast<std::uint8_t>(flip >> (24 - 8 * i));
    AbstractByte& byte = bytes[i];
    byte.value = static_cast<std::uint8_t>(byte.value & byte.known & ~cleared);
    byte.known |= cleared;
    if ((flipped & static_cast<std::uint8_t>(~byte.known)) != 0) {
      byte.field = Field::kNone;
    }
    byte.value ^= flipped & byte.known;
  }
  return bytes;
}

}  // namespace

RuleMachine::Step RuleMachine::operator()(const XtTarget& target) {
  Packet& packet = at_->packet;
  const std::string& name = target.name;
  if (std::find(std::begin(kHarmlessTargets), std::end(kHarmlessTargets), name) != std::end(kHarmlessTargets)) {
    return Step::kNext;
  }
  if (TranslatesAddresses(target)) {
    return TranslateAsTarget(target);
  }
  if (name == "REJECT") {
    return Tell(Kind::kReject);
  }
  if (name == "ERROR") {
    return Tell(Kind::kDrop);
  }
  if (name == "MARK" && target.revision == 2) {
    xt_mark_tginfo2 info;
    if (!ReadInfo(target.info, &info)) {
      return Tell(Kind::kUnknown, {}, "a MARK target of a form not known to this version");
    }
    packet.mark.bytes = Marked(packet.mark, info.mask, info.mark);
    return Step::kNext;
  }
  if (name == "CONNMARK") {
    // Without an entry it does nothing: nothing is saved, and nothing restored.
    if (packet.tracking == PacketTracking::kNoEntry || packet.tracking == PacketTracking::kUntracked) {
      return Step::kNext;
    }
    xt_connmark_tginfo1 info;
    if (!ReadInfo(target.info, &info) || packet.tracking != PacketTracking::kNew || target.revision > 2) {
      packet.mark = AbstractNumber<4>::Unknown();
      packet.connection_mark = AbstractNumber<4>::Unknown();
    } else if (info.mode == XT_CONNMARK_SET) {
      packet.connection_mark.bytes = Marked(packet.connection_mark, info.ctmask, info.ctmark);
    } else if (info.mode == XT_CONNMARK_SAVE) {
      packet.connection_mark = AbstractNumber<4>::Unknown();
    } else {
      packet.mark = AbstractNumber<4>::Unknown();
    }
    return Step::kNext;
  }
  if (name == "CLASSIFY") {
    packet.priority = AbstractNumber<4>::Unknown();
    return Step::kNext;
  }
  if (name == "HMARK") {
    packet.mark = AbstractNumber<4>::Unknown();
    return Step::kNext;
  }
  if (name == "NOTRACK" || name == "CT") {
    // Only where nothing is known of the packet yet: xt_ct_target().
    if (packet.tracking != PacketTracking::kNoEntry) {
      return Step::kNext;
    }
    xt_ct_target_info info;
    const bool readable = name == "NOTRACK" || ReadInfo(target.info, &info);
    if (!readable) {
      return Tell(Kind::kUnknown, {}, "a CT target of a form not known to this version");
    }
    const bool notrack = name == "NOTRACK" || (info.flags & XT_CT_NOTRACK) != 0;
    packet.tracking = notrack ? PacketTracking::kUntracked : PacketTracking::kTemplate;
    return Step::kNext;
  }
  if (name == "TOS" || name == "DSCP" || name == "ECN" || name == "TTL" || name == "HL") {
    // Rewrites a header field; what it was is forgotten.
    const std::size_t lifetime = packet.family == IpFamily::kIpv4 ? 8 : 7;
    if (name == "TTL" || name == "HL") {
      packet.network[lifetime] = AbstractByte::Unknown();
    } else if (packet.family == IpFamily::kIpv4) {
      packet.network[1] = AbstractByte::Unknown();
    } else {
      packet.network[0] = AbstractByte::Unknown();
      packet.network[1] = AbstractByte::Unknown();
    }
    return Step::kNext;
  }
  if (name == "SYNPROXY") {
    // synproxy_tg4(): only ACK alone is taken for the end of a handshake; FIN and RST pass.
    const AbstractByte& flags = packet.TcpFlags();
    constexpr std::uint8_t kEnds = 0x07;  // FIN, SYN, RST
    if ((flags.known & kEnds) != kEnds || (flags.value & 0x02) != 0) {
      return Tell(Kind::kUnknown, {}, "a SYN proxy");
    }
    return (flags.value & kEnds) != 0 ? Step::kNext : Tell(Kind::kDrop);
  }
  if (name == "NFQUEUE" || name == "QUEUE") {
    return Tell(Kind::kQueue);
  }
  if (name == "TPROXY") {
    return Tell(Kind::kUnknown, {}, "whether a transparent proxy listens");
  }
  return Tell(Kind::kUnknown, {}, "the target " + name);
}

}  // namespace finwait::firewall::eval
