#include "exporter/process/usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

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
      return std::stoull(line.substr(kPss.size())) * 1024;
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
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto field = [&fields](std::size_t number) { return std::stoull(fields[number - 3]); };
  Usage usage;
  usage.cpu_seconds = static_cast<double>(field(14) + field(15)) / ticks;
  usage.started_ticks = field(22);
  usage.virtual_bytes = field(23);
  usage.threads = field(20);
  usage.open_files = CountOpenFiles();
  usage.resident_bytes = field(24) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
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
