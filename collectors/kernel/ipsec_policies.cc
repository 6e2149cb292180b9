#include "collectors/kernel/ipsec_policies.h"

#include <linux/netlink.h>
#include <linux/xfrm.h>

#include <chrono>
#include <optional>
#include <system_error>

#include "collectors/base/text.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

// Whether a netlink protocol is there: its own socket is in the list of all. To open one of a protocol that is not
// would make the kernel look for its module.
Result<bool> HasProtocol(const Host& host, int protocol, Deadline deadline) {
  bool found = false;
  const auto read = ForEachLine(host.procfs / "thread-self/net/netlink", deadline, [&](std::string_view line) {
    Words words(line);
    words.Next();  // the socket's address
    found = found || ParseNumber<int>(words.Next()) == protocol;
    return Result<void>();
  });
  if (!read) {
    return Failure(read.error());
  }
  return found;
}

}  // namespace

bool HasXfrm(const Host& host) {
  constexpr std::chrono::seconds kPatience{5};
  return HasProtocol(host, NETLINK_XFRM, Deadline::After(kPatience)).value_or(false);
}

Result<bool> HasIpsecPolicies(const Host& host, Deadline deadline) {
  const auto asked_by_netlink = HasProtocol(host, NETLINK_XFRM, deadline);
  if (!asked_by_netlink) {
    return Failure(asked_by_netlink.error());
  }
  if (!*asked_by_netlink) {
    std::error_code error;
    if (std::filesystem::exists(host.procfs / "thread-self/net/pfkey", error)) {
      return Fail(FailureReason::kUnsupported, "IPsec policies may be there, and xfrm_user is not loaded to tell");
    }
    return false;
  }
  auto channel = host.open_channel(NETLINK_XFRM);
  if (!channel) {
    return Failure(channel.error());
  }
  std::optional<xfrmu_spdinfo> counts;
  const auto got = channel->Get(netlink::Request(XFRM_MSG_GETSPDINFO).Header(std::uint32_t{0}), "count IPsec policies",
                                deadline, [&](const netlink::Message& message) -> Result<void> {
                                  netlink::ForEachAttribute(message.Attributes<std::uint32_t>(),
                                                            [&](const netlink::Attribute& attribute) {
                                                              if (attribute.Type() == XFRMA_SPD_INFO) {
                                                                counts = attribute.Read<xfrmu_spdinfo>();
                                                              }
                                                            });
                                  return {};
                                });
  if (!got) {
    return Failure(got.error());
  }
  if (!counts) {
    return Fail(FailureReason::kError, "count IPsec policies: the kernel's answer is of an unknown shape");
  }
  return counts->incnt + counts->outcnt + counts->fwdcnt > 0;
}

}  // namespace finwait::kernel
