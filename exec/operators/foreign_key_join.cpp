#include "exec/operators/lower.h"

namespace millrace {

MadeOperator make_foreign_key_join(const ForeignKeyJoinNode&, const LowerContext&) {
  return user_error("foreign-key joins do not run yet");
}

}  // namespace millrace
