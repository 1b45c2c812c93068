#include "exec/operators/lower.h"

namespace millrace {

MadeOperator make_table_table_join(const TableTableJoinNode&, const LowerContext&) {
  return user_error("joins of tables do not run yet");
}

}  // namespace millrace
