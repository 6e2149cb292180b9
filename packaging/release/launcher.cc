// Starts the program of a release with the loader and the libraries that came with it, on a host that may have none, or
// others. Linked statically: it is the one file of the tree that the host's kernel can start by itself.
//
//   TREE/finwait_exporter           this
//   TREE/lib/finwait_exporter       glibc's loader. The kernel names a process after the file that it started
//   TREE/lib/finwait_exporter.bin   the program
//   TREE/lib/*.so*                  what it loads
//
// The tree may lie anywhere, and a symbolic link to this file may lie anywhere else.

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace {

// The folder of this file, behind all links; empty where it cannot be told. Without /proc the name that the kernel was
// given has to do.
std::string OwnFolder() {
  char path[PATH_MAX];
  if (realpath("/proc/self/exe", path) == nullptr) {
    const auto* started = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
    if (started == nullptr || realpath(started, path) == nullptr) {
      return {};
    }
  }
  std::string folder = path;
  folder.resize(folder.rfind('/'));
  return folder;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string library = OwnFolder() + "/lib";
  std::string loader = library + "/finwait_exporter";
  std::string program = loader + ".bin";
  std::string name = count > 0 ? arguments[0] : "finwait_exporter";
  // The host's cache of libraries is left out: it would lead to libraries of another glibc.
  std::vector<char*> command;
  std::string options[] = {"--inhibit-cache", "--library-path", library, "--argv0", name};
  command.push_back(loader.data());
  for (std::string& option : options) {
    command.push_back(option.data());
  }
  command.push_back(program.data());
  for (int i = 1; i < count; ++i) {
    command.push_back(arguments[i]);
  }
  command.push_back(nullptr);
  if (access(program.c_str(), R_OK) == 0) {
    execv(loader.c_str(), command.data());
  }
  fprintf(
      stderr,
      "finwait_exporter: cannot start %s (%m): this file works only beside the folder lib that it was unpacked with. "
      "Keep them together, and make a symbolic link to it instead of a copy\n",
      program.c_str());
  // As the program itself: a subcommand cannot tell, a service cannot start.
  return count > 1 && arguments[1][0] != '-' ? 3 : 2;
}
