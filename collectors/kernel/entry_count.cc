#include "collectors/kernel/entry_count.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <filesystem>
#include <optional>
#include <string_view>

#include "collectors/base/text.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

// "TCP: inuse 7 orphan 0 tw 2 alloc 9 mem 1"
Result<std::uint64_t> ReadInUse(const std::filesystem::path& path, std::string_view protocol, Deadline deadline) {
  std::optional<std::uint64_t> in_use;
  const auto read = ForEachLine(path, deadline, [&](std::string_view line) -> Result<void> {
    Words words(line);
    if (words.Next() == protocol && words.Next() == "inuse") {
      in_use = ParseNumber<std::uint64_t>(words.Next());
    }
    return {};
  });
  if (!read) {
    return Failure(read.error());
  }
  if (!in_use) {
    return Fail(FailureReason::kError, "read " + path.string() + ": it is of an unknown form");
  }
  return *in_use;
}

}  // namespace

Result<std::uint64_t> CountEntries(const Host& host) {
  return ReadProcfsUnsigned(host.procfs / "sys/net/netfilter/nf_conntrack_count");
}

Result<std::uint64_t> CountTcpSockets(const Host& host, Deadline deadline) {
  const std::filesystem::path net = host.procfs / "thread-self/net";
  auto sockets = ReadInUse(net / "sockstat", "TCP:", deadline);
  auto more = ReadInUse(net / "sockstat6", "TCP6:", deadline);
  const bool without_ipv6 = !more && IsAbsent(more.error());
  if (!sockets || without_ipv6) {
    return sockets;
  }
  return more ? Result<std::uint64_t>(*sockets + *more) : more;
}

Result<std::uint64_t> CountEntriesOf(const Host& host, const IpAddress& opener, Deadline deadline) {
  if (auto allowed = RequireFeature(host, kConntrackNetlink, "the entries of an address"); !allowed) {
    return Failure(allowed.error());
  }
  auto channel = host.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  constexpr std::uint32_t kBySource = 1;  // CTA_FILTER_FLAG(CTA_IP_SRC) of nf_internals.h
  const bool ipv4 = opener.Family() == IpFamily::kIpv4;
  netlink::Request request(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{static_cast<std::uint8_t>(ipv4 ? AF_INET : AF_INET6), NFNETLINK_V0, 0});
  request.BeginNested(CTA_TUPLE_ORIG).BeginNested(CTA_TUPLE_IP);
  request.PutBytes(ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, opener.Bytes()).EndNested().EndNested();
  request.BeginNested(CTA_FILTER).PutU32(CTA_FILTER_ORIG_FLAGS, kBySource);
  request.PutU32(CTA_FILTER_REPLY_FLAGS, 0).EndNested();
  std::uint64_t count = 0;
  netlink::FunctionSink sink([&] { count = 0; },
                             [&](const netlink::Message&) -> Result<void> {
                               ++count;
                               return {};
                             });
  if (auto dumped = channel->Dump(std::move(request), "count an address's entries", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return count;
}

}  // namespace finwait::kernel
