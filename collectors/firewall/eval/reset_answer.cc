#include "collectors/firewall/eval/reset_answer.h"

#include <linux/netfilter/nf_tables.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::eval {
namespace {

bool AnswersWithReset(const Expression& expression, IpFamily family) {
  if (const auto* reject = std::get_if<Reject>(&expression)) {
    return reject->type == NFT_REJECT_TCP_RST;
  }
  const auto* target = std::get_if<XtTarget>(&expression);
  return target != nullptr && xt::BuiltIn().Resets(*target, family);
}

}  // namespace

ResetAnswer AnswerTo(const Connection& connection, PacketKind kind, PacketTracking rejected) {
  ResetAnswer answer{connection, {}};
  Connection& reversed = answer.connection;
  const bool to_peer = !IsOutgoing(kind) && connection.path_kind != PathKind::kLoopback;
  if (IsOutgoing(kind)) {
    std::swap(reversed.local, reversed.peer);
    std::swap(reversed.local_socket, reversed.peer_socket);
    if (reversed.within != nullptr) {
      reversed.within = std::make_shared<const packet::ConnectionClass>(reversed.within->Turned());
    }
  }
  reversed.path_kind = to_peer ? PathKind::kLocal : PathKind::kLoopback;
  reversed.address_gone = false;  // what it answers has come
  // No socket sends it. Its mark is 0 or, where net.ipv4.fwmark_reflect says so, that of the packet it answers.
  const std::optional<std::uint32_t> mark = reversed.peer_socket.mark;
  const std::optional<std::uint8_t> time_to_live = reversed.local_socket.time_to_live;
  reversed.local_socket = SocketFacts();
  reversed.local_socket.held = false;
  reversed.local_socket.timestamps = false;
  reversed.local_socket.type_of_service = 0;
  if (to_peer) {
    reversed.local_socket.time_to_live = time_to_live;  // that of the route, which is the socket's
    if (reversed.routing && (reversed.routing->mark != 0 || reversed.routing->bound_device != 0)) {
      reversed.egress = Interface();  // routed without the socket's mark and device
      reversed.egress_port.reset();
    }
    // It is routed without the socket's owner, ports and type of service, too: none has been refused for that.
    reversed.unroutable = false;
    if (connection.path_kind == PathKind::kForwarded) {
      reversed.ingress.reset();
      reversed.routing.reset();
    }
  } else if (mark != 0U) {
    reversed.local_socket.mark.reset();
  }
  answer.packet = MakePacket(reversed, PacketKind::kRst);
  answer.packet.TcpFlags() = AbstractByte::Known(std::uint8_t{TH_RST});
  if (to_peer ? connection.path_kind == PathKind::kForwarded : connection.path_kind != PathKind::kLoopback) {
    answer.packet.source_kind = AddressKind::kRemote;
  }
  if (rejected == PacketTracking::kNew || rejected == PacketTracking::kEstablished ||
      rejected == PacketTracking::kRelated) {
    answer.packet.tracking = PacketTracking::kRelated;
  }
  return answer;
}

bool AnswersWithReset(const Rule& rule, IpFamily family) {
  return std::any_of(rule.expressions.begin(), rule.expressions.end(),
                     [&](const Expression& expression) { return AnswersWithReset(expression, family); });
}

bool IsAnsweredWithReset(const TraversalEnd& end) {
  return end.result.kind == ChainResult::Kind::kReject && end.result.rule != nullptr &&
         AnswersWithReset(*end.result.rule, end.result.packet.family);
}

}  // namespace finwait::firewall::eval
