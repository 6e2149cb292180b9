#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "exporter/privilege/refused_calls.h"
#include "exporter/views/metrics/boot_time.h"
#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

void AppendProcessMetric(std::string name, std::string help, prometheus::MetricType type, double value,
                         Families& families) {
  prometheus::MetricFamily family{std::move(name), std::move(help), type, {}};
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  families.push_back(std::move(family));
}

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

}  // namespace

void AppendProcess(Families& families) {
  using prometheus::MetricType;
  // proc(5): 14 utime, 15 stime, 20 num_threads, 22 starttime, 23 vsize, 24 rss.
  const std::vector<std::string> fields = StatFields();
  if (fields.size() >= 22) {
    const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto field = [&fields](std::size_t number) { return std::stod(fields[number - 3]); };
    AppendProcessMetric("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                        MetricType::Counter, (field(14) + field(15)) / ticks, families);
    AppendProcessMetric("process_resident_memory_bytes", "Resident memory size in bytes.", MetricType::Gauge,
                        field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)), families);
    AppendProcessMetric("process_virtual_memory_bytes", "Virtual memory size in bytes.", MetricType::Gauge, field(23),
                        families);
    AppendProcessMetric("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
                        MetricType::Gauge, BootTime().value_or(0) + field(22) / ticks, families);
    AppendProcessMetric("process_threads", "Number of threads of the process.", MetricType::Gauge, field(20), families);
  }
  std::error_code error;
  double open = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++open;
  }
  rlimit limit = {};
  if (!error && ::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    // The listing itself held one descriptor.
    AppendProcessMetric("process_open_fds", "Number of open file descriptors.", MetricType::Gauge, open - 1, families);
    AppendProcessMetric("process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge,
                        static_cast<double>(limit.rlim_cur), families);
  }
}

void AppendBuildInfo(Families& families) {
  Family::Gauge("exporter_build_info", "Always 1; what this program was built from and with.")
      .Add({{"version", FINWAIT_VERSION}, {"compiler", "g++ " __VERSION__}}, 1)
      .AppendTo(families);
}

void AppendRefusedCalls(Families& families) {
  Family::Counter("exporter_refused_system_calls_total",
                  "System calls of this program's that its own seccomp filter refused; any is a bug or an intruder.")
      .Add({}, static_cast<double>(privilege::RefusedCallTotal()))
      .AppendTo(families);
}

}  // namespace finwait::views::metrics
