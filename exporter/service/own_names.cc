#include "exporter/service/own_names.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "collectors/base/text.h"

namespace finwait::service {
namespace {

std::string TextOf(const std::filesystem::path& path) {
  constexpr std::size_t kMost = 64 * 1024;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMost, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// The words of each line up to a comment.
std::vector<std::vector<std::string>> WordsOfLines(const std::string& text) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) {
    std::istringstream words(line.substr(0, line.find_first_of("#;")));
    lines.emplace_back();
    for (std::string word; words >> word;) {
      lines.back().push_back(word);
    }
  }
  return lines;
}

}  // namespace

NameSources ReadNameSources(const std::filesystem::path& etc) {
  utsname system = {};
  if (::uname(&system) != 0) {
    return {};
  }
  return {system.nodename, TextOf(etc / "hosts"), TextOf(etc / "resolv.conf")};
}

std::vector<std::string> OwnNames(const NameSources& sources) {
  const std::string node = UpperCase(WithoutLastDot(sources.node_name));
  if (node.empty()) {
    return {};
  }
  const std::string node_short = node.substr(0, node.find('.'));
  std::vector<std::string> names;  // in upper case
  const auto add = [&names](const std::string& name) {
    if (!name.empty() && std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
    }
  };
  add(node);
  add(node_short);
  for (std::vector<std::string>& line : WordsOfLines(sources.hosts)) {
    for (std::string& name : line) {
      name = UpperCase(WithoutLastDot(name));
    }
    if (line.size() > 1 && std::any_of(line.begin() + 1, line.end(),
                                       [&](const std::string& name) { return name == node || name == node_short; })) {
      std::for_each(line.begin() + 1, line.end(), add);
    }
  }
  for (const std::vector<std::string>& line : WordsOfLines(sources.resolv_conf)) {
    if (!line.empty() && (line[0] == "search" || line[0] == "domain")) {
      std::for_each(line.begin() + 1, line.end(), [&](const std::string& domain) {
        if (const std::string upper = UpperCase(WithoutLastDot(domain)); !upper.empty()) {
          add(node_short + "." + upper);
        }
      });
    }
  }
  return names;
}

}  // namespace finwait::service
