#include "tests/recording/case.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/lab/paths.h"

namespace finwait::recording {
namespace {

std::filesystem::path Root() { return lab::SourceFolder() / "tests/cases"; }

}  // namespace

std::string Case::LoadScript() const {
  return "cd '" + folder_.string() + "'; . '" + (Root() / "prelude.sh").string() + "'; . ./load.sh";
}

std::optional<std::string> Case::Read(const std::string& file) const {
  std::ifstream stream(folder_ / file, std::ios::binary);
  if (!stream) {
    return std::nullopt;
  }
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

std::string Case::Require(const std::string& file) const {
  auto text = Read(file);
  if (!text) {
    throw std::runtime_error("no " + (folder_ / file).string() +
                             ": record it by running the kernel tests with FINWAIT_RECORD=1");
  }
  return *std::move(text);
}

void Case::Write(const std::string& file, const std::string& text) const {
  std::filesystem::create_directories((folder_ / file).parent_path());
  std::ofstream stream(folder_ / file, std::ios::binary | std::ios::trunc);
  stream << text << std::flush;
  if (!stream) {
    throw std::runtime_error("write " + (folder_ / file).string());
  }
}

std::vector<Case> CasesOf(const std::string& group) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(Root() / group)) {
    if (entry.is_directory()) {
      folders.push_back(entry.path());
    }
  }
  if (folders.empty()) {
    throw std::runtime_error("no case in " + (Root() / group).string());
  }
  std::sort(folders.begin(), folders.end());
  return {folders.begin(), folders.end()};
}

Case FindCase(const std::string& group, const std::string& name) { return Case(Root() / group / name); }

std::string RecordedTools() {
  const auto text = Case(Root()).Read("tools.txt");
  return text.value_or("");
}

bool IsRecording() {
  const char* value = std::getenv("FINWAIT_RECORD");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace finwait::recording
