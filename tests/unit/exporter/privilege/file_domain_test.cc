// What a process may still open. Each test enters the domain in a child process, as there is no way back.

#include "exporter/privilege/file_domain.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

namespace finwait::privilege {
namespace {

// The exit code of a child that entered a domain of those files and then did `action`; 77 where there is no Landlock.
int InDomain(const std::vector<std::filesystem::path>& readable, const std::function<int()>& action,
             FileDomain::Scope scope = FileDomain::Scope::kAll) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto domain = FileDomain::Enter(readable, scope);
    ::_exit(domain ? action() : domain.error().reason == FailureReason::kUnsupported ? 77 : 99);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int ErrnoOfOpening(const std::filesystem::path& path, int flags = O_RDONLY) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd ? 0 : errno;
}

class FileDomainTest : public testing::Test {
 protected:
  FileDomainTest() {
    char path[] = "/tmp/finwait_files_XXXXXX";
    folder_ = ::mkdtemp(path);
    std::filesystem::create_directory(folder_ / "open");
    std::filesystem::create_directory(folder_ / "closed");
    std::ofstream(folder_ / "open/file") << "a";
    std::ofstream(folder_ / "closed/file") << "b";
  }
  ~FileDomainTest() override { std::filesystem::remove_all(folder_); }
  void SetUp() override {
    if (InDomain({}, [] { return 0; }) == 77) {
      GTEST_SKIP() << "this kernel has no Landlock";
    }
  }
  std::filesystem::path folder_;
};

TEST_F(FileDomainTest, OpensWhatWasNamedAndNothingElse) {
  EXPECT_EQ(InDomain({folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "open/file"); }), 0);
  EXPECT_EQ(InDomain({folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "closed/file"); }), EACCES);
  EXPECT_EQ(InDomain({folder_ / "open"}, [] { return ErrnoOfOpening("/etc/passwd"); }), EACCES);
  EXPECT_EQ(InDomain({folder_ / "open/file"}, [this] { return ErrnoOfOpening(folder_ / "open/file"); }), 0);
}

TEST_F(FileDomainTest, WritesNothing) {
  EXPECT_EQ(InDomain({folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "open/file", O_WRONLY); }), EACCES);
  EXPECT_EQ(InDomain({folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "open/new", O_WRONLY | O_CREAT); }),
            EACCES);
  EXPECT_EQ(InDomain({folder_ / "open"}, [this] { return ::unlink((folder_ / "open/file").c_str()) == 0 ? 0 : errno; }),
            EACCES);
}

TEST_F(FileDomainTest, OfReadingAloneRefusesNothingElse) {
  constexpr auto kReading = FileDomain::Scope::kReading;
  EXPECT_EQ(InDomain(
                {folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "open/file"); }, kReading),
            0);
  EXPECT_EQ(InDomain(
                {folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "closed/file"); }, kReading),
            EACCES);
  EXPECT_EQ(
      InDomain(
          {folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "closed/new", O_WRONLY | O_CREAT); }, kReading),
      0);
}

TEST_F(FileDomainTest, OfAClientConnectsAndElseIsAsConfined) {
  constexpr auto kClient = FileDomain::Scope::kClient;
  const auto connect = [] {
    sockaddr_in nobody = {};
    nobody.sin_family = AF_INET;
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);  // port 0, where nobody can listen
    const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(tcp.Get(), reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0 ? 0 : errno;
  };
  EXPECT_NE(InDomain({}, connect, kClient), EACCES);
  EXPECT_EQ(InDomain(
                {folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "closed/file"); }, kClient),
            EACCES);
  EXPECT_EQ(
      InDomain(
          {folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "open/new", O_WRONLY | O_CREAT); }, kClient),
      EACCES);
}

TEST_F(FileDomainTest, AFileThatComesLaterIsFoundInItsFolder) {
  EXPECT_EQ(InDomain({folder_ / "open"},
                     [this] {
                       // By another process, as a Secret that is renewed.
                       return ErrnoOfOpening(folder_ / "open/none");
                     }),
            ENOENT);
}

TEST_F(FileDomainTest, WhatIsNotThereIsLeftOut) {
  EXPECT_EQ(InDomain({folder_ / "nowhere", folder_ / "open"}, [this] { return ErrnoOfOpening(folder_ / "open/file"); }),
            0);
}

TEST_F(FileDomainTest, ItsOwnProcfsFolderIsFoundAgain) {
  EXPECT_EQ(InDomain({"/proc/self"}, [] { return ErrnoOfOpening("/proc/self/stat"); }), 0);
  EXPECT_EQ(InDomain({"/proc/self"}, [] { return ErrnoOfOpening("/proc/1/stat"); }), EACCES);
}

TEST_F(FileDomainTest, SignalsNobodyOutsideWhereTheKernelCanSaySo) {
  const pid_t parent = ::getpid();
  const int result = InDomain({}, [parent] { return ::kill(parent, 0) == 0 ? 0 : errno; });
  EXPECT_TRUE(result == EPERM || result == 0) << result;  // Landlock ABI 6
}

}  // namespace
}  // namespace finwait::privilege
