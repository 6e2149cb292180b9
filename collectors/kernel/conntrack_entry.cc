#include "collectors/kernel/conntrack_entry.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

namespace finwait::kernel {
namespace {

using netlink::Attribute;
using netlink::ForEachAttribute;

bool ReadProtocol(const Attribute& tuple, ConntrackEntry& entry) {
  bool sound = true;
  sound &= ForEachAttribute(tuple, [&](const Attribute& part) {
    if (part.Type() == CTA_TUPLE_PROTO) {
      sound &= ForEachAttribute(part, [&](const Attribute& field) {
        if (field.Type() == CTA_PROTO_NUM) {
          entry.protocol = field.U8().value_or(0);
        }
      });
    }
  });
  return sound;
}

bool ReadTcpState(const Attribute& protocol_info, ConntrackEntry& entry) {
  bool sound = true;
  sound &= ForEachAttribute(protocol_info, [&](const Attribute& protocol) {
    if (protocol.Type() == CTA_PROTOINFO_TCP) {
      sound &= ForEachAttribute(protocol, [&](const Attribute& field) {
        if (field.Type() == CTA_PROTOINFO_TCP_STATE) {
          if (const auto state = field.U8()) {
            entry.tcp_state = ConntrackTcpStateFromKernel(*state);
          }
        }
      });
    }
  });
  return sound;
}

}  // namespace

Result<std::optional<ConntrackEntry>> DecodeConntrackEntry(const netlink::Message& message) {
  const auto header = message.Header<nfgenmsg>();
  if (!header) {
    return Fail(FailureReason::kError, "read conntrack: a message cut short");
  }
  if (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6) {
    return std::nullopt;
  }
  ConntrackEntry entry;
  entry.family = header->nfgen_family == AF_INET ? IpFamily::kIpv4 : IpFamily::kIpv6;
  bool sound = true;
  sound &= ForEachAttribute(message.Attributes<nfgenmsg>(), [&](const Attribute& attribute) {
    switch (attribute.Type()) {
      case CTA_TUPLE_ORIG:
        entry.original = attribute.Payload();
        sound &= ReadProtocol(attribute, entry);
        break;
      case CTA_TUPLE_REPLY:
        entry.reply = attribute.Payload();
        break;
      case CTA_STATUS:
        entry.status = attribute.BigEndian32().value_or(0);
        break;
      case CTA_TIMEOUT:
        entry.remaining_seconds = attribute.BigEndian32();
        break;
      case CTA_PROTOINFO:
        sound &= ReadTcpState(attribute, entry);
        break;
      default:
        break;
    }
  });
  if (!sound) {
    return Fail(FailureReason::kError, "read conntrack: a malformed attribute");
  }
  return entry;
}

std::optional<ConntrackTuple> DecodeConntrackTuple(netlink::Bytes tuple) {
  std::optional<IpAddress> source;
  std::optional<IpAddress> destination;
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;
  ForEachAttribute(tuple, [&](const Attribute& part) {
    if (part.Type() == CTA_TUPLE_IP) {
      ForEachAttribute(part, [&](const Attribute& field) {
        if (field.Type() == CTA_IP_V4_SRC || field.Type() == CTA_IP_V6_SRC) {
          source = IpAddress::FromBytes(field.Payload());
        } else if (field.Type() == CTA_IP_V4_DST || field.Type() == CTA_IP_V6_DST) {
          destination = IpAddress::FromBytes(field.Payload());
        }
      });
    } else if (part.Type() == CTA_TUPLE_PROTO) {
      ForEachAttribute(part, [&](const Attribute& field) {
        if (field.Type() == CTA_PROTO_SRC_PORT) {
          source_port = field.BigEndian16();
        } else if (field.Type() == CTA_PROTO_DST_PORT) {
          destination_port = field.BigEndian16();
        }
      });
    }
  });
  if (!source || !destination || !source_port || !destination_port) {
    return std::nullopt;
  }
  return ConntrackTuple{{*source, *source_port}, {*destination, *destination_port}};
}

}  // namespace finwait::kernel
