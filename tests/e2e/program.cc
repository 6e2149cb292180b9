#include "tests/e2e/program.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {

namespace {

std::vector<std::string> CommandOf(const std::vector<std::string>& flags) {
  std::vector<std::string> command = {lab::Program()};
  if (std::ranges::none_of(flags, [](const std::string& flag) { return flag.starts_with("--namespaces="); })) {
    command.emplace_back(lab::kOwnNamespaceOnly);
  }
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

}  // namespace

Program::Program(const lab::Namespace& where, const std::vector<std::string>& flags)
    : Program(where, CommandOf(flags), Whole()) {}

Program::Program(const lab::Namespace& where, const std::vector<std::string>& command, Whole) : where_(where) {
  char path[] = "/tmp/finwait_e2e_XXXXXX";
  const int fd = ::mkstemp(path);
  ::close(fd);
  log_path_ = path;
  pid_ = where.Spawn(command, log_path_);
  constexpr double kPatience = 30;  // seconds; many start at once on two cores
  if (!lab::Eventually([this] { return Get("/readyz").status == 200; }, kPatience)) {
    const std::string log = Log();
    Terminate();
    throw std::runtime_error("the program is not ready after 30 s: " + log);
  }
}

Program::~Program() {
  if (pid_ > 0) {
    // Its own end, not SIGKILL: only then has it logged what there was to log.
    try {
      EXPECT_EQ(Terminate(), 0);
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << error.what();
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  const std::string log = Log();
  EXPECT_EQ(log.find(kRefusedCall), std::string::npos) << log;
  ::unlink(log_path_.c_str());
}

std::string Program::Response::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Program::Response Program::Get(const std::string& path, const std::map<std::string, std::string>& headers) const {
  Response response;
  where_.Run([&] {
    httplib::Client client("127.0.0.1", 10061);
    client.set_read_timeout(5);
    client.set_decompress(false);
    httplib::Headers sent(headers.begin(), headers.end());
    if (!headers.contains("Accept-Encoding")) {
      sent.emplace("Accept-Encoding", "identity");  // newer libraries ask for gzip unless told
    }
    const auto result = client.Get(path, sent);
    if (result) {
      response.status = result->status;
      response.body = result->body;
      response.headers.insert(result->headers.begin(), result->headers.end());
    }
  });
  return response;
}

std::map<std::string, double> ParseSeries(const std::string& body) {
  std::map<std::string, double> series;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.rfind(' ');
    if (!line.starts_with('#') && space != std::string::npos) {
      series[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
  }
  return series;
}

std::map<std::string, double> Program::Scrape() const {
  const Response response = Get("/metrics");
  if (response.status != 200) {
    throw std::runtime_error("/metrics answered " + std::to_string(response.status));
  }
  return ParseSeries(response.body);
}

pid_t ChildOf(pid_t process) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) {
      continue;
    }
    std::istringstream rest(line.substr(name_end + 1));
    std::string state;
    pid_t parent = 0;
    if (rest >> state >> parent && parent == process) {
      return std::stoi(entry.path().filename());
    }
  }
  throw std::runtime_error("process " + std::to_string(process) + " has no child");
}

pid_t Program::ReaderPid() const { return ChildOf(pid_); }

int Program::Terminate() {
  ::kill(pid_, SIGTERM);
  return AwaitEnd(10);
}

int Program::AwaitEnd(int seconds) {
  int status = 0;
  if (!lab::Eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, seconds)) {
    throw std::runtime_error("the program does not end");
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Program::Log() const {
  std::ifstream file(log_path_);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

}  // namespace finwait::e2e
