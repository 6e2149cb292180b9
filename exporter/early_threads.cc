#include "exporter/early_threads.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "exporter/confinement.h"
#include "exporter/privilege/file_domain.h"
#include "exporter/privilege/library_files.h"
#include "exporter/re_execution.h"
#include "exporter/web_config/protection.h"

namespace finwait::exporter {
namespace {

// The process that has done so already: its number stays the same.
constexpr const char* kConfinedVariable = "FINWAIT_EARLY_THREADS_OF";

// 0 where there is no procfs to tell.
std::size_t CountThreads() {
  std::error_code failed;
  std::size_t threads = 0;
  for (std::filesystem::directory_iterator thread("/proc/self/task", failed), end; !failed && thread != end;
       thread.increment(failed)) {
    ++threads;
  }
  return threads;
}

bool WasReExecuted() {
  const char* const value = std::getenv(kConfinedVariable);
  return value != nullptr && value == std::to_string(::getpid());
}

// What is mapped into this process, so libraries and whatever was put before them.
void AddMappedFiles(std::vector<std::filesystem::path>& files) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (const std::size_t path = line.find('/'); path != std::string::npos) {
      if (std::string file = line.substr(path); files.empty() || files.back() != file) {
        files.emplace_back(std::move(file));
      }
    }
  }
}

// Everything that the program reads from its start on, whatever it is asked to do.
std::vector<std::filesystem::path> ReadableFromTheStart(const command_line::Options& options) {
  std::vector<std::filesystem::path> files = ReadableFiles(options);
  AddMappedFiles(files);
  for (const auto& more : {privilege::LoaderFiles(), privilege::NameLookupFiles(), privilege::TlsFiles()}) {
    files.insert(files.end(), more.begin(), more.end());
  }
  for (const char* file : {"/run/netns", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom"}) {
    files.emplace_back(file);
  }
  for (const std::filesystem::path& named :
       {options.storage_path, options.pairs_key_file, options.ca_file, options.target_file,
        std::filesystem::path(options.against), std::filesystem::path(options.netns), options.web_config_file}) {
    if (!named.empty()) {
      files.push_back(named);
      files.push_back(std::filesystem::absolute(named).parent_path());
    }
  }
  if (!options.web_config_file.empty()) {
    if (auto protection = web_config::OpenProtection(options.web_config_file, [](const Result<void>&) {})) {
      files.insert(files.end(), protection->folders.begin(), protection->folders.end());
    }
  }
  return files;
}

}  // namespace

void ConfineEarlyThreads(const command_line::Options& options) {
  if (WasReExecuted() || CountThreads() <= 1) {
    return;
  }
  const auto domain =
      privilege::FileDomain::Enter(ReadableFromTheStart(options), privilege::FileDomain::Scope::kReading);
  if (domain) {
    (void)ReExecuteProgram(kConfinedVariable, std::to_string(::getpid()));
  }
}

bool EarlyThreadsAreConfined() { return WasReExecuted() || CountThreads() == 1; }

}  // namespace finwait::exporter
