// -j NFQUEUE and -j QUEUE: a program decides, and may send the packet back changed or with another mark. Which queue it
// goes to says whether anybody listens.
#include <linux/netfilter/xt_NFQUEUE.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace queue {
namespace {

// All revisions in the form of the last; the older ones end earlier.
Effect Apply(const XtTarget& target, Packet&, const HookContext&) {
  Effect effect = {.kind = Effect::Kind::kQueue};
  if (target.name == "QUEUE") {
    effect.queue.first = 0;
  } else if (const auto oldest = ReadAs<xt_NFQ_info>(target.info); oldest && target.revision == 0) {
    effect.queue.first = oldest->queuenum;
  } else if (const auto balanced = ReadAs<xt_NFQ_info_v1>(target.info); balanced) {
    effect.queue.first = balanced->queuenum;
    effect.queue.total = balanced->queues_total;
    const auto newest = ReadAs<xt_NFQ_info_v3>(target.info);  // revision 2 calls the first bit of its flags "bypass"
    effect.queue.bypass = target.revision >= 2 && newest && (newest->flags & NFQ_FLAG_BYPASS) != 0;
  }
  return effect;
}

constexpr Traits kTraits = {.changes_packet = true, .terminal = true};

constexpr Target kTargets[] = {
    {.name = "NFQUEUE", .revisions = kAnyRevision, .traits = kTraits, .apply = Apply},
    {.name = "QUEUE", .revisions = kAnyRevision, .traits = kTraits, .apply = Apply},
};

}  // namespace
}  // namespace queue

Family families::Queue() { return {.targets = queue::kTargets}; }

}  // namespace finwait::firewall::xt
