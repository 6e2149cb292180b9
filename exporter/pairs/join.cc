#include "exporter/pairs/join.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace finwait::pairs {
namespace {

// Ages are rounded, and a sample takes a moment.
constexpr std::chrono::milliseconds kSlack(500);

// On the way between two hosts, and what else a host may claim of one end.
constexpr std::size_t kMostNats = 8;

SteadyClock::time_point Before(SteadyClock::time_point at, float seconds) {
  return at - std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<float>(seconds));
}

}  // namespace

std::uint32_t Join::AddHost(const std::string& host) {
  const std::lock_guard lock(mutex_);
  hosts_.push_back({host, {}, {}, {}, {}});
  return static_cast<std::uint32_t>(hosts_.size() - 1);
}

std::uint32_t Join::AddLost(const std::string& host, LostDocument document, SteadyClock::time_point received) {
  const std::lock_guard lock(mutex_);
  const auto number = static_cast<std::uint32_t>(hosts_.size());
  hosts_.push_back({host, std::move(document.rules), {}, {}, {}});
  for (const LostHalf& half : document.halves) {
    const auto position = static_cast<std::uint32_t>(lost_.size());
    lost_.push_back({number, half.rule, Before(received, half.lost_seconds), Before(received, half.settled_seconds),
                     half.cause, half.ongoing, half.elsewhere});
    for (std::size_t i = 0; i < half.ends.size(); ++i) {
      if (i > 0 && half.ends[i] == half.ends[0]) {
        continue;
      }
      keys_.push_back({half.ends[i].there, position, false});
      keys_.push_back({half.ends[i].here, position, true});
    }
  }
  if (passages_held_ + document.passages.size() > most_passages_) {
    without_passages_.push_back(host);
    return number;
  }
  passages_held_ += document.passages.size();
  Passages& passages = passages_.emplace_back();
  passages.reserve(2 * document.passages.size());
  for (const auto& [opener_side, answerer_side] : document.passages) {
    passages.emplace_back(opener_side.here, answerer_side.here);
    passages.emplace_back(opener_side.there, answerer_side.there);
  }
  return number;
}

// Of a fleet's gateways nearly all is about connections that nobody has lost. Each round comes one NAT further.
Join::Passages Join::TakeReachedPassages() {
  std::vector<Digest> reached;
  for (const Key& key : keys_) {
    reached.push_back(key.digest);
  }
  const auto sort = [](std::vector<Digest>& digests) {
    std::ranges::sort(digests);
    digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
  };
  sort(reached);
  const auto is_reached = [&](Digest end) { return std::ranges::binary_search(reached, end); };
  const std::size_t most = (kMostNats + 1) * keys_.size();  // no end leads further than that
  for (std::size_t round = 0; round < kMostNats; ++round) {
    std::vector<Digest> further;
    for (const Passages& of_host : passages_) {
      for (const auto& [one, other] : of_host) {
        const bool has_one = is_reached(one);
        if (has_one != is_reached(other)) {
          further.push_back(has_one ? other : one);
        }
      }
    }
    if (further.empty() || reached.size() >= most) {
      break;
    }
    reached.insert(reached.end(), further.begin(), further.end());
    sort(reached);
  }
  Passages kept;
  for (Passages& of_host : passages_) {
    std::ranges::copy_if(of_host, std::back_inserter(kept),
                         [&](const auto& one) { return is_reached(one.first) || is_reached(one.second); });
    of_host = {};
  }
  passages_.clear();
  return kept;
}

