#include "server/session/query_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using testing::HasSubstr;
using Clock = QueryLimits::Clock;
constexpr std::int64_t kAny = 2147483647;

struct Sink final : ResultSink {
  void keep(std::shared_ptr<QueryPermit> given) override { permit = std::move(given); }
  void begin(const QueryHeader&) override {}
  bool rows(const Batch&) override { return true; }
  bool line(std::string_view) override { return true; }
  void end(std::optional<std::string>, std::optional<ServiceError>) override {}
  std::shared_ptr<QueryPermit> permit;
};

std::string told(const std::optional<ServiceError>& refused) {
  return refused ? std::to_string(refused->code) + " " + refused->message : "";
}

TEST(QueryLimits, NothingIsCountedWithoutLimits) {
  auto limits = std::make_shared<QueryLimits>(QueryLimits::Most{kAny, kAny, kAny, kAny, kAny});
  Sink sink;
  EXPECT_EQ(told(limits->admit_pull(sink)), "");
  EXPECT_EQ(told(limits->admit_push(sink)), "");
  EXPECT_EQ(sink.permit, nullptr);
}

TEST(QueryLimits, PullQueriesInASecond) {
  auto limits = std::make_shared<QueryLimits>(QueryLimits::Most{2, kAny, kAny, kAny, kAny});
  const auto now = Clock::now() + std::chrono::seconds(10);
  Sink sink;
  EXPECT_EQ(told(limits->admit_pull(sink, now)), "");
  EXPECT_EQ(told(limits->admit_pull(sink, now)), "");
  EXPECT_THAT(told(limits->admit_pull(sink, now)), HasSubstr("42900 Host is at rate limit for pull queries"));
  EXPECT_EQ(told(limits->admit_pull(sink, now + std::chrono::milliseconds(500))), "");
  EXPECT_NE(told(limits->admit_pull(sink, now + std::chrono::milliseconds(600))), "");
}

TEST(QueryLimits, PullQueriesAtATime) {
  auto limits = std::make_shared<QueryLimits>(QueryLimits::Most{kAny, 1, kAny, kAny, kAny});
  Sink one, two;
  EXPECT_EQ(told(limits->admit_pull(one)), "");
  EXPECT_THAT(told(limits->admit_pull(two)), HasSubstr("42900 Host is at concurrency limit for pull queries"));
  one.permit.reset();
  EXPECT_EQ(told(limits->admit_pull(two)), "");
}

TEST(QueryLimits, BytesInAnHour) {
  auto limits = std::make_shared<QueryLimits>(QueryLimits::Most{kAny, kAny, 1, 2, kAny});
  Sink pull, push;
  EXPECT_EQ(told(limits->admit_pull(pull)), "");
  EXPECT_EQ(told(limits->admit_push(push)), "");
  pull.permit->sent(1 << 20);
  push.permit->sent(1 << 20);
  EXPECT_EQ(told(limits->admit_pull(pull)), "");
  pull.permit->sent(1);
  push.permit->sent(1);
  EXPECT_THAT(told(limits->admit_pull(pull)), HasSubstr("42900 Host is at bandwidth rate limit for pull queries"));
  EXPECT_EQ(told(limits->admit_push(push)), "");
  EXPECT_NE(told(limits->admit_pull(pull, Clock::now() + std::chrono::minutes(58))), "");
  EXPECT_EQ(told(limits->admit_pull(pull, Clock::now() + std::chrono::minutes(61))), "");
}

TEST(QueryLimits, CommandsInASecond) {
  auto limits = std::make_shared<QueryLimits>(QueryLimits::Most{kAny, kAny, kAny, kAny, 1});
  const auto now = Clock::now() + std::chrono::seconds(10);
  EXPECT_EQ(told(limits->admit_command(now)), "");
  EXPECT_THAT(told(limits->admit_command(now)), HasSubstr("42900 DDL/DML rate"));
  EXPECT_EQ(told(limits->admit_command(now + std::chrono::seconds(1))), "");
}

}  // namespace
}  // namespace millrace
