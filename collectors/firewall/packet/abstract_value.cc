#include "collectors/firewall/packet/abstract_value.h"

namespace finwait::firewall::packet {

unsigned SizeOf(Field field, IpFamily family) {
  switch (field) {
    case Field::kSourceAddress:
    case Field::kDestinationAddress:
      return family == IpFamily::kIpv4 ? 4 : 16;
    case Field::kInName:
    case Field::kOutName:
    case Field::kInKind:
    case Field::kOutKind:
      return 16;
    case Field::kSourceMac:
    case Field::kDestinationMac:
      return 6;
    case Field::kSourcePort:
    case Field::kDestinationPort:
    case Field::kInType:
    case Field::kOutType:
    case Field::kIpLength:
    case Field::kIdentification:
    case Field::kFragment:
    case Field::kIpChecksum:
    case Field::kWindow:
    case Field::kTcpChecksum:
      return 2;
    case Field::kTypeOfService:
    case Field::kTimeToLive:
    case Field::kTcpOffset:
    case Field::kTcpFlags:
    case Field::kWeekday:
      return 1;
    case Field::kTime:
      return 8;
    default:
      return 4;
  }
}

bool TellsConnectionsApart(Field field) { return field > Field::kNone && field <= Field::kTimeToLive; }

std::string_view Name(Field field) {
  switch (field) {
    case Field::kSourceAddress:
      return "the source address";
    case Field::kDestinationAddress:
      return "the destination address";
    case Field::kSourcePort:
      return "the source port";
    case Field::kDestinationPort:
      return "the destination port";
    case Field::kInName:
    case Field::kInIndex:
      return "the input interface";
    case Field::kOutName:
    case Field::kOutIndex:
      return "the output interface";
    case Field::kInType:
    case Field::kInGroup:
    case Field::kInKind:
      return "what the input interface is";
    case Field::kOutType:
    case Field::kOutGroup:
    case Field::kOutKind:
      return "what the output interface is";
    case Field::kMark:
      return "the packet mark";
    case Field::kConnectionMark:
      return "the mark of the connection";
    case Field::kPriority:
      return "the packet priority";
    case Field::kUser:
      return "the socket's user";
    case Field::kGroup:
      return "the socket's group";
    case Field::kSourceMac:
    case Field::kDestinationMac:
      return "the link-layer address";
    case Field::kTypeOfService:
    case Field::kFirstWord:
      return "the type of service";
    case Field::kTimeToLive:
      return "the time to live";
    case Field::kIpLength:
    case Field::kPacketLength:
      return "the packet's length";
    case Field::kTcpFlags:
      return "a TCP flag";
    case Field::kTime:
    case Field::kDaytime:
    case Field::kWeekday:
      return "the time, which is about to be another one to a rule";
    case Field::kChance:
      return "a number drawn by chance";
    default:
      return "a header field";
  }
}

bool KnownNumber(AbstractBytes bytes, Wide* number) {
  *number = 0;
  for (const AbstractByte& byte : bytes) {
    if (!byte.IsKnown()) {
      return false;
    }
    *number = (*number << 8) | byte.value;
  }
  return true;
}

Field LeadingBytesOf(AbstractBytes bytes) {
  if (bytes.empty()) {
    return Field::kNone;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i].known != 0 || bytes[i].field != bytes.front().field || bytes[i].index != i) {
      return Field::kNone;
    }
  }
  return bytes.front().field;
}

}  // namespace finwait::firewall::packet
