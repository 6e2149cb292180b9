#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

constexpr Target kTargets[] = {
    {"conntrack_table", "ctnetlink's dump, to its collector", RunConntrackTable, Shape::kRecording},
    {"conntrack_stats", "ctnetlink's per-CPU statistics, to their collector", RunConntrackStats, Shape::kRecording},
    {"conntrack_events", "ctnetlink's events, to the decoder of expiries", RunConntrackEvents, Shape::kRecording},
    {"sockets", "inet_diag's dumps, to the sockets collector", RunSockets, Shape::kRecording},
    {"tracking", "inet_diag's dumps and ctnetlink's answers, to the tracking collector", RunTracking,
     Shape::kRecording},
    {"routes", "rtnetlink's addresses and routes", RunRoutes, Shape::kRecording},
    {"nft_ruleset", "nftables' answers to a whole look, then texts and verdicts of what was read", RunNftRuleset,
     Shape::kRecording},
    {"nft_rule", "the expressions of one rule, then its text and verdicts", RunNftRule, Shape::kAttributes},
    {"nft_set", "a set and its elements, then a rule that looks up in it", RunNftSet, Shape::kRecording},
    {"legacy_table", "an x_tables blob, then texts and verdicts of its rules", RunLegacyTable},
    {"procfs", "files of procfs, to every reader of them", RunProcfs},
    {"http_request", "bytes of a request, whole and in pieces, then the answer", RunHttpRequest},
    {"header_values", "Accept, Accept-Encoding, listen addresses, durations", RunHeaderValues},
    {"exposition", "names, texts and numbers, to both formats and back", RunExposition},
    {"command_line", "arguments", RunCommandLine},
    {"web_config", "a web configuration file", RunWebConfig},
    {"basic_credentials", "an Authorization header", RunBasicCredentials},
    {"channel_answers", "what the reader sends the server, then diagnosis and views", RunChannelAnswers,
     Shape::kRecording},
    {"channel_question", "what the server asks the reader", RunChannelQuestion},
    {"channel_hello", "what the reader says of itself", RunChannelHello},
    {"channel_facts", "facts that the reader sends the server, then texts and verdicts of the rules in them",
     RunChannelFacts, Shape::kRecording},
    {"channel_server", "all bytes that the server receives, framing included, then the diagnosis that asks for more",
     RunChannelServer},
    {"channel_reader", "all bytes that the reader receives, framing included", RunChannelReader},
    {"pairs_lost", "what another host says of its lost halves", RunPairsLost},
    {"pairs_live", "the same of its live ones", RunPairsLive},
    {"pairs_targets", "a list of hosts to ask", RunPairsTargets},
};

}  // namespace

std::span<const Target> Targets() { return kTargets; }

const Target* FindTarget(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kTargets), std::end(kTargets),
                                         [name](const Target& target) { return target.name == name; });
  return found == std::end(kTargets) ? nullptr : found;
}

void Require(bool holds, std::string_view promise) {
  if (!holds) {
    std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
    std::abort();
  }
}

}  // namespace finwait::fuzz
