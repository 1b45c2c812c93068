#include "planner/bind/dialect.h"

namespace millrace::inline planner {

Dialect dialect_of(const PropertyMap& properties) {
  return setting_text(properties, "millrace.dialect") == "ksql" ? Dialect::ksql : Dialect::millrace;
}

bool lifts(Lifted what, const PropertyMap& properties) {
  switch (what) {
    case Lifted::default_values:
    case Lifted::pull_clauses:
    case Lifted::plain_tables:
    case Lifted::windowed_tables:
    case Lifted::final_streams:
    case Lifted::loose_aggregates:
    case Lifted::table_aggregates:
    case Lifted::any_join:
    case Lifted::idle_timeout:
    case Lifted::other_clusters:
    case Lifted::key_format:
      return dialect_of(properties) == Dialect::millrace;
  }
  return false;
}

}  // namespace millrace::inline planner
