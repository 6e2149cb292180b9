#include "exporter/process/usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "collectors/base/text.h"

namespace finwait::process {
namespace {

// The fields of /proc/self/stat behind the command's name, which may itself hold spaces and parentheses; [0] is
// field 3.
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  std::istringstream rest(name_end == std::string::npos ? std::string() : line.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) {
    fields.push_back(std::move(field));
  }
  return fields;
}

std::optional<std::uint64_t> ReadMemory() {
  constexpr std::string_view kPss = "Pss:";
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kPss)) {
      const std::string_view value = Trim(std::string_view(line).substr(kPss.size()));  // "2345 kB"
      const auto kilobytes = ParseNumber<std::uint64_t>(value.substr(0, value.find(' ')));
      return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::uint64_t CountOpenFiles() {
  std::error_code error;
  std::uint64_t open = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++open;
  }
  return open > 0 ? open - 1 : 0;  // the listing itself held one
}

}  // namespace

std::optional<Usage> ReadUsage() {
  // proc(5): 14 utime, 15 stime, 20 num_threads, 22 starttime, 23 vsize, 24 rss.
  const std::vector<std::string> fields = StatFields();
  if (fields.size() < 22) {
    return std::nullopt;
  }
  const auto field = [&fields](std::size_t number) { return ParseNumber<std::uint64_t>(fields[number - 3]); };
  const auto user = field(14);
  const auto system = field(15);
  const auto threads = field(20);
  const auto started = field(22);
  const auto virtual_bytes = field(23);
  const auto pages = field(24);
  if (!user || !system || !threads || !started || !virtual_bytes || !pages) {
    return std::nullopt;
  }
  Usage usage;
  usage.cpu_seconds = static_cast<double>(*user + *system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.started_ticks = *started;
  usage.virtual_bytes = *virtual_bytes;
  usage.threads = *threads;
  usage.open_files = CountOpenFiles();
  usage.resident_bytes = *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  usage.memory_bytes = ReadMemory();
  return usage;
}

std::optional<Usage> UsageMeter::Read(SteadyClock::time_point now) {
  constexpr std::chrono::seconds kApart{5};
  if (!read_at_ || now - *read_at_ >= kApart) {
    last_ = ReadUsage();
    read_at_ = now;
  }
  return last_;
}

}  // namespace finwait::process
