#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/pairs/halves.h"
#include "exporter/pairs/live_stream.h"

namespace finwait::pairs {

/// A live half whose peer's host has closed its own, and could not tell.
struct AbandonedHalf {
  std::string server;  ///< the host that has it, as it was asked
  std::uint16_t port = 0;
  std::string owner;  ///< empty: cannot be told
  std::optional<std::uint32_t> silent_seconds;
  double age_seconds = 0;  ///< since the other half was closed
  std::string closed_by;   ///< the host that closed the other half
  std::optional<diagnosis::Cause> cause;
  std::string made_by;  ///< the host whose rule or NAT lost the close; empty: neither of the two hosts did, as far as
                        ///< they know
  std::optional<ForeignRule> rule;  ///< nothing: no rule is known
};

/// What a join came to.
struct Pairs {
  std::vector<AbandonedHalf> halves;  ///< the oldest first
  /// Lost halves of which several live ones may be the other, or that may be another connection's by now.
  std::uint64_t unclear = 0;
  std::uint64_t lost = 0;  ///< lost halves compared
  std::uint64_t live = 0;  ///< live halves compared
  /// Hosts that tell of more connections through their NAT than there was room for: halves behind them stay unknown.
  std::vector<std::string> without_passages;
};

/// Finds the live halves whose other half is lost: holds the lost ones of all hosts and takes the live ones as they
/// come. Hosts are compared by how long ago things were there, never by their clocks. A live half counts where a sample
/// taken after the loss shows it, and where nobody has the lost one's end by now: its port, or that of a NAT, may be
/// another connection's. Ends meet across NATs on the way whose hosts tell what passes them. First all AddLost(), then
/// Prepare(), then all AddLive(). Thread-safe, but for Prepare() and Find().
class Join {
 public:
  /// Connections through NATs that all hosts together may tell of, 32 bytes each.
  static constexpr std::size_t kMostPassages = 2'000'000;

  explicit Join(std::size_t most_passages = kMostPassages) : most_passages_(most_passages) {}
  /// Takes a host's lost halves, whose times count back from `received`. Returns the host's number.
  std::uint32_t AddLost(const std::string& host, LostDocument document, SteadyClock::time_point received);
  /// A host of which only live halves will be known.
  std::uint32_t AddHost(const std::string& host);
  void Prepare();

  /// The live halves of one host. For one thread; several hosts at once.
  class Pass {
   public:
    /// Times count back from `asked`: the answer was made later.
    Pass(Join& join, std::uint32_t host, SteadyClock::time_point asked) : join_(join), host_(host), asked_(asked) {}
    void Take(const LiveHalf& half);
    /// Once the stream was read to its end; without that nothing counts.
    void Finish(const LiveHeader& header, std::optional<float> own_sample_seconds);

   private:
    friend class Join;
    struct Hit {
      std::uint32_t lost = 0;
      std::uint32_t host = 0;
      std::uint32_t half = 0;  // its number in the stream
      std::uint16_t port = 0;
      bool has_the_lost_end = false;  // it is no other half, but one with the same end
      bool peer_has_closed = false;
      bool elsewhere = false;
      SteadyClock::time_point sampled_at;
      std::optional<std::uint32_t> silent_seconds;
      std::uint32_t owner = kNone;
      std::uint32_t rule = kNone;
    };
    Join& join_;
    std::uint32_t host_;
    SteadyClock::time_point asked_;
    std::uint32_t halves_ = 0;
    std::vector<Hit> hits_;
  };

  /// What all of it comes to at `now`.
  Pairs Find(SteadyClock::time_point now);

 private:
  using Passages = std::vector<std::pair<Digest, Digest>>;  // an end's digest on one side of a NAT, and on the other
  /// Of all passages those that a lost half's end comes to.
  Passages TakeReachedPassages();
  /// Gives the lost halves the digests that their ends have beyond NATs on the way. Uses the passages up.
  void FollowPassages();

  struct Host {
    std::string name;
    std::vector<ForeignRule> rules;
    std::vector<std::string> owners;
    std::vector<ForeignRule> live_rules;
    std::optional<SteadyClock::time_point> sampled_at;  // its own live sockets; nothing: they are not known
  };
  struct Lost {
    std::uint32_t host = 0;
    std::uint32_t rule = kNone;
    SteadyClock::time_point lost_at;     // at the latest
    SteadyClock::time_point settled_at;  // at the latest
    std::optional<diagnosis::Cause> cause;
    bool ongoing = false;
    bool elsewhere = false;
  };
  struct Key {
    Digest digest = 0;
    std::uint32_t lost = 0;
    bool is_lost_end = false;
    auto operator<=>(const Key&) const = default;
  };
  struct Choice {
    std::uint32_t lost = 0;
    const Pass::Hit* hit = nullptr;
  };

  /// Which of the hits of one lost half is its other half; null for none. Counts in `unclear`.
  const Pass::Hit* Choose(const Lost& lost, std::vector<const Pass::Hit*> hits, std::uint64_t& unclear) const;
  /// Whether `first` tells better of a live half than `second`, where both are said to be its other half.
  bool TellsBetter(const Lost& first, const Lost& second, const Pass::Hit& hit) const;
  AbandonedHalf Describe(const Lost& lost, const Pass::Hit& hit, SteadyClock::time_point now) const;

  std::mutex mutex_;
  std::deque<Host> hosts_;
  std::vector<Lost> lost_;
  std::vector<Key> keys_;  // sorted once prepared
  const std::size_t most_passages_;
  std::vector<Passages> passages_;  // of one host each
  std::size_t passages_held_ = 0;
  std::vector<std::string> without_passages_;
  std::vector<Pass::Hit> hits_;
  std::uint64_t live_ = 0;
};

}  // namespace finwait::pairs
