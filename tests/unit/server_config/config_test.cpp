#include "server/config/config.h"

#include <gtest/gtest.h>

#include "parser/error/sql_error.h"

namespace millrace {
namespace {

TEST(Config, OverridesThatAreDeniedAreRefused) {
  Config config;
  config.check_override("auto.offset.reset");
  config.set("ksql.properties.overrides.denylist", "ksql.streams.auto.offset.reset, commit.interval.ms,");
  EXPECT_THROW(config.check_override("auto.offset.reset"), SqlError);
  EXPECT_THROW(config.check_override("ksql.streams.commit.interval.ms"), SqlError);
  config.check_override("ksql.query.push.v2.enabled");
}

TEST(Config, ChoicesAreTakenInAnyCaseAndNothingElseIs) {
  Config config;
  config.set("log.sync", "OFF");
  EXPECT_EQ(config.text("log.sync"), "off");
  config.set("ssl.client.authentication", "required");
  EXPECT_EQ(config.text("ssl.client.authentication"), "REQUIRED");
  EXPECT_THROW(config.set("ssl.client.authentication", "REQUIERD"), SqlError);
  EXPECT_THROW(config.set("millrace.log.format", "xml"), SqlError);
}

}  // namespace
}  // namespace millrace