void Join::FollowPassages() {
  Passages passages = TakeReachedPassages();
  const std::size_t one_way = passages.size();
  passages.reserve(2 * one_way);
  for (std::size_t i = 0; i < one_way; ++i) {
    passages.emplace_back(passages[i].second, passages[i].first);
  }
  std::ranges::sort(passages);
  passages.erase(std::unique(passages.begin(), passages.end()), passages.end());
  const std::size_t told = keys_.size();
  for (std::size_t i = 0; i < told; ++i) {
    const Key key = keys_[i];
    std::vector<Digest> ends = {key.digest};  // NATs stand one behind the other: what one leads to, the next knows
    for (std::size_t next = 0; next < ends.size(); ++next) {
      const auto same_end = [&](const auto& passage) { return passage.first == ends[next]; };
      for (auto passage = std::ranges::lower_bound(passages, std::pair(ends[next], Digest{0}));
           passage != passages.end() && same_end(*passage) && ends.size() <= kMostNats; ++passage) {
        if (std::ranges::find(ends, passage->second) == ends.end()) {
          ends.push_back(passage->second);
          keys_.push_back({passage->second, key.lost, key.is_lost_end});
        }
      }
    }
  }
}

void Join::Prepare() {
  FollowPassages();
  std::ranges::sort(keys_);
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
}

void Join::Pass::Take(const LiveHalf& half) {
  const std::uint32_t number = halves_++;
  for (std::size_t i = 0; i < half.digests.size(); ++i) {
    if (i > 0 && half.digests[i] == half.digests[0]) {
      continue;
    }
    for (auto key = std::ranges::lower_bound(join_.keys_, half.digests[i], {}, &Key::digest);
         key != join_.keys_.end() && key->digest == half.digests[i]; ++key) {
      hits_.push_back({key->lost, host_, number, half.port, key->is_lost_end, half.peer_has_closed, half.elsewhere,
                       Before(asked_, half.sample_seconds), half.silent_seconds, half.owner, half.rule});
    }
  }
}

void Join::Pass::Finish(const LiveHeader& header, std::optional<float> own_sample_seconds) {
  const std::lock_guard lock(join_.mutex_);
  Host& host = join_.hosts_[host_];
  host.owners = header.owners;
  host.live_rules = header.rules;
  if (own_sample_seconds) {
    host.sampled_at = Before(asked_, *own_sample_seconds);
  }
  join_.live_ += halves_;
  join_.hits_.insert(join_.hits_.end(), hits_.begin(), hits_.end());
  hits_.clear();
}

const Join::Pass::Hit* Join::Choose(const Lost& lost, std::vector<const Pass::Hit*> hits,
                                    std::uint64_t& unclear) const {
  using Hit = Pass::Hit;
  // A sample from before shows the connection as it was.
  std::erase_if(hits, [&](const Hit* hit) { return hit->sampled_at <= lost.settled_at + kSlack; });
  std::vector<const Hit*> others;
  std::vector<std::uint32_t> taken;  // hosts that have the lost one's end, alive
  for (const Hit* hit : hits) {
    if (hit->has_the_lost_end) {
      taken.push_back(hit->host);
    } else if (!hit->peer_has_closed) {
      others.push_back(hit);
    }
  }
  const auto is_taken = [&](std::uint32_t host) { return std::ranges::find(taken, host) != taken.end(); };
  // Where both ends are alive on one host, they are each other's. Private addresses are the same on many hosts.
  const std::vector<const Hit*> all = others;
  std::erase_if(others, [&](const Hit* hit) { return is_taken(hit->host); });
  // Its two digests may both be hits of one half.
  const auto half_of = [](const Hit* hit) { return std::pair(hit->host, hit->half); };
  std::ranges::sort(others, {}, half_of);
  others.erase(std::unique(others.begin(), others.end(),
                           [&](const Hit* first, const Hit* second) { return half_of(first) == half_of(second); }),
               others.end());
  if (others.empty()) {
    return nullptr;
  }
  const auto only = [&](auto&& is_it) -> const Hit* {
    const auto first = std::ranges::find_if(others, is_it);
    return first != others.end() && std::none_of(std::next(first), others.end(), is_it) ? *first : nullptr;
  };
  const auto same_host = [&](const Hit* hit) { return hit->host == lost.host; };
  const auto own = [](const Hit* hit) { return !hit->elsewhere; };
  const Hit* chosen = nullptr;
  if (lost.elsewhere) {
    chosen = only(same_host);
  }
  // A half that another host observes is served by its own host as well, where that is asked.
  if (chosen == nullptr) {
    chosen = only(own);
  }
  if (chosen == nullptr && std::ranges::none_of(others, own)) {
    chosen = only(same_host);
  }
  if (chosen == nullptr && others.size() == 1) {
    chosen = others.front();
  }
  if (chosen == nullptr) {
    ++unclear;
    return nullptr;
  }
  const bool has_new_owner = std::ranges::any_of(taken, [&](std::uint32_t host) {
    return std::ranges::none_of(all, [&](const Hit* hit) { return hit->host == host; });
  });
  if (has_new_owner && chosen->host != lost.host) {
    return nullptr;  // the end is another connection's by now, and so is what looks like its other half
  }
  // While its socket tries, its port is its own. Later its host must have been seen without it.
  const std::optional<SteadyClock::time_point>& sampled_at = hosts_[lost.host].sampled_at;
  if (!lost.ongoing && (!sampled_at || *sampled_at <= lost.settled_at + kSlack)) {
    ++unclear;
    return nullptr;
  }
  return chosen;
}

