#include "exporter/http/passed_sockets.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>

namespace finwait::http {
namespace {

using testing::HasSubstr;

EnvironmentLookup With(const std::map<std::string, std::string>& variables) {
  return [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

EnvironmentLookup Passing(const std::string& count) {
  return With({{"LISTEN_FDS", count}, {"LISTEN_PID", std::to_string(getpid())}});
}

/// What `action` says in a child process, whose descriptor 3 is a copy of `passed`.
std::string WithThird(int passed, const std::function<std::string()>& action) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const int out = fcntl(ends[1], F_DUPFD, 100);
    dup2(passed, 3);
    const std::string said = action();
    [[maybe_unused]] const ssize_t written = write(out, said.data(), said.size());
    _exit(0);
  }
  close(ends[1]);
  std::string said(4096, '\0');
  const ssize_t length = read(ends[0], said.data(), said.size());
  close(ends[0]);
  waitpid(pid, nullptr, 0);
  return said.substr(0, length > 0 ? static_cast<std::size_t>(length) : 0);
}

TEST(PassedSockets, AreCountedOnlyIfTheyAreMeantForThisProcess) {
  EXPECT_EQ(PassedDescriptors(Passing("2")), 2u);
  EXPECT_EQ(PassedDescriptors(With({{"LISTEN_FDS", "2"}, {"LISTEN_PID", std::to_string(::getpid() + 1)}})), 0u);
  EXPECT_EQ(PassedDescriptors(With({{"LISTEN_FDS", "2"}})), 0u);
  for (const char* count : {"", "-1", "2x", "99999999999999", "4000000000"}) {
    EXPECT_EQ(PassedDescriptors(Passing(count)), 0u) << count;
  }
}

TEST(PassedSockets, NoneIsAnErrorThatSaysWhatToDo) {
  EXPECT_THAT(TakePassedSockets(With({})).error().message, HasSubstr("no socket was passed"));
}

TEST(PassedSockets, AListeningSocketIsTakenWithItsAddress) {
  const auto listener = Listen({"127.0.0.1", 0});
  ASSERT_TRUE(listener);
  const std::string said = WithThird(listener->fd.Get(), [] {
    const auto sockets = TakePassedSockets(Passing("1"));
    if (!sockets) {
      return sockets.error().message;
    }
    const int flags = fcntl(3, F_GETFL);
    return ToString(sockets->front().address) + ((flags & O_NONBLOCK) != 0 ? " non-blocking" : " blocking");
  });
  EXPECT_EQ(said, "127.0.0.1:" + std::to_string(listener->port) + " non-blocking");
}

TEST(PassedSockets, AnythingElseIsAnErrorThatNamesIt) {
  const UniqueFd stream(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd unix_socket(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const int passed : {stream.Get(), unix_socket.Get(), 0}) {
    EXPECT_THAT(WithThird(passed,
                          [] {
                            const auto sockets = TakePassedSockets(Passing("1"));
                            return sockets ? "taken" : sockets.error().message;
                          }),
                HasSubstr("descriptor 3, which was passed for --web.systemd-socket, is no TCP socket that listens"));
  }
}

}  // namespace
}  // namespace finwait::http
