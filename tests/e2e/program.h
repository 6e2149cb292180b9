#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "tests/lab/namespace.h"

namespace finwait::e2e {

/// Whether this was built with a sanitizer, whose own memory says nothing about the program's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// The built program, serving inside a namespace. Ended by SIGTERM, at the latest when this object goes.
class Program {
 public:
  /// Starts it with lab::kOwnNamespaceOnly unless `flags` say otherwise, and `flags`, and waits until it is ready;
  /// throws with its log when it is not within 10 s.
  explicit Program(const lab::Namespace& where, const std::vector<std::string>& flags = {});
  /// The same, by a command of its own that ends up being the program: setpriv and its flags, the program, its flags.
  struct Whole {};
  Program(const lab::Namespace& where, const std::vector<std::string>& command, Whole);
  /// A test fails here when the program's sandbox refused it a system call: the whole suite runs under it.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  struct Response {
    int status = 0;
    std::string body;
    std::multimap<std::string, std::string> headers;
    std::string Header(const std::string& name) const;
  };
  /// GETs a path of the program's; status 0 when nothing answers.
  Response Get(const std::string& path, const std::map<std::string, std::string>& headers = {}) const;

  /// One scrape, by series: `finwait_tcp_orphans{state="fin_wait_1"}` to its value.
  std::map<std::string, double> Scrape() const;

  /// Sends SIGTERM and waits; the exit code, or 128 + the signal that ended it. Throws when it is still there after 10
  /// s.
  int Terminate();
  /// Waits for an end that it comes to by itself; the exit code as Terminate() has it.
  int AwaitEnd(int seconds);
  /// The process that serves HTTP, which is the first one.
  pid_t Pid() const { return pid_; }
  /// The process that reads the kernel; throws where there is none.
  pid_t ReaderPid() const;
  /// What it has logged.
  std::string Log() const;

 private:
  const lab::Namespace& where_;
  std::string log_path_;
  pid_t pid_ = -1;
};

/// The only child of a process; throws where it has none.
pid_t ChildOf(pid_t process);

/// What the program logs when its sandbox refuses it a system call.
inline constexpr const char* kRefusedCall = "refused a system call";

/// The series of `body`, a text exposition.
std::map<std::string, double> ParseSeries(const std::string& body);

}  // namespace finwait::e2e
