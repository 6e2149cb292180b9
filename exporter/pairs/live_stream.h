#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/pairs/halves.h"

/// The open sockets of a host as a text that is written and read line by line: /api/v1/pairs?of=live.
///
///     finwait_exporter pairs live 1
///     {"owners":["unit nginx.service"],"rules":[]}
///     sample 2.5 own
///     0123456789abcdef - 443 812 0 - e
///     end 1
///
/// `sample` says how many seconds ago the sockets below were read, and whether they are of the host's own namespace
/// ("own") or of others ("elsewhere"). A socket is: its digest, that beyond NAT ("-" where nothing translates it), the
/// port, for how many seconds it has been silent, the positions of its owner and of the rule that would drop its peer's
/// FIN, and "c" where its peer has closed, else "e". What is not known is "-". The last line tells how many there were.
namespace finwait::pairs {

/// What the positions in LiveHalf mean.
struct LiveHeader {
  std::vector<std::string> owners;
  std::vector<ForeignRule> rules;
};

class LiveWriter {
 public:
  /// Begins the sockets that were read so many seconds ago.
  void BeginSample(float seconds, bool elsewhere);
  void Add(const LiveHalf& half);
  /// The whole text. Call last.
  std::string Finish(const LiveHeader& header) const;

 private:
  std::string lines_;
  std::size_t halves_ = 0;
};

/// Reads such a text in pieces of any size, in memory for a line.
class LiveReader {
 public:
  /// The longest line: the second, which names all owners and rules.
  static constexpr std::size_t kLongestLine = 4 << 20;
  using TakeHalf = std::function<void(const LiveHalf&)>;

  explicit LiveReader(TakeHalf take) : take_(std::move(take)) {}

  /// False once the text is none of that form; the rest is not wanted then.
  bool Read(std::string_view piece);
  /// An error where the text was malformed, or is not whole.
  Result<void> End() const;
  /// Known once a half has come.
  const LiveHeader& Header() const { return header_; }
  /// How long ago the oldest sample of the host's own sockets was taken; nothing where there was none.
  std::optional<float> OwnSampleSeconds() const { return own_sample_; }

 private:
  enum class Part { kTitle, kHeader, kHalves, kDone, kBad };
  Part ReadLine(std::string_view line);
  Part ReadHeader(std::string_view line);
  Part ReadSample(std::string_view line);
  Part ReadHalf(std::string_view line);

  TakeHalf take_;
  Part part_ = Part::kTitle;
  std::string pending_;  // a line that is not whole yet
  LiveHeader header_;
  LiveHalf sample_;  // what all halves of the sample have in common
  bool has_sample_ = false;
  std::optional<float> own_sample_;
  std::size_t halves_ = 0;
};

}  // namespace finwait::pairs
