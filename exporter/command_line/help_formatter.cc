#include "exporter/command_line/help_formatter.h"

#include <sstream>

namespace finwait::command_line {

namespace {

constexpr std::size_t kDescriptionColumn = 36;

/// "  NAME    description", the description wrapped in its column and on a line of its own where the name is too long.
std::string Entry(const std::string& name, const std::string& description) {
  const std::string margin(kDescriptionColumn, ' ');
  std::string out = "  " + name;
  std::size_t column = out.size();
  if (column + 2 > kDescriptionColumn) {
    out += '\n';
    column = 0;
  }
  out.append(kDescriptionColumn - column, ' ');
  column = kDescriptionColumn;
  std::istringstream words(description);
  for (std::string word; words >> word;) {
    if (column > kDescriptionColumn && column + 1 + word.size() > HelpFormatter::kWidth) {
      out += "\n" + margin;
      column = kDescriptionColumn;
    }
    if (column > kDescriptionColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
  help = CLI::detail::find_and_replace(std::move(help), "\n\n\n", "\n\n");
  return CLI::detail::rtrim(help) + "\n";
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = "\nUsage: " + name + " [FLAGS]";
  for (const CLI::Option* positional : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    usage += " " + positional->get_option_text();
  }
  std::string commands;
  for (const CLI::App* subcommand : app->get_subcommands({})) {
    commands += (commands.empty() ? "" : " | ") + subcommand->get_name();
  }
  return usage + (commands.empty() ? "" : " [" + commands + "]") + "\n";
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  const std::string& text = option->get_option_text();
  return Entry(text.empty() ? option->get_name(is_positional, !is_positional) : text, option->get_description());
}

std::string HelpFormatter::make_subcommand(const CLI::App* subcommand) const {
  return Entry(subcommand->get_display_name(), subcommand->get_description());
}

}  // namespace finwait::command_line
