// What other hosts send to the command pairs, and the list of them.

#include <algorithm>

#include "exporter/pairs/live_stream.h"
#include "exporter/pairs/lost_document.h"
#include "exporter/pairs/target.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {

void RunPairsLost(std::span<const std::byte> input) {
  const auto document = pairs::ParseLostJson(TextOf(input));
  if (!document) {
    return;
  }
  for (const pairs::LostHalf& half : document->halves) {
    Require(half.rule == pairs::kNone || half.rule < document->rules.size(), "a rule is one of the list");
    Require(half.lost_seconds >= 0 && half.settled_seconds >= 0, "nothing was lost in the future");
  }
  const auto again = pairs::ParseLostJson(pairs::LostJson(*document));
  Require(again && again->halves == document->halves, "what was read is written as it was");
}

void RunPairsLive(std::span<const std::byte> input) {
  std::size_t halves = 0;
  pairs::LiveReader reader([&](const pairs::LiveHalf& half) {
    ++halves;
    Require(half.sample_seconds >= 0, "no sample is of the future");
  });
  const std::string_view text = TextOf(input);
  constexpr std::size_t kPiece = 61;  // so that lines come in parts
  for (std::size_t at = 0; at < text.size() && reader.Read(text.substr(at, kPiece)); at += kPiece) {
  }
  Require(!reader.End() || halves <= text.size() / 28, "a half is a line");
}

void RunPairsTargets(std::span<const std::byte> input) {
  const auto targets = pairs::ParseTargets(TextOf(input));
  if (!targets) {
    Require(!targets.error().message.empty() && targets.error().message.find('\n') == std::string::npos,
            "an error is one line");
    return;
  }
  for (const pairs::Target& target : *targets) {
    Require(target.port != 0 && !target.host.empty(), "a target can be asked");
    Require(std::none_of(target.path.begin(), target.path.end(), [](char c) { return c <= ' '; }),
            "a path is one word of a request");
  }
}

}  // namespace finwait::fuzz
