#include "collectors/witness/walk_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <type_traits>

namespace finwait::witness {
namespace {

// A word: what it is in the highest byte. A timeout's position, then; or the question's end, with for how long somebody
// waits, in milliseconds, and its number.
constexpr std::uint64_t kQuestion = FINWAIT_LIVE_STATES;
constexpr unsigned kKindShift = 56;
constexpr unsigned kPatienceShift = 32;
constexpr std::uint64_t kMostPatience = 0xffffff;

// 0 is the number of no question: with it comes why there is no walk.
struct WalkRecord {
  std::uint32_t number = 0;
  std::uint32_t kind = 0;    // WalkResult::Kind
  std::uint32_t reason = 0;  // FailureReason, of a refusal
  std::uint32_t unused = 0;
  std::int64_t cpu = 0;  // nanoseconds
  finwait_table table = {};
  std::array<char, 400> why = {};

  void SetWhy(std::string_view text) { std::copy_n(text.begin(), std::min(text.size(), why.size() - 1), why.begin()); }
  std::string Why() const { return {why.begin(), std::find(why.begin(), why.end(), '\0')}; }
  // Who tells it may be somebody else by now.
  bool IsWithinBounds() const {
    return kind <= static_cast<std::uint32_t>(WalkResult::Kind::kFailed) && reason < std::size(kFailureReasons) &&
           table.zone_count <= FINWAIT_TABLE_ZONES + 1 && cpu >= 0;
  }
};
static_assert(std::is_trivially_copyable_v<WalkRecord>);

bool IsReadable(int socket, std::optional<std::chrono::milliseconds> most) {
  pollfd wanted = {socket, POLLIN, 0};
  return ::poll(&wanted, 1, most ? static_cast<int>(most->count()) : -1) > 0;
}

}  // namespace

Result<WalkResult> WalkAsker::Walk(const LiveTimeouts& timeouts, Deadline deadline) {
  std::array<std::uint64_t, FINWAIT_LIVE_STATES + 1> words = {};
  for (std::size_t i = 0; i < timeouts.size(); ++i) {
    words[i] = std::uint64_t{i} << kKindShift | timeouts[i];
  }
  questions_ = std::max<std::uint32_t>(1, questions_ + 1);
  const auto patience =
      std::min<std::uint64_t>(kMostPatience, static_cast<std::uint64_t>(deadline.Remaining().count()));
  words.back() = kQuestion << kKindShift | patience << kPatienceShift | questions_;
  for (const std::uint64_t word : words) {
    if (::write(socket_.Get(), &word, sizeof word) != sizeof word) {
      break;  // it has ended, or hears no more: what it said before is heard below
    }
  }
  return Await(deadline);
}

Result<WalkResult> WalkAsker::Await(Deadline deadline) {
  for (;;) {
    if (!IsReadable(socket_.Get(), deadline.Remaining())) {
      return Fail(FailureReason::kTimeout, "the process that walks the conntrack table does not answer");
    }
    WalkRecord record;
    const ssize_t size = ::read(socket_.Get(), &record, sizeof record);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      continue;
    }
    if (size <= 0) {
      return Failure(why_not_.value_or(
          Error{FailureReason::kError, 0,
                "the process that walks the conntrack table has ended; it starts again with the service"}));
    }
    if (size != sizeof record || !record.IsWithinBounds()) {
      return Fail(FailureReason::kError, "what walks the conntrack table tells something that is no record of its");
    }
    if (record.number == 0) {
      why_not_ = Error{kFailureReasons[record.reason], 0, record.Why()};
    } else if (record.number == questions_) {
      return WalkResult{static_cast<WalkResult::Kind>(record.kind), record.table, record.Why(),
                        std::chrono::nanoseconds(record.cpu)};
    }
  }
}

void WalkAsker::MoveAbove(int least) {
  if (UniqueFd moved(::fcntl(socket_.Get(), F_DUPFD_CLOEXEC, least)); moved) {
    socket_ = std::move(moved);
  }
}

WalkAnswerer::Heard WalkAnswerer::Next(std::optional<std::chrono::milliseconds> most, Question& question) {
  bool asked = false;
  while (IsReadable(socket_.Get(), asked ? std::chrono::milliseconds(0) : most)) {
    std::uint64_t word = 0;
    const ssize_t size = ::read(socket_.Get(), &word, sizeof word);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      continue;
    }
    if (size != sizeof word) {
      return Heard::kEnd;
    }
    const std::uint64_t kind = word >> kKindShift;
    if (kind < FINWAIT_LIVE_STATES) {
      timeouts_[kind] = static_cast<std::uint32_t>(word);
    } else if (kind == kQuestion) {
      question = {static_cast<std::uint32_t>(word), timeouts_,
                  std::chrono::milliseconds(word >> kPatienceShift & kMostPatience)};
      asked = true;
    }
  }
  return asked ? Heard::kQuestion : Heard::kNothing;
}

void WalkAnswerer::Answer(const Question& question, const WalkResult& result) {
  WalkRecord record;
  record.number = question.number;
  record.kind = static_cast<std::uint32_t>(result.kind);
  record.cpu = result.cpu.count();
  record.table = result.table;
  record.SetWhy(result.why);
  (void)!::write(socket_.Get(), &record, sizeof record);  // nobody there: the next Next() tells
}

void WalkAnswerer::Refuse(const Error& why) {
  WalkRecord record;
  record.kind = static_cast<std::uint32_t>(WalkResult::Kind::kFailed);
  record.reason = static_cast<std::uint32_t>(why.reason);
  record.SetWhy(why.message);
  (void)!::write(socket_.Get(), &record, sizeof record);
}

Result<WalkChannel> MakeWalkChannel() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return FailErrno("make sockets to what walks the conntrack table", errno);
  }
  return WalkChannel{WalkAnswerer(UniqueFd(ends[0])), WalkAsker(UniqueFd(ends[1]))};
}

}  // namespace finwait::witness
