#include "exec/operators/lower.h"

namespace millrace {

MadeOperator make_session_aggregate(const AggregateNode&, const LowerContext&) {
  return user_error("session windows do not run yet");
}

}  // namespace millrace
