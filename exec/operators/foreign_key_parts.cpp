#include "exec/operators/foreign_key_parts.h"

namespace millrace::inline exec {

void report_standing(OperatorContext& context, const RowErrors& errors, const Bitmap& failed, const Batch& in) {
  if (errors.count == 0) return;
  const auto stays = [&in](std::uint32_t row) {
    return !in.null_values.test(row) && in.kind(row) != RowKind::remove && in.kind(row) != RowKind::update_before;
  };
  RowErrors reported;
  for (std::uint32_t row = 0; row < in.rows; ++row) reported.count += failed.test(row) && stays(row) ? 1 : 0;
  for (const RowErrors::Entry& entry : errors.entries)
    if (stays(entry.row)) reported.entries.push_back(entry);
  if (reported.count != 0) context.report(reported, in);
}

}  // namespace millrace::inline exec
