#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace finwait::bench {

/// Quartiles of repeated measurements.
struct Spread {
  double low = 0;
  double median = 0;
  double high = 0;
};
Spread SpreadOf(std::vector<double> values);

/// CPU seconds of the calling thread while `work` runs, its system calls included. A dump is made by the kernel inside
/// the reader's own calls, so this is the dump's cost too.
double CpuOfThread(const std::function<void()>& work);

/// Runs a program in the calling thread's namespaces with its standard output thrown away, and waits for it.
/// Returns the CPU seconds that it and its children took. Throws when it does not exit with 0.
double CpuOfProgram(const std::vector<std::string>& arguments);

/// CPU seconds that all threads of another process have taken so far.
double CpuSoFar(int process);

/// Competitors that do the same work, each measured once a round, in turn, so that whatever else the machine does meets
/// all of them alike. Ratios are taken within a round; across rounds, medians and quartiles.
class Contest {
 public:
  /// `items`: how many things one run looks at, for the cost of each.
  Contest(std::string title, double items) : title_(std::move(title)), items_(items) {}

  /// `measure` runs once and returns its cost in CPU seconds. `reference`: the name of the competitor that it is held
  /// against, added before; empty for none.
  void Add(std::string name, std::string reference, std::function<double()> measure);

  /// One round that is thrown away, then `rounds`.
  void Run(int rounds);

  /// A Markdown table: CPU milliseconds, microseconds an item, ratio.
  void Print() const;

  Spread Milliseconds(std::string_view name) const;
  Spread RatioOf(std::string_view name, std::string_view reference) const;

 private:
  struct Competitor {
    std::string name;
    std::string reference;
    std::function<double()> measure;
    std::vector<double> seconds;
  };
  const Competitor& Find(std::string_view name) const;

  std::string title_;
  double items_;
  std::vector<Competitor> competitors_;
};

}  // namespace finwait::bench
