#include "exec/operators/lower.h"

namespace millrace {

MadeOperator make_stream_stream_join(const StreamStreamJoinNode&, const LowerContext&) {
  return user_error("stream-stream joins do not run yet");
}

}  // namespace millrace
