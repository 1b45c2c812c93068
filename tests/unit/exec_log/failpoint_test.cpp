#include "exec/log/failpoint.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

class Failpoint : public testing::Test {
 protected:
  void TearDown() override { failpoint::disarm_all(); }
};

TEST_F(Failpoint, PassesWhenNothingIsArmed) {
  EXPECT_TRUE(failpoint::hit("p"));
}

TEST_F(Failpoint, ActsAfterSomeHitsAndOnlyAsOftenAsAsked) {
  failpoint::arm("p", {.after = 2, .times = 2, .error = user_error("no")});
  EXPECT_TRUE(failpoint::hit("p"));
  EXPECT_TRUE(failpoint::hit("other"));
  EXPECT_TRUE(failpoint::hit("p"));
  EXPECT_EQ(failpoint::hit("p").error().message, "no");
  EXPECT_FALSE(failpoint::hit("p"));
  EXPECT_TRUE(failpoint::hit("p"));
  EXPECT_EQ(failpoint::hits("p"), 5);
}

TEST_F(Failpoint, CallsBack) {
  int calls = 0;
  failpoint::arm("p", {.kind = failpoint::Action::Kind::callback, .times = -1, .callback = [&] { ++calls; }});
  EXPECT_TRUE(failpoint::hit("p"));
  EXPECT_TRUE(failpoint::hit("p"));
  EXPECT_EQ(calls, 2);
}

TEST_F(Failpoint, IsArmedFromText) {
  ASSERT_TRUE(failpoint::arm_from_text("a=error@1;b=crash@5"));
  EXPECT_TRUE(failpoint::hit("a"));
  EXPECT_FALSE(failpoint::hit("a"));
  EXPECT_TRUE(failpoint::hit("b"));
  EXPECT_FALSE(failpoint::arm_from_text("a=what"));
  EXPECT_FALSE(failpoint::arm_from_text("a=error@x"));
}

TEST_F(Failpoint, Crashes) {
  EXPECT_EXIT(
      {
        (void)failpoint::arm_from_text("p=crash");
        (void)failpoint::hit("p");
      },
      testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace millrace
