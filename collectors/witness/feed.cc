#include "collectors/witness/feed.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace finwait::witness {
namespace {

enum class Kind : std::uint32_t { kStart = 1, kEvent, kCounts };

struct NamedEvent {
  finwait_event event;
  std::array<char, 64> reason;
};

struct Record {
  Kind kind = Kind::kStart;
  std::uint32_t reason = 0;  // of Start
  std::uint64_t lost = 0;
  union {
    std::array<char, Start::kLongest> text = {};
    NamedEvent event;
    finwait_counts counts;
  };
};
static_assert(std::is_trivially_copyable_v<Record> && sizeof(Record) <= PIPE_BUF, "a record is written whole or not");

// Of a pipe, where that may be had: 2,500 records.
constexpr int kRoom = 1 << 20;
// Read in one go: what comes faster than it is read must not keep a collection from its end.
constexpr std::size_t kMostAtOnce = 4096;

template <std::size_t N>
void CopyText(std::string_view text, std::array<char, N>& to) {
  std::copy_n(text.begin(), std::min(text.size(), N - 1), to.begin());
}
template <std::size_t N>
std::string TextOf(const std::array<char, N>& from) {
  return {from.begin(), std::find(from.begin(), from.end(), '\0')};
}

bool Write(int pipe, const Record& record) { return ::write(pipe, &record, sizeof record) == sizeof record; }

// Numbers that this process uses as positions are held to their bounds: the other one may be somebody else by now.
bool IsSound(const finwait_event& event) {
  return event.packet < FINWAIT_PACKETS && event.place < FINWAIT_PLACES && event.reason_class >= 1 &&
         event.reason_class <= FINWAIT_CLASSES && event.tracked <= 2 && event.ipv6 <= 1;
}

}  // namespace

void FeedWriter::Put(const Start& start) {
  Record record;
  record.reason = static_cast<std::uint32_t>(start.reason);
  CopyText(start.why_not, record.text);
  Write(pipe_.Get(), record);
}

void FeedWriter::Put(const TextedEvent& event) {
  Record record;
  record.kind = Kind::kEvent;
  record.lost = lost_;
  record.event.event = event.event;
  CopyText(event.reason, record.event.reason);
  if (!Write(pipe_.Get(), record)) {
    ++lost_;
  }
}

bool FeedWriter::Put(const finwait_counts& counts) {
  Record record;
  record.kind = Kind::kCounts;
  record.lost = lost_;
  record.counts = counts;
  return Write(pipe_.Get(), record);
}

Result<FeedReader::News> FeedReader::Read() {
  News news;
  for (std::size_t i = 0; i < kMostAtOnce; ++i) {
    Record record;
    const ssize_t size = ::read(pipe_.Get(), &record, sizeof record);
    if (size == 0) {
      news.ended = true;
      break;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      break;
    }
    if (size < 0) {
      return FailErrno("read what the witness tells", errno);
    }
    const bool sound = size == sizeof record && (record.kind != Kind::kEvent || IsSound(record.event.event)) &&
                       record.reason < std::size(kFailureReasons);
    if (!sound) {
      return Fail(FailureReason::kError, "the witness tells something that is no record of its");
    }
    switch (record.kind) {
      case Kind::kStart:
        news.start = Start{kFailureReasons[record.reason], TextOf(record.text)};
        break;
      case Kind::kEvent:
        lost_ = record.lost;
        news.events.push_back({record.event.event, TextOf(record.event.reason)});
        break;
      case Kind::kCounts:
        lost_ = record.lost;
        news.counts = record.counts;
        news.counted = news.events.size();
        break;
      default:
        return Fail(FailureReason::kError, "the witness tells something that is no record of its");
    }
  }
  news.lost = lost_;
  return news;
}

void FeedReader::MoveTo(int number) {
  if (::dup3(pipe_.Get(), number, O_CLOEXEC) == number) {
    pipe_ = UniqueFd(number);
  }
}

void FeedReader::Wait(Deadline deadline) const {
  pollfd wanted = {pipe_.Get(), POLLIN, 0};
  ::poll(&wanted, 1, static_cast<int>(deadline.Remaining().count()));
}

Result<Feed> MakeFeed() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return FailErrno("make a pipe to the witness", errno);
  }
  ::fcntl(ends[1], F_SETPIPE_SZ, kRoom);  // refused: then it has as much room as any
  return Feed{FeedWriter(UniqueFd(ends[1])), FeedReader(UniqueFd(ends[0]))};
}

}  // namespace finwait::witness
