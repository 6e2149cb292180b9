#include <gtest/gtest.h>

#include "tests/lab/namespace.h"
#include "tests/lab/own_processes.h"

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  finwait::lab::SeeOwnProcessesOnly();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
