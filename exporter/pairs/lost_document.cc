#include "exporter/pairs/lost_document.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "exporter/pairs/rules_json.h"

namespace finwait::pairs {
namespace {

using Json = nlohmann::ordered_json;

// What another number says is not for this version.
constexpr int kFormat = 2;

Json DigestsJson(const LostHalf& half, Digest EndDigests::*end) {
  Json list = Json::array();
  list.push_back(DigestText(half.ends[0].*end));
  if (half.ends[1] != half.ends[0]) {
    list.push_back(DigestText(half.ends[1].*end));
  }
  return list;
}

bool ReadDigests(const Json& list, Digest EndDigests::*end, LostHalf& half) {
  if (!list.is_array() || list.empty() || list.size() > half.ends.size()) {
    return false;
  }
  for (std::size_t i = 0; i < half.ends.size(); ++i) {
    const Json& text = list[std::min(i, list.size() - 1)];
    const auto digest = text.is_string() ? ParseDigest(text.get_ref<const std::string&>()) : std::nullopt;
    if (!digest) {
      return false;
    }
    half.ends[i].*end = *digest;
  }
  return true;
}

// Of each the opener's and the answerer's end, on the opener's side and on the other, in one piece: who asks holds the
// passages of many gateways at once, and four strings each would be five times as much.
Json PassagesJson(const std::vector<Passage>& passages) {
  Json list = Json::array();
  for (const auto& [opener_side, answerer_side] : passages) {
    list.push_back(DigestText(opener_side.here) + DigestText(opener_side.there) + DigestText(answerer_side.here) +
                   DigestText(answerer_side.there));
  }
  return list;
}

// A host of another version may have none.
std::optional<std::vector<Passage>> PassagesOf(const Json& json) {
  std::vector<Passage> passages;
  if (json.is_null()) {
    return passages;
  }
  if (!json.is_array() || json.size() > kMostPassages) {
    return std::nullopt;
  }
  passages.reserve(json.size());
  for (const Json& one : json) {
    const std::string_view text = one.is_string() ? std::string_view(one.get_ref<const std::string&>()) : "";
    std::array<Digest, 4> digests = {};
    const std::size_t length = text.size() / digests.size();
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const auto digest = ParseDigest(text.substr(i * length, length));
      if (!digest || text.size() % digests.size() != 0) {
        return std::nullopt;
      }
      digests[i] = *digest;
    }
    passages.push_back({{digests[0], digests[1]}, {digests[2], digests[3]}});
  }
  return passages;
}

std::optional<float> SecondsOf(const Json& json) {
  constexpr double kMost = 1e9;
  const double value = json.is_number() ? json.get<double>() : -1;
  return value >= 0 && value <= kMost ? std::optional(static_cast<float>(value)) : std::nullopt;
}

std::optional<diagnosis::Cause> CauseOf(const Json& json) {
  const auto found = std::find_if(std::begin(diagnosis::kCauses), std::end(diagnosis::kCauses),
                                  [&](diagnosis::Cause cause) { return json == Name(cause); });
  return found != std::end(diagnosis::kCauses) ? std::optional(*found) : std::nullopt;
}

std::optional<LostHalf> HalfOf(const Json& json, std::size_t rules) {
  LostHalf half;
  const auto lost = SecondsOf(Member(json, "lost_seconds"));
  const auto settled = SecondsOf(Member(json, "settled_seconds"));
  if (!lost || !settled || !ReadDigests(Member(json, "digests"), &EndDigests::here, half) ||
      !ReadDigests(Member(json, "peer_digests"), &EndDigests::there, half)) {
    return std::nullopt;
  }
  half.lost_seconds = *lost;
  half.settled_seconds = *settled;
  half.cause = CauseOf(Member(json, "cause"));
  half.ongoing = Member(json, "ongoing") == true;
  half.elsewhere = Member(json, "elsewhere") == true;
  const Json& rule = Member(json, "rule");
  if (rule.is_number_unsigned() && rule.get<std::uint64_t>() < rules) {
    half.rule = rule.get<std::uint32_t>();
  }
  return half;
}

}  // namespace

std::string LostJson(const LostDocument& document) {
  Json halves = Json::array();
  for (const LostHalf& half : document.halves) {
    halves.push_back({{"digests", DigestsJson(half, &EndDigests::here)},
                      {"peer_digests", DigestsJson(half, &EndDigests::there)},
                      {"lost_seconds", half.lost_seconds},
                      {"settled_seconds", half.settled_seconds},
                      {"cause", half.cause ? Json(Name(*half.cause)) : Json(nullptr)},
                      {"rule", half.rule != kNone ? Json(half.rule) : Json(nullptr)},
                      {"ongoing", half.ongoing},
                      {"elsewhere", half.elsewhere}});
  }
  const Json json = {{"version", FINWAIT_VERSION},      {"format", kFormat},
                     {"key", DigestText(document.key)}, {"rules", RulesJson(document.rules)},
                     {"lost_halves", halves},           {"passages", PassagesJson(document.passages)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<LostDocument> ParseLostJson(std::string_view text) {
  const Json json = ParseForeignJson(text);
  const Json& halves = Member(json, "lost_halves");
  if (!halves.is_array() || Member(json, "format") != kFormat) {
    return Fail(FailureReason::kUnsupported, "it does not answer as this version of finwait_exporter does");
  }
  LostDocument document;
  const Json& key = Member(json, "key");
  const auto key_digest = key.is_string() ? ParseDigest(key.get_ref<const std::string&>()) : std::nullopt;
  if (!key_digest) {
    return Fail(FailureReason::kError, "its list of lost halves is malformed");
  }
  document.key = *key_digest;
  auto rules = RulesOf(Member(json, "rules"));
  if (!rules || halves.size() > kMostLost) {
    return Fail(FailureReason::kError, "its list of lost halves is malformed");
  }
  document.rules = std::move(*rules);
  auto passages = PassagesOf(Member(json, "passages"));
  if (!passages) {
    return Fail(FailureReason::kError, "its list of connections that pass its NAT is malformed");
  }
  document.passages = std::move(*passages);
  document.halves.reserve(halves.size());
  for (const Json& one : halves) {
    const auto half = HalfOf(one, document.rules.size());
    if (!half) {
      return Fail(FailureReason::kError, "its list of lost halves is malformed");
    }
    document.halves.push_back(*half);
  }
  return document;
}

}  // namespace finwait::pairs
