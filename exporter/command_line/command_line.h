#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "exporter/command_line/option_values.h"
#include "exporter/command_line/options.h"

namespace finwait::command_line {

/// The flags, arguments and subcommands as CLI11 knows them. Every value stays text for CLI11, so that what is said
/// about a wrong one is ours (option_values.h).
class CommandLine {
 public:
  explicit CommandLine(std::span<const CollectorSwitch> collectors);

  /// To be called once.
  tl::expected<Options, UsageError> Parse(std::span<const char* const> arguments);

 private:
  using Texts = std::vector<std::string>;

  void DescribeServing(std::span<const CollectorSwitch> collectors);
  void DescribeSubcommands();
  void AddText(CLI::App& app, const std::string& name, const std::string& placeholder, const std::string& description);
  CLI::Option* AddSwitch(const std::string& name, bool& value, const std::string& description);

  /// Lets CLI11 sort the arguments; true when they ask for help.
  bool Sort(std::span<const char* const> arguments);
  /// What was asked for, as far as Sort came.
  Command Asked() const;
  Options Read();
  void ReadPathTimeouts(Options& options);
  void ReadEnds(Options& options);
  void ReadTargets(Options& options);
  void ReadNetns(Options& options);
  void ReadPlan(Options& options);
  void RefuseLeftovers();

  /// Keeps the first complaint.
  void Complain(std::string sentence);
  /// The text given for a flag that may be given once.
  std::optional<std::string> Single(const std::string& flag);
  template <typename T>
  void TakeOptional(const std::string& flag, std::optional<T>& target,
                    option_values::Value<T> (*read)(const std::string& flag, const std::string& text));
  template <typename T>
  void Take(const std::string& flag, T& target,
            option_values::Value<T> (*read)(const std::string& flag, const std::string& text));

  CLI::App app_;
  CLI::App* check_ = nullptr;
  CLI::App* explain_ = nullptr;
  CLI::App* pairs_ = nullptr;
  CLI::App* plan_ = nullptr;
  std::map<std::string, Texts> texts_;  ///< what was given, by flag
  std::set<std::string> switches_;      ///< the flags without a value
  Texts ends_;
  Texts hosts_;
  bool version_ = false;
  bool explain_all_ = false;
  bool list_devices_ = false;
  bool disable_exporter_metrics_ = false;
  bool report_details_ = false;
  bool systemd_socket_ = false;
  bool filter_calls_ = true;
  bool table_walk_ = false;
  std::vector<std::pair<std::string, bool>> collectors_;
  std::optional<std::string> complaint_;
};

}  // namespace finwait::command_line
