#include <linux/netfilter/nf_tables_compat.h>

#include <utility>

#include "collectors/firewall/read/nft_decoders.h"

namespace finwait::firewall::read {
namespace {

// Extensions keep at most a few hundred bytes (xt_bpf, xt_string); more is not believed.
constexpr std::size_t kMaxExtensionName = 32;
constexpr std::size_t kMaxExtensionInfo = 4096;

Decoded DecodeLimit(const AttributeMap& attributes) {
  return Limit{attributes.Number64(NFTA_LIMIT_RATE).value_or(0), attributes.Number64(NFTA_LIMIT_UNIT).value_or(0),
               attributes.Number(NFTA_LIMIT_BURST).value_or(0),
               attributes.Number(NFTA_LIMIT_TYPE).value_or(NFT_LIMIT_PKTS),
               IsSet(attributes, NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV)};
}

Decoded DecodeQuota(const AttributeMap& attributes) {
  return Quota{attributes.Number64(NFTA_QUOTA_BYTES).value_or(0), attributes.Number64(NFTA_QUOTA_CONSUMED).value_or(0),
               IsSet(attributes, NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV)};
}

Decoded DecodeConnectionLimit(const AttributeMap& attributes) {
  return ConnectionLimit{attributes.Number(NFTA_CONNLIMIT_COUNT).value_or(0),
                         IsSet(attributes, NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV)};
}

Decoded DecodeLog(const AttributeMap& attributes) {
  return Log{attributes.Text(NFTA_LOG_PREFIX), attributes.Number(NFTA_LOG_LEVEL), attributes.Number16(NFTA_LOG_GROUP),
             attributes.Number(NFTA_LOG_FLAGS).value_or(0)};
}

Decoded DecodeReject(const AttributeMap& attributes) {
  const auto type = attributes.Number(NFTA_REJECT_TYPE);
  if (!type) {
    return std::nullopt;
  }
  return Reject{*type, attributes.Number8(NFTA_REJECT_ICMP_CODE).value_or(0)};
}

Decoded DecodeQueue(const AttributeMap& attributes) {
  return Queue{attributes.Number16(NFTA_QUEUE_NUM).value_or(0), attributes.Number16(NFTA_QUEUE_TOTAL).value_or(0),
               attributes.Number16(NFTA_QUEUE_FLAGS).value_or(0), RegisterAt(attributes, NFTA_QUEUE_SREG_QNUM)};
}

Decoded DecodeNat(const AttributeMap& attributes) {
  const auto type = attributes.Number(NFTA_NAT_TYPE);
  if (!type) {
    return std::nullopt;
  }
  return Nat{*type,
             attributes.Number(NFTA_NAT_FAMILY).value_or(0),
             RegisterAt(attributes, NFTA_NAT_REG_ADDR_MIN),
             RegisterAt(attributes, NFTA_NAT_REG_ADDR_MAX),
             RegisterAt(attributes, NFTA_NAT_REG_PROTO_MIN),
             RegisterAt(attributes, NFTA_NAT_REG_PROTO_MAX),
             attributes.Number(NFTA_NAT_FLAGS).value_or(0)};
}

Decoded DecodeMasquerade(const AttributeMap& attributes) {
  return Masquerade{attributes.Number(NFTA_MASQ_FLAGS).value_or(0), RegisterAt(attributes, NFTA_MASQ_REG_PROTO_MIN),
                    RegisterAt(attributes, NFTA_MASQ_REG_PROTO_MAX)};
}

Decoded DecodeRedirect(const AttributeMap& attributes) {
  return Redirect{attributes.Number(NFTA_REDIR_FLAGS).value_or(0), RegisterAt(attributes, NFTA_REDIR_REG_PROTO_MIN),
                  RegisterAt(attributes, NFTA_REDIR_REG_PROTO_MAX)};
}

Decoded DecodeTproxy(const AttributeMap& attributes) {
  return Tproxy{attributes.Number(NFTA_TPROXY_FAMILY).value_or(0), RegisterAt(attributes, NFTA_TPROXY_REG_ADDR),
                RegisterAt(attributes, NFTA_TPROXY_REG_PORT)};
}

Decoded DecodeSynproxy(const AttributeMap& attributes) {
  return Synproxy{attributes.Number16(NFTA_SYNPROXY_MSS).value_or(0),
                  attributes.Number8(NFTA_SYNPROXY_WSCALE).value_or(0),
                  attributes.Number(NFTA_SYNPROXY_FLAGS).value_or(0)};
}

Decoded DecodeDuplicate(const AttributeMap& attributes) {
  return Duplicate{RegisterAt(attributes, NFTA_DUP_SREG_ADDR), RegisterAt(attributes, NFTA_DUP_SREG_DEV)};
}

Decoded DecodeForward(const AttributeMap& attributes) {
  return Forward{RegisterAt(attributes, NFTA_FWD_SREG_DEV), RegisterAt(attributes, NFTA_FWD_SREG_ADDR)};
}

Decoded DecodeFlowOffload(const AttributeMap& attributes) { return FlowOffload{attributes.Text(NFTA_FLOW_TABLE_NAME)}; }

Decoded DecodeObjectReference(const AttributeMap& attributes) {
  if (std::string set = attributes.Text(NFTA_OBJREF_SET_NAME); !set.empty()) {
    const auto source = RegisterAt(attributes, NFTA_OBJREF_SET_SREG);
    return source ? Decoded(ObjectMapReference{std::move(set), *source}) : std::nullopt;
  }
  const auto type = attributes.Number(NFTA_OBJREF_IMM_TYPE);
  std::string name = attributes.Text(NFTA_OBJREF_IMM_NAME);
  return type && !name.empty() ? Decoded(ObjectReference{*type, std::move(name)}) : std::nullopt;
}

// An xt extension inside nftables (nft_compat). NFTA_TARGET_* has the numbers of NFTA_MATCH_*.
template <typename Extension>
Decoded DecodeExtension(const AttributeMap& attributes) {
  const auto revision = attributes.Number(NFTA_MATCH_REV);
  const kernel::netlink::Bytes info = attributes.Nested(NFTA_MATCH_INFO);
  std::string name = attributes.Text(NFTA_MATCH_NAME);
  if (name.empty() || name.size() > kMaxExtensionName || !revision || info.size() > kMaxExtensionInfo) {
    return std::nullopt;
  }
  return Extension{std::move(name), *revision, Value(info.begin(), info.end())};
}

Decoded DecodeCounterExpression(const AttributeMap& attributes) {
  const auto counter = DecodeCounter(attributes);
  return counter ? Decoded(*counter) : std::nullopt;
}

template <typename Empty>
Decoded DecodeEmpty(const AttributeMap&) {
  return Empty{};
}

constexpr ExpressionDecoder kStatements[] = {
    {"connlimit", DecodeConnectionLimit},
    {"counter", DecodeCounterExpression},
    {"dup", DecodeDuplicate},
    {"flow_offload", DecodeFlowOffload},
    {"fwd", DecodeForward},
    {"last", DecodeEmpty<Last>},
    {"limit", DecodeLimit},
    {"log", DecodeLog},
    {"masq", DecodeMasquerade},
    {"match", DecodeExtension<XtMatch>},
    {"nat", DecodeNat},
    {"notrack", DecodeEmpty<Notrack>},
    {"objref", DecodeObjectReference},
    {"queue", DecodeQueue},
    {"quota", DecodeQuota},
    {"redir", DecodeRedirect},
    {"reject", DecodeReject},
    {"synproxy", DecodeSynproxy},
    {"target", DecodeExtension<XtTarget>},
    {"tproxy", DecodeTproxy},
};

}  // namespace

std::span<const ExpressionDecoder> StatementDecoders() { return kStatements; }

}  // namespace finwait::firewall::read
