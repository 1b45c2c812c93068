#include <gtest/gtest.h>

#include <string_view>

#include "tests/kafka/member.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--member") return millrace::run_member(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
