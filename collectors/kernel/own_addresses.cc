#include "collectors/kernel/own_addresses.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "collectors/kernel/netlink/messages.h"

namespace finwait::kernel {
namespace {

Failure Malformed() { return Fail(FailureReason::kError, "read this host's addresses: a malformed message"); }

// The address that an ifaddrmsg is about, as this host's own; nothing for a message about anything else.
Result<std::optional<IpAddress>> DecodeOwnAddress(const netlink::Message& message) {
  if (message.type != RTM_NEWADDR) {
    return std::nullopt;
  }
  const auto header = message.Header<ifaddrmsg>();
  if (!header) {
    return Malformed();
  }
  if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) {
    return std::nullopt;
  }
  // IFA_ADDRESS is the other end's on a point-to-point link; IFA_LOCAL is there whenever the two differ.
  std::optional<netlink::Bytes> address;
  std::optional<netlink::Bytes> local;
  netlink::AttributeReader reader(message.Attributes<ifaddrmsg>());
  while (reader.Next()) {
    if (reader.Type() == IFA_ADDRESS) {
      address = reader.Payload();
    } else if (reader.Type() == IFA_LOCAL) {
      local = reader.Payload();
    }
  }
  const auto& own = local ? local : address;
  const auto decoded = own ? IpAddress::FromBytes(*own) : std::nullopt;
  if (!reader.Sound() || !decoded) {
    return Malformed();
  }
  return decoded;
}

}  // namespace

bool OwnAddresses::Contains(const IpAddress& address) const { return address.IsLoopback() || known_.contains(address); }

Result<void> OwnAddresses::TakeIn(const netlink::Message& message) {
  const auto address = DecodeOwnAddress(message);
  if (!address) {
    return Failure(address.error());
  }
  if (*address && known_.size() < kMost) {
    known_.insert(**address);
  }
  return {};
}

Result<void> OwnAddresses::TakeInChanges() {
  for (;;) {
    const auto datagram = changes_->Next();
    if (!datagram) {
      if (datagram.error().errno_code != ENOBUFS) {
        return Failure(datagram.error());
      }
      all_read_ = false;
      continue;
    }
    if (!*datagram) {
      return {};
    }
    if ((*datagram)->sender_port != 0) {
      continue;
    }
    netlink::MessageReader reader((*datagram)->bytes);
    while (reader.Next()) {
      if (auto taken = TakeIn(reader.Current()); !taken) {
        return taken;
      }
    }
    if (!reader.Sound() || (*datagram)->truncated) {
      return Malformed();
    }
  }
}

Result<void> OwnAddresses::ReadAll(Deadline deadline) {
  auto channel = host_.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  netlink::FunctionSink sink([] {}, [this](const netlink::Message& message) { return TakeIn(message); });
  netlink::Request request(RTM_GETADDR);
  request.Header(ifaddrmsg{});
  const auto dumped = channel->Dump(std::move(request), "read this host's addresses", deadline, sink);
  if (!dumped) {
    return Failure(dumped.error());
  }
  all_read_ = true;
  return {};
}

Result<void> OwnAddresses::Update(Deadline deadline) {
  if (!changes_) {
    // Before the first reading, so that nothing falls between the two.
    auto changes = host_.open_events({NETLINK_ROUTE, {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}, {}, 0});
    if (!changes) {
      return Failure(changes.error());
    }
    changes_ = std::move(*changes);
  }
  if (auto taken = TakeInChanges(); !taken) {
    return taken;
  }
  if (known_.size() >= kMost) {
    known_.clear();
    all_read_ = false;
  }
  if (!all_read_) {
    if (auto read = ReadAll(deadline); !read) {
      return read;
    }
  }
  if (known_.size() >= kMost) {
    return Fail(FailureReason::kError, "this host has more than " + std::to_string(kMost - 1) +
                                           " addresses: too many to tell local from forwarded connections");
  }
  return {};
}

}  // namespace finwait::kernel
