#include "exporter/re_execution.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "exporter/privilege/capabilities.h"

namespace finwait::exporter {
namespace {

// "DESCRIPTOR PROCESS" of the reader; "none" where there is none.
constexpr const char* kVariable = "FINWAIT_STARTED_ANEW";

struct Before {
  int channel = -1;
  pid_t reader = -1;
};

std::optional<Before> ReaderBefore() {
  const char* const value = std::getenv(kVariable);
  Before before;
  std::istringstream words(value == nullptr ? "" : value);
  if (!(words >> before.channel >> before.reader) || before.channel <= STDERR_FILENO) {
    return std::nullopt;
  }
  return before;
}

}  // namespace

bool MustReExecute() {
  return std::getenv(kVariable) == nullptr && privilege::EffectiveCapabilities() != "none" &&
         !privilege::MayReduceCapabilities();
}

Error ReExecute(const Reader* reader) {
  if (auto given_up = privilege::GiveUpAmbientCapabilities(); !given_up) {
    return given_up.error();
  }
  std::string value = "none";
  if (reader != nullptr) {
    const int channel = reader->connection.Descriptor();
    if (::fcntl(channel, F_SETFD, 0) != 0) {
      return ErrnoError("keep the channel to the reader", errno);
    }
    value = std::to_string(channel) + " " + std::to_string(reader->process);
  }
  return ReExecuteProgram(kVariable, value);
}

Error ReExecuteProgram(const char* variable, const std::string& value) {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string line((std::istreambuf_iterator<char>(file)), {});
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < line.size(); at = line.find('\0', at) + 1) {
    arguments.push_back(line.data() + at);
  }
  arguments.push_back(nullptr);
  if (::setenv(variable, value.c_str(), 1) == 0) {
    ::execv("/proc/self/exe", arguments.data());
  }
  return ErrnoError("start this program again", errno);
}

std::optional<int> ChannelFromBefore() {
  const auto before = ReaderBefore();
  return before ? std::optional(before->channel) : std::nullopt;
}

std::optional<Reader> TakeReader() {
  const auto before = ReaderBefore();
  if (!before) {
    return std::nullopt;
  }
  return Reader{channel::Connection::Inherited(before->channel), before->reader};
}

}  // namespace finwait::exporter
