#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/witness/drop.h"
#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {

/// What a cause rests on: `proven_by`.
enum class ProvenBy : std::uint8_t {
  kInference,    ///< the socket's state, the rules and what is known of its entry
  kObservation,  ///< the kernel's own word that it dropped the packet (collector `witness`)
};
constexpr std::string_view Name(ProvenBy by) { return by == ProvenBy::kInference ? "inference" : "observation"; }

/// One closing packet that the kernel dropped, and what the rules say of it.
struct DroppedPacket {
  witness::Drop drop;
  std::chrono::system_clock::time_point at;  ///< `drop.at` by the time of day
  Endpoint local;                            ///< this host's end; of a packet on its way through, its sender
  Endpoint peer;
  /// What the rules do to it, as this program evaluates them; nothing where netfilter did not drop it, or the rules
  /// cannot be read.
  std::optional<firewall::eval::Disposition> evaluated;
  std::shared_ptr<const DropSite> site;                    ///< the rule, where `evaluated` is lost at one; else null
  std::string reason;                                      ///< of an unknown evaluation: what it hangs on
  std::shared_ptr<const kernel::namespaces::Owner> owner;  ///< of its socket; null: cannot be told
};

/// What the witness saw, and what was made of it. Each list has the newest last.
struct WitnessSummary {
  static constexpr std::size_t kMostDisagreements = 10;
  static constexpr std::size_t kMostListed = 50;

  /// FINs that netfilter dropped under rules that, as they are evaluated, let them pass: since this process started.
  std::uint64_t disagreements = 0;
  std::vector<std::shared_ptr<const DroppedPacket>> newest_disagreements;
  std::vector<std::shared_ptr<const DroppedPacket>> resets;      ///< of this host's own connections
  std::vector<std::shared_ptr<const DroppedPacket>> new_resets;  ///< of these, all that no diagnosis had before
  std::vector<std::shared_ptr<const DroppedPacket>> peer_fins;   ///< FINs of peers, dropped on the way in
};

}  // namespace finwait::diagnosis
