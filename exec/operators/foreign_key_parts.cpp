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

Result<MapStore*> open_keyed_rows(const Result<StoreSlot>& slot) {
  if (!slot) return slot.error();
  MapStoreOptions options{.layout = std::shared_ptr<const ValueLayout>(&row_layout(), [](const ValueLayout*) {})};
  auto store = MapStore::open(*slot, options);
  if (!store) return store.error();
  return static_cast<MapStore*>(slot->attach(std::move(*store)));
}

}  // namespace millrace::inline exec
