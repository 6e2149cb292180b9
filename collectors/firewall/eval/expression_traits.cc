#include "collectors/firewall/eval/expression_traits.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <memory>
#include <variant>

#include "collectors/base/one_of.h"

namespace finwait::firewall::eval {
namespace {

constexpr Traits kChangesPacket = {.changes_packet = true};
constexpr Traits kNeedsConntrack = {.needs_conntrack = true};
constexpr Traits kTranslates = {.changes_packet = true, .needs_conntrack = true, .terminal = true};

// An expression of a new type belongs to one of these functions: without one the visit does not compile.
class Visitor {
 public:
  explicit Visitor(const xt::Registry& extensions) : extensions_(extensions) {}

  // Loads and comparisons change registers only. Counters, logs, copies and offloads leave the packet as it is; so does
  // a jump, as the rules behind it have traits of their own.
  template <OneOf<Immediate, PayloadLoad, MetaLoad, Bitwise, ByteOrder, NumberGenerator, Hash, Fib, RouteLoad,
                  SocketLoad, OsFingerprint, TunnelLoad, XfrmLoad, Inner, Compare, Range, Lookup, Counter, Log, Last,
                  Duplicate, std::shared_ptr<const IpHeaderMatch>>
                T>
  Traits operator()(const T&) const {
    return {};
  }

  // TCP options that are written or removed are known neither before nor after.
  Traits operator()(const ExtensionHeader&) const { return {}; }

  Traits operator()(const VerdictStatement& statement) const {
    return {.terminal = statement.verdict.kind != Verdict::Kind::kContinue};
  }
  Traits operator()(const Reject&) const { return {.terminal = true}; }
  Traits operator()(const Forward&) const {
    return {.terminal = true, .unknowable_because = "a rule that sends the packet out through another device"};
  }
  // Its program may send the packet back changed or with another mark.
  Traits operator()(const Queue&) const { return {.changes_packet = true, .terminal = true}; }

  Traits operator()(const PayloadWrite&) const { return kChangesPacket; }
  Traits operator()(const Notrack&) const { return kChangesPacket; }
  // No rule can ask whether a packet is traced.
  Traits operator()(const MetaSet& set) const { return {.changes_packet = set.key != NFT_META_NFTRACE}; }
  // The set is what changes.
  Traits operator()(const DynamicSet& dynamic) const {
    const bool counts_connections =
        std::find(dynamic.expressions.begin(), dynamic.expressions.end(), "connlimit") != dynamic.expressions.end();
    return {.changes_packet = true, .needs_conntrack = counts_connections, .changes_sets = true};
  }

  Traits operator()(const Limit&) const { return {.unknowable_because = "a rate limit"}; }
  Traits operator()(const Quota&) const { return {.unknowable_because = "a quota"}; }
  Traits operator()(const ConnectionLimit&) const {
    return {.needs_conntrack = true, .unknowable_because = "a connection count"};
  }
  Traits operator()(const Tproxy&) const { return {.unknowable_because = "whether a transparent proxy listens"}; }

  Traits operator()(const CtLoad&) const { return kNeedsConntrack; }
  Traits operator()(const CtSet&) const { return {.changes_packet = true, .needs_conntrack = true}; }
  Traits operator()(const FlowOffload&) const { return kNeedsConntrack; }
  Traits operator()(const Synproxy&) const {
    return {.needs_conntrack = true, .terminal = true, .adjusts_sequence = true};
  }
  Traits operator()(const Nat&) const { return kTranslates; }
  Traits operator()(const Masquerade&) const { return kTranslates; }
  Traits operator()(const Redirect&) const { return kTranslates; }

  Traits operator()(const ObjectReference& reference) const {
    switch (reference.type) {
      case NFT_OBJECT_COUNTER:
      case NFT_OBJECT_TUNNEL:
      case NFT_OBJECT_SECMARK:
        return {};
      case NFT_OBJECT_QUOTA:
        return (*this)(Quota());
      case NFT_OBJECT_LIMIT:
        return (*this)(Limit());
      case NFT_OBJECT_CONNLIMIT:
        return (*this)(ConnectionLimit());
      case NFT_OBJECT_SYNPROXY:
        return (*this)(Synproxy());
      case NFT_OBJECT_CT_HELPER:
      case NFT_OBJECT_CT_TIMEOUT:
      case NFT_OBJECT_CT_EXPECT:
        return kNeedsConntrack;
      default:
        return {.changes_packet = true, .unknowable_because = "a named object that this version does not know"};
    }
  }
  // Which object the map gives is known to the table alone; none of them changes a packet.
  Traits operator()(const ObjectMapReference&) const { return {}; }

  Traits operator()(const XtMatch& match) const { return extensions_.TraitsOf(match); }
  Traits operator()(const XtTarget& target) const { return extensions_.TraitsOf(target); }
  Traits operator()(const UnknownExpression&) const {
    return {.changes_packet = true, .unknowable_because = "an expression that this version does not know"};
  }

 private:
  const xt::Registry& extensions_;
};

}  // namespace

Traits TraitsOf(const Expression& expression, const xt::Registry& extensions) {
  return std::visit(Visitor(extensions), expression);
}

bool ChangesPackets(const Rule& rule, const xt::Registry& extensions) {
  for (const Expression& expression : rule.expressions) {
    const Traits traits = TraitsOf(expression, extensions);
    if (traits.changes_packet || traits.terminal) {
      return traits.changes_packet;
    }
  }
  return false;
}

}  // namespace finwait::firewall::eval
