#include "collectors/kernel/conntrack_entry.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

namespace finwait::kernel {
namespace {

using netlink::AttributeReader;

// The protocol and the zone of one direction, where it has one of its own; both are in the tuple.
void ReadTuple(AttributeReader& tuple, ConntrackEntry& entry) {
  switch (tuple.Type()) {
    case CTA_TUPLE_PROTO:
      tuple.Nested([&](AttributeReader& field) {
        if (field.Type() == CTA_PROTO_NUM) {
          entry.protocol = field.U8();
        }
      });
      break;
    case CTA_TUPLE_ZONE:
      entry.zone = tuple.BigEndian16();
      break;
    default:
      break;
  }
}

void ReadProtocolInfo(AttributeReader& info, ConntrackEntry& entry) {
  if (info.Type() == CTA_PROTOINFO_TCP) {
    info.Nested([&](AttributeReader& field) {
      if (field.Type() == CTA_PROTOINFO_TCP_STATE) {
        entry.tcp_state = ConntrackTcpStateFromKernel(field.U8());
      }
    });
  }
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
  AttributeReader reader(message.Attributes<nfgenmsg>());
  while (reader.Next()) {
    switch (reader.Type()) {
      case CTA_TUPLE_ORIG:
        entry.original = reader.Payload();
        reader.Nested([&](AttributeReader& tuple) { ReadTuple(tuple, entry); });
        break;
      case CTA_TUPLE_REPLY:
        entry.reply = reader.Payload();
        reader.Nested([&](AttributeReader& tuple) {
          if (tuple.Type() == CTA_TUPLE_ZONE) {
            entry.zone = tuple.BigEndian16();
          }
        });
        break;
      case CTA_ZONE:
        entry.zone = reader.BigEndian16();
        break;
      case CTA_STATUS:
        entry.status = reader.BigEndian32();
        break;
      case CTA_TIMEOUT:
        entry.remaining_seconds = reader.BigEndian32();
        break;
      case CTA_PROTOINFO:
        reader.Nested([&](AttributeReader& info) { ReadProtocolInfo(info, entry); });
        break;
      default:
        break;
    }
  }
  if (!reader.Sound()) {
    return Fail(FailureReason::kError, "read conntrack: a malformed attribute");
  }
  return entry;
}

std::optional<ConntrackTuple> DecodeConntrackTuple(netlink::Bytes tuple) {
  std::optional<IpAddress> source;
  std::optional<IpAddress> destination;
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;
  AttributeReader reader(tuple);
  while (reader.Next()) {
    if (reader.Type() != CTA_TUPLE_IP && reader.Type() != CTA_TUPLE_PROTO) {
      continue;
    }
    reader.Nested([&, part = reader.Type()](AttributeReader& field) {
      if (part == CTA_TUPLE_IP && (field.Type() == CTA_IP_V4_SRC || field.Type() == CTA_IP_V6_SRC)) {
        source = IpAddress::FromBytes(field.Payload());
      } else if (part == CTA_TUPLE_IP && (field.Type() == CTA_IP_V4_DST || field.Type() == CTA_IP_V6_DST)) {
        destination = IpAddress::FromBytes(field.Payload());
      } else if (part == CTA_TUPLE_PROTO && field.Type() == CTA_PROTO_SRC_PORT) {
        source_port = field.BigEndian16();
      } else if (part == CTA_TUPLE_PROTO && field.Type() == CTA_PROTO_DST_PORT) {
        destination_port = field.BigEndian16();
      }
    });
  }
  if (!source || !destination || !source_port || !destination_port) {
    return std::nullopt;
  }
  return ConntrackTuple{{*source, *source_port}, {*destination, *destination_port}};
}

}  // namespace finwait::kernel
