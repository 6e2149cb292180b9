#include <gtest/gtest.h>

#include "tests/lab/namespace.h"

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
