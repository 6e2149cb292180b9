#include "tests/bench/contest.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace finwait::bench {
namespace {

double Seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double Now(clockid_t clock) {
  timespec time = {};
  ::clock_gettime(clock, &time);
  return Seconds(time);
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) {
    return {};
  }
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.25), at(0.5), at(0.75)};
}

double CpuOfThread(const std::function<void()>& work) {
  const double start = Now(CLOCK_THREAD_CPUTIME_ID);
  work();
  return Now(CLOCK_THREAD_CPUTIME_ID) - start;
}

double CpuOfProgram(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(null, 1);
    ::dup2(null, 2);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage = {};
  if (child < 0 || ::wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(arguments.front() + " failed with status " + std::to_string(status));
  }
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

double CpuSoFar(int process) {
  clockid_t clock = 0;
  if (const int error = ::clock_getcpuclockid(process, &clock); error != 0) {
    throw std::runtime_error(std::string("the CPU clock of another process: ") + std::strerror(error));
  }
  return Now(clock);
}

void Contest::Add(std::string name, std::string reference, std::function<double()> measure) {
  if (!reference.empty()) {
    (void)Find(reference);
  }
  competitors_.push_back({std::move(name), std::move(reference), std::move(measure), {}});
}

void Contest::Run(int rounds) {
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t step = 0; step < competitors_.size(); ++step) {
      // There and back, so that nobody always follows the same neighbour.
      Competitor& competitor = competitors_[round % 2 == 0 ? step : competitors_.size() - 1 - step];
      const double seconds = competitor.measure();
      if (round >= 0) {
        competitor.seconds.push_back(seconds);
      }
    }
  }
}

const Contest::Competitor& Contest::Find(std::string_view name) const {
  for (const Competitor& competitor : competitors_) {
    if (competitor.name == name) {
      return competitor;
    }
  }
  throw std::logic_error("no competitor " + std::string(name));
}

Spread Contest::Milliseconds(std::string_view name) const {
  std::vector<double> values = Find(name).seconds;
  for (double& value : values) {
    value *= 1e3;
  }
  return SpreadOf(values);
}

Spread Contest::RatioOf(std::string_view name, std::string_view reference) const {
  std::vector<double> ratios = Find(name).seconds;
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    ratios[i] /= Find(reference).seconds[i];
  }
  return SpreadOf(ratios);
}

void Contest::Print() const {
  const std::size_t rounds = competitors_.empty() ? 0 : competitors_.front().seconds.size();
  std::printf("\n%s; %zu rounds, medians (quartiles)\n\n", title_.c_str(), rounds);
  std::printf("| what | CPU, ms | us each | ratio | to |\n|---|---|---|---|---|\n");
  for (const Competitor& competitor : competitors_) {
    const Spread ms = Milliseconds(competitor.name);
    std::printf("| %s | %.3g (%.3g-%.3g) | %.3g |", competitor.name.c_str(), ms.median, ms.low, ms.high,
                1e3 * ms.median / items_);
    if (competitor.reference.empty()) {
      std::printf(" 1 | |\n");
    } else {
      const Spread ratio = RatioOf(competitor.name, competitor.reference);
      std::printf(" %.3g (%.3g-%.3g) | %s |\n", ratio.median, ratio.low, ratio.high, competitor.reference.c_str());
    }
  }
  std::fflush(stdout);
}

}  // namespace finwait::bench