bool Join::TellsBetter(const Lost& first, const Lost& second, const Pass::Hit& hit) const {
  if (first.elsewhere != second.elsewhere) {
    return !first.elsewhere;
  }
  if ((first.host == hit.host) != (second.host == hit.host)) {
    return first.host == hit.host;
  }
  return first.lost_at > second.lost_at;
}

AbandonedHalf Join::Describe(const Lost& lost, const Pass::Hit& hit, SteadyClock::time_point now) const {
  const Host& closer = hosts_[lost.host];
  const Host& server = hosts_[hit.host];
  AbandonedHalf half;
  half.server = server.name;
  half.port = hit.port;
  if (hit.owner < server.owners.size()) {
    half.owner = server.owners[hit.owner];
  }
  half.silent_seconds = hit.silent_seconds;
  half.age_seconds = std::chrono::duration<double>(now - lost.lost_at).count();
  half.closed_by = closer.name;
  half.cause = lost.cause;
  if (lost.cause && diagnosis::ProvesFailure(*lost.cause)) {
    half.made_by = closer.name;
    if (lost.rule < closer.rules.size()) {
      half.rule = closer.rules[lost.rule];
    }
  } else if (hit.rule < server.live_rules.size()) {
    half.made_by = server.name;
    half.rule = server.live_rules[hit.rule];
  }
  return half;
}

Pairs Join::Find(SteadyClock::time_point now) {
  using Hit = Pass::Hit;
  Pairs pairs;
  pairs.lost = lost_.size();
  pairs.live = live_;
  pairs.without_passages = without_passages_;
  std::ranges::sort(hits_, {}, &Hit::lost);
  std::map<std::pair<std::uint32_t, std::uint32_t>, Choice> found;  // by host and half
  for (auto begin = hits_.begin(); begin != hits_.end();) {
    const auto end = std::find_if(begin, hits_.end(), [&](const Hit& hit) { return hit.lost != begin->lost; });
    std::vector<const Hit*> hits;
    std::transform(begin, end, std::back_inserter(hits), [](const Hit& hit) { return &hit; });
    const Choice choice{begin->lost, Choose(lost_[begin->lost], hits, pairs.unclear)};
    begin = end;
    if (choice.hit == nullptr) {
      continue;
    }
    const auto [known, is_new] = found.try_emplace({choice.hit->host, choice.hit->half}, choice);
    if (!is_new && TellsBetter(lost_[choice.lost], lost_[known->second.lost], *choice.hit)) {
      known->second = choice;
    }
  }
  for (const auto& [half, choice] : found) {
    pairs.halves.push_back(Describe(lost_[choice.lost], *choice.hit, now));
  }
  std::ranges::stable_sort(pairs.halves, std::greater<>(), &AbandonedHalf::age_seconds);
  return pairs;
}

}  // namespace finwait::pairs
