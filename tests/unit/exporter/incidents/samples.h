#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/incidents/record.h"

/// Diagnoses and records as the tests of incidents need them.
namespace finwait::incidents {

inline Time At(std::int64_t seconds) { return Time(std::chrono::seconds(1'764'288'000 + seconds)); }

inline std::shared_ptr<const diagnosis::DropSite> SiteAt(std::uint64_t handle, std::string text = "drop") {
  diagnosis::DropSite site;
  site.rule.table = "filter";
  site.rule.chain = "OUTPUT";
  site.rule.handle = handle;
  site.rule_text = std::move(text);
  return std::make_shared<const diagnosis::DropSite>(std::move(site));
}

/// A stuck socket: its peer's port is its cookie.
inline diagnosis::StuckSocket Stuck(std::uint16_t cookie, std::optional<diagnosis::Cause> cause,
                                    std::shared_ptr<const diagnosis::DropSite> site = nullptr,
                                    std::uint32_t tries = 2) {
  diagnosis::StuckSocket one;
  one.socket.cookie = cookie;
  one.socket.state = kernel::TcpState::kFinWait1;
  one.socket.local = *Endpoint::Parse("192.0.2.1:40000");
  one.socket.peer = *Endpoint::Parse("192.0.2.2:" + std::to_string(cookie));
  one.socket.orphan = true;
  one.socket.tries = tries;
  one.cause = cause;
  one.age = std::chrono::seconds(3);
  one.site = std::move(site);
  return one;
}

inline diagnosis::Diagnosis DiagnosisAt(std::int64_t seconds, std::vector<diagnosis::StuckSocket> stuck) {
  diagnosis::Diagnosis diagnosis;
  diagnosis.at = At(seconds);
  diagnosis.snapshot = std::make_shared<const scheduling::Snapshot>();
  diagnosis.stuck.emplace();
  diagnosis.stuck->sockets = std::move(stuck);
  return diagnosis;
}

/// A reset that the witness saw dropped, of a connection to that port.
inline std::shared_ptr<const diagnosis::DroppedPacket> ResetOf(
    std::uint16_t port, std::int64_t seconds, std::shared_ptr<const diagnosis::DropSite> site = nullptr,
    bool connected = true, witness::ReasonClass reason = witness::ReasonClass::kNetfilter) {
  diagnosis::DroppedPacket packet;
  packet.drop.packet = witness::ClosingPacket::kRst;
  packet.drop.connected = connected;
  packet.drop.reason_class = reason;
  packet.at = At(seconds);
  packet.local = *Endpoint::Parse("192.0.2.1:40000");
  packet.peer = *Endpoint::Parse("192.0.2.2:" + std::to_string(port));
  packet.site = std::move(site);
  return std::make_shared<const diagnosis::DroppedPacket>(std::move(packet));
}

inline Record RecordOf(std::uint64_t id, std::int64_t first, std::int64_t last,
                       std::shared_ptr<const diagnosis::DropSite> site = nullptr) {
  Record record;
  record.id = id;
  record.first = At(first);
  record.last = At(last);
  record.outcome = Outcome::kGaveUp;
  record.cause = diagnosis::Cause::kLocalDrop;
  record.local = *Endpoint::Parse("192.0.2.1:40000");
  record.peer = *Endpoint::Parse("[2001:db8::1]:443");
  record.state = kernel::TcpState::kLastAck;
  record.orphan = true;
  record.tries = 8;
  record.site = std::move(site);
  return record;
}

}  // namespace finwait::incidents
