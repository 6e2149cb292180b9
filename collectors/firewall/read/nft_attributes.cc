#include "collectors/firewall/read/nft_attributes.h"

#include <linux/netfilter.h>

namespace finwait::firewall::read {

std::optional<Register> DecodeRegister(std::optional<std::uint32_t> number) {
  if (!number) {
    return std::nullopt;
  }
  if (*number >= NFT_REG_1 && *number <= NFT_REG_4) {
    return Register{static_cast<std::uint8_t>((*number - NFT_REG_1) * NFT_REG_SIZE)};
  }
  if (*number >= NFT_REG32_00 && *number <= NFT_REG32_15) {
    return Register{static_cast<std::uint8_t>((*number - NFT_REG32_00) * NFT_REG32_SIZE)};
  }
  return std::nullopt;
}

std::optional<Value> DecodeValue(kernel::netlink::Bytes nest) {
  const kernel::netlink::Bytes bytes = AttributeMap(nest).Nested(NFTA_DATA_VALUE);
  if (bytes.empty() || bytes.size() > NFT_DATA_VALUE_MAXLEN) {
    return std::nullopt;
  }
  return Value(bytes.begin(), bytes.end());
}

std::optional<Verdict> DecodeVerdict(kernel::netlink::Bytes nest) {
  const AttributeMap verdict(AttributeMap(nest).Nested(NFTA_DATA_VERDICT));
  const auto code = verdict.Number(NFTA_VERDICT_CODE);
  if (!code) {
    return std::nullopt;
  }
  switch (static_cast<std::int32_t>(*code)) {
    case NFT_CONTINUE:
      return Verdict{Verdict::Kind::kContinue, {}};
    case NFT_BREAK:
      return Verdict{Verdict::Kind::kBreak, {}};
    case NFT_RETURN:
      return Verdict{Verdict::Kind::kReturn, {}};
    case NFT_JUMP:
    case NFT_GOTO: {
      std::string chain = verdict.Text(NFTA_VERDICT_CHAIN);
      if (chain.empty()) {
        return std::nullopt;
      }
      const bool jump = static_cast<std::int32_t>(*code) == NFT_JUMP;
      return Verdict{jump ? Verdict::Kind::kJump : Verdict::Kind::kGoto, std::move(chain)};
    }
    default:
      break;
  }
  if (static_cast<std::int32_t>(*code) < 0) {
    return std::nullopt;
  }
  switch (*code & NF_VERDICT_MASK) {  // the upper half is a queue's number or an errno
    case NF_DROP:
      return Verdict{Verdict::Kind::kDrop, {}};
    case NF_ACCEPT:
      return Verdict{Verdict::Kind::kAccept, {}};
    case NF_STOLEN:
      return Verdict{Verdict::Kind::kStolen, {}};
    case NF_QUEUE:
      return Verdict{Verdict::Kind::kQueue, {}};
    default:
      return std::nullopt;
  }
}

std::optional<Counter> DecodeCounter(const AttributeMap& counter) {
  const auto packets = counter.Number64(NFTA_COUNTER_PACKETS);
  const auto bytes = counter.Number64(NFTA_COUNTER_BYTES);
  if (!packets || !bytes) {
    return std::nullopt;
  }
  return Counter{*packets, *bytes};
}

}  // namespace finwait::firewall::read
