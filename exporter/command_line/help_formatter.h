#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace finwait::command_line {

/// Prints CLI11's help the way Prometheus programs do, with descriptions wrapped so that no line is wider than
/// kWidth. An option's text (CLI::Option::option_text) stands in place of its names.
class HelpFormatter final : public CLI::Formatter {
 public:
  static constexpr std::size_t kWidth = 100;

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* subcommand) const override;
};

}  // namespace finwait::command_line
