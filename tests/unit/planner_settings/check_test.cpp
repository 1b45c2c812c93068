#include <gtest/gtest.h>

#include "parser/error/sql_error.h"
#include "planner/settings/settings.h"

namespace millrace {
namespace {

std::string refusal(const char* name, const char* value) {
  try {
    check_session_property(name, value);
  } catch (const SqlError& error) {
    return error.what();
  }
  return "";
}

TEST(Settings, OfASessionAreChecked) {
  EXPECT_EQ(refusal("auto.offset.reset", "earliest"), "");
  EXPECT_EQ(refusal("ksql.streams.auto.offset.reset", "EARLIEST"), "");
  EXPECT_EQ(refusal("auto.offset.reset", "middle"),
            "Invalid value middle for configuration auto.offset.reset: String must be one of: latest, earliest");
  EXPECT_EQ(refusal("ksql.schema.registry.key.subject.name.strategy", "recordnamestrategy"), "");
  EXPECT_NE(refusal("ksql.schema.registry.key.subject.name.strategy", "MyStrategy"), "");
  for (const char* name : {"no.such", "ksql.streams.producer.linger.ms"})
    EXPECT_EQ(refusal(name, "1"), std::string("Unknown property: ") + name);
}

TEST(Settings, ThatASessionCannotChangeAreRefusedThere) {
  for (const char* name : {"ksql.service.id", "commit.interval.ms", "kafka.linger.ms", "ssl.key.password"})
    EXPECT_EQ(refusal(name, "5"), std::string("Cannot override property '") + name + "'");
}

TEST(Settings, ThatCannotBeHonouredSayWhy) {
  EXPECT_EQ(refusal("task.timeout.ms", "300000"), "");
  EXPECT_EQ(refusal("task.timeout.ms", "1"),
            "Invalid value 1 for configuration task.timeout.ms: it can only be 300000: a task tries again until its "
            "query is terminated");
}

TEST(Settings, AreReadWithTheirDefault) {
  EXPECT_TRUE(setting_flag({}, "ksql.lambdas.enabled"));
  EXPECT_FALSE(setting_flag({{"ksql.suppress.enabled", "False"}}, "ksql.suppress.enabled"));
  EXPECT_EQ(setting_integer({}, "ksql.assert.topic.default.timeout.ms"), 1000);
  EXPECT_EQ(setting_text({{"auto.offset.reset", "earliest"}}, "auto.offset.reset"), "earliest");
  EXPECT_EQ(setting_text({{"auto.offset.reset", "EARLIEST"}}, "auto.offset.reset"), "earliest");
  EXPECT_THROW(setting_text({}, "no.such"), std::logic_error);
}

}  // namespace
}  // namespace millrace
