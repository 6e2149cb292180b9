#include "tests/lab/namespace.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace finwait::lab {
namespace {

[[noreturn]] void Throw(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

// Runs `action` on a fresh thread, which may change its own namespace without touching the others.
void OnThread(const std::function<void()>& action) {
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      action();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  thread.join();
  if (failure) {
    std::rethrow_exception(failure);
  }
}

std::vector<char*> Pointers(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string Joined(const std::vector<std::string>& arguments) {
  std::string joined;
  for (const std::string& argument : arguments) {
    joined += (joined.empty() ? "" : " ") + argument;
  }
  return joined;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Execute(const std::vector<char*>& pointers, int in, int out, int err) {
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

}  // namespace

Namespace::Namespace() {
  OnThread([this] {
    if (::unshare(CLONE_NEWNET) != 0) {
      Throw("make a network namespace");
    }
    fd_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd_) {
      Throw("open the new network namespace");
    }
  });
  Shell("ip link set lo up");
}

Namespace::~Namespace() = default;

void Namespace::Run(const std::function<void()>& action) const {
  OnThread([&] {
    if (::setns(fd_.Get(), CLONE_NEWNET) != 0) {
      Throw("enter a network namespace");
    }
    action();
  });
}

std::string Namespace::Path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_.Get());
}

pid_t Namespace::Spawn(const std::vector<std::string>& arguments, const std::string& output_path) const {
  const std::vector<char*> pointers = Pointers(arguments);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd output(
      ::open(output_path.empty() ? "/dev/null" : output_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const pid_t parent = ::getpid();
  // Forked from the calling thread, not from a short-lived one: PR_SET_PDEATHSIG fires when the forking thread ends.
  const pid_t child = ::fork();
  if (child < 0) {
    Throw("fork");
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::setns(fd_.Get(), CLONE_NEWNET) != 0) {
      ::_exit(126);
    }
    Execute(pointers, null.Get(), output.Get(), output.Get());
  }
  return child;
}

CommandOutput Namespace::Command(const std::vector<std::string>& arguments, const std::string& input,
                                 int seconds) const {
  int in[2];
  int out[2];
  int err[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    Throw("pipe");
  }
  const std::vector<char*> pointers = Pointers(arguments);
  const pid_t child = ::fork();
  if (child < 0) {
    Throw("fork");
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::setns(fd_.Get(), CLONE_NEWNET) != 0) {
      ::_exit(126);
    }
    Execute(pointers, in[0], out[1], err[1]);
  }
  UniqueFd in_write(in[1]);
  const UniqueFd out_read(out[0]);
  const UniqueFd err_read(err[0]);
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  ::fcntl(in_write.Get(), F_SETFL, O_NONBLOCK);

  CommandOutput output;
  std::size_t written = 0;
  bool out_open = true;
  bool err_open = true;
  bool timed_out = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  if (input.empty()) {
    in_write.Reset();
  }
  while (out_open || err_open) {
    if (std::chrono::steady_clock::now() > deadline) {
      timed_out = true;
      ::kill(child, SIGKILL);
      break;
    }
    pollfd polls[3] = {{out_open ? out_read.Get() : -1, POLLIN, 0},
                       {err_open ? err_read.Get() : -1, POLLIN, 0},
                       {in_write ? in_write.Get() : -1, POLLOUT, 0}};
    ::poll(polls, 3, 100);
    char buffer[65536];
    if ((polls[0].revents & (POLLIN | POLLHUP)) != 0) {
      const ssize_t size = ::read(out_read.Get(), buffer, sizeof buffer);
      out_open = size > 0;
      output.out.append(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    if ((polls[1].revents & (POLLIN | POLLHUP)) != 0) {
      const ssize_t size = ::read(err_read.Get(), buffer, sizeof buffer);
      err_open = size > 0;
      output.err.append(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    if ((polls[2].revents & (POLLOUT | POLLERR)) != 0) {
      const ssize_t size = ::write(in_write.Get(), input.data() + written, input.size() - written);
      written += size > 0 ? static_cast<std::size_t>(size) : 0;
      if (size < 0 || written == input.size()) {
        in_write.Reset();
      }
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (timed_out) {
    throw std::runtime_error(Joined(arguments) + ": not finished after " + std::to_string(seconds) + " s");
  }
  return output;
}

std::string Namespace::Shell(const std::string& script) const {
  const CommandOutput output = Command({"sh", "-ec", script});
  if (output.exit_code != 0) {
    throw std::runtime_error(script + "\nexit code " + std::to_string(output.exit_code) + ": " + output.err);
  }
  return output.out;
}

void Namespace::Sysctl(const std::string& name, const std::string& value) const {
  std::string path = "/proc/sys/";
  for (const char letter : name) {
    path += letter == '.' ? '/' : letter;
  }
  Run([&] {
    std::ofstream file(path);
    file << value << std::flush;
    if (!file) {
      Throw("write " + path);
    }
  });
}

Wire::Wire() {
  local.Shell("ip link add veth0 type veth peer name veth0 netns " + peer.Path());
  // The neighbours are told, not discovered: the first packet of each family would wait for that a second and more, and
  // the round-trip time measured then would stretch every retransmission timer of the test.
  const struct {
    const Namespace& side;
    const char* mac;
    const char* address4;
    const char* address6;
    const char* neighbour_mac;
    const char* neighbour4;
    const char* neighbour6;
  } sides[] = {{local, kLocalMac, kLocal4, kLocal6, kPeerMac, kPeer4, kPeer6},
               {peer, kPeerMac, kPeer4, kPeer6, kLocalMac, kLocal4, kLocal6}};
  for (const auto& one : sides) {
    one.side.Sysctl("net.ipv6.conf.veth0.accept_dad", "0");
    one.side.Shell(std::string("ip link set veth0 address ") + one.mac + " up; ip address add " + one.address4 +
                   "/24 dev veth0; ip address add " + one.address6 + "/32 dev veth0 nodad; ip neighbour add " +
                   one.neighbour4 + " lladdr " + one.neighbour_mac + " dev veth0; ip neighbour add " + one.neighbour6 +
                   " lladdr " + one.neighbour_mac + " dev veth0");
  }
  for (const auto& one : sides) {
    // The kernel tells the IPv6 stack of a new link up to a second late; until then it loses what is sent.
    one.side.Shell(
        "for i in $(seq 100); do ip -o link show veth0 | grep -q 'state UP' && exit; sleep 0.05; done; exit 1");
  }
}

void RequireLab(int argc, char** argv) {
  (void)argc;
  // iptables-legacy holds one lock for all namespaces, and some versions do not wait for it: the namespace is its own.
  ::setenv("XTABLES_LOCKFILE", "/proc/self/ns/net", 1);
  if (::geteuid() == 0) {
    return;
  }
  if (std::getenv("FINWAIT_LAB") != nullptr) {
    throw std::runtime_error("the lab has no root inside its user namespace");
  }
  ::setenv("FINWAIT_LAB", "1", 1);
  std::vector<std::string> arguments = {"unshare", "-Urn", "--"};
  for (char** argument = argv; *argument != nullptr; ++argument) {
    arguments.emplace_back(*argument);
  }
  ::execvp("unshare", Pointers(arguments).data());
  Throw("run the lab as an ordinary user (unshare -Urn); run it as root, or allow user namespaces");
}

}  // namespace finwait::lab
