#include "exec/runtime/sink_stage.h"

#include <algorithm>
#include <utility>

#include "exec/data/equal.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/least_time.h"
#include "exec/runtime/record_form.h"
#include "planner/catalog/formats.h"

namespace millrace::inline exec {

SinkStage::SinkStage(const PlanNode& sink, const QueryOptions& options, std::int32_t task_partition, SinkReport report)
    : sink_(*sink.as<SinkNode>()),
      internal_(sink_.internal),
      table_(sink.kind == RelationKind::table),
      task_partition_(task_partition),
      report_(std::move(report)),
      key_count_(sink.schema.key_count()),
      window_(sink.window) {
  auto keys = sink.schema.keys();
  auto values = sink.schema.values();
  no_values_ = holds_nothing(sink_.value_format);
  null_is_absent_ = !internal_ && null_is_absent(sink_.value_format, values);
  if (!keys.empty()) key_encoder_ = make_encoder(sink_.key_format, std::move(keys), true);
  // No schema is registered for no columns; elsewhere they make the empty record of the format.
  const FormatDef* format = find_format(sink_.value_format.name);
  const bool any_value = !values.empty() || (!internal_ && !no_values_ && format != nullptr && !format->registry);
  if (any_value) value_encoder_ = make_encoder(sink_.value_format, std::move(values), false);
  if (sink_.timestamp)
    timestamp_.emplace(sink.schema.columns[sink_.timestamp->column].type, sink_.timestamp->format,
                       options.fail_on_bad_timestamp);
}

Status SinkStage::write(const Batch& batch, Writer& writer, std::uint64_t& rows_out) {
  if (batch.rows == 0) return {};
  auto topic = writer.topic(sink_.topic);
  if (!topic) return topic.error();
  const std::int32_t partitions = writer.partitions(*topic);
  Bitmap skip;
  if (auto done = find_unfit(batch, skip); !done) return done;
  if (skip.empty()) return append_all(batch, *topic, partitions, writer, rows_out);
  std::vector<std::uint32_t> kept;
  kept.reserve(batch.rows);
  for (std::size_t row = 0; row < batch.rows; ++row)
    if (!skip.test(row)) kept.push_back(static_cast<std::uint32_t>(row));
  if (timestamp_)
    for (std::size_t i = 0; i < kept.size(); ++i) times_[i] = times_[kept[i]];
  return append_all(gather(batch, kept), *topic, partitions, writer, rows_out);
}

Status SinkStage::append_all(const Batch& batch, TopicHandle topic, std::int32_t partitions, Writer& writer,
                             std::uint64_t& rows_out) {
  if (auto done = encode(batch); !done) return done;
  written_.resize(static_cast<std::size_t>(partitions));
  wrote_ = true;
  const std::int64_t* times = timestamp_ ? times_.data() : batch.timestamps->data();
  for (std::size_t row = 0; row < batch.rows; ++row)
    if (auto done = append_row(batch, row, times[row], topic, partitions, writer); !done) return done;
  if (sink_.aligned) newest_ = std::max(newest_, *std::max_element(times, times + batch.rows));
  rows_out += batch.rows;
  return {};
}

Status SinkStage::write_time(std::int64_t time, Writer& writer) {
  if (!sink_.timed) return {};
  auto topic = writer.topic(sink_.topic);
  if (!topic) return topic.error();
  const std::string value = write_time_record({static_cast<std::size_t>(task_partition_), time});
  const std::int64_t timestamp = time == LeastTime::kNothing ? 0 : std::max<std::int64_t>(time, 0);
  const std::int32_t partitions = writer.partitions(*topic);
  written_.assign(static_cast<std::size_t>(partitions), true);
  wrote_ = true;
  for (std::int32_t partition = 0; partition < partitions; ++partition)
    if (auto done = writer.append(*topic, partition, std::nullopt, value, RecordTime{timestamp}, {}); !done)
      return done;
  return {};
}

Status SinkStage::write_newest(Writer& writer) {
  const std::int64_t newest = std::exchange(newest_, INT64_MIN);
  return newest == INT64_MIN ? Status{} : write_time(newest, writer);
}

// Rows that are not to be written. A topic of a table has no place for the rows before an update.
Status SinkStage::find_unfit(const Batch& batch, Bitmap& skip) {
  if (!internal_)
    for (std::size_t row = 0; row < batch.kinds.size(); ++row)
      if (batch.kinds[row] == RowKind::update_before) skip.set(row, batch.rows);
  if (!timestamp_) return {};
  RowErrors errors;
  Bitmap bad, ignore;
  for (std::size_t row = 0; row < batch.rows; ++row)
    if (skip.test(row) || batch.null_values.test(row) || batch.kind(row) == RowKind::remove)
      ignore.set(row, batch.rows);
  const ColumnPtr& column = batch.columns[sink_.timestamp->column];
  if (auto done = timestamp_->extract(column, batch.rows, ignore, times_, bad, errors); !done) return done;
  for (std::size_t row = 0; row < batch.rows; ++row) {
    if (bad.test(row)) skip.set(row, batch.rows);
    if (ignore.test(row)) times_[row] = (*batch.timestamps)[row];
  }
  if (errors.count > 0) report_(errors.entries.front().message, errors.count);
  return {};
}

Status SinkStage::encode(const Batch& batch) {
  keys_.clear();
  values_.clear();
  const std::span<const ColumnPtr> columns(batch.columns);
  if (key_encoder_) {
    const auto keys = columns.first(key_count_);
    key_columns_.assign(keys.begin(), keys.end());
    // What is one key to state goes to one partition.
    if (internal_) std::ranges::transform(key_columns_, key_columns_.begin(), with_plain_doubles);
    key_encoder_->leave_out(&batch.null_keys);
    const Status encoded = key_encoder_->encode(key_columns_, batch.rows, keys_);
    key_columns_.clear();
    if (!encoded) return encoded;
  }
  Bitmap no_values;
  if (!internal_ && (!batch.kinds.empty() || !batch.null_values.empty()))
    for (std::size_t row = 0; row < batch.rows; ++row)
      if (is_gone(batch, row)) no_values.set(row, batch.rows);
  if (value_encoder_) value_encoder_->leave_out(&no_values);
  if (value_encoder_)
    if (auto done = value_encoder_->encode(columns.subspan(key_count_), batch.rows, values_); !done) return done;
  return {};
}

std::optional<std::string_view> SinkStage::key_of(const Batch& batch, std::size_t row, std::int32_t partitions,
                                                  std::int32_t& partition) {
  if (!key_encoder_ || batch.null_keys.test(row)) {
    partition = static_cast<std::int32_t>((static_cast<std::uint32_t>(task_partition_) + spread_) %
                                          static_cast<std::uint32_t>(partitions));
    if (!table_) ++spread_;
    return std::nullopt;
  }
  const std::string_view key = keys_.row(row);
  partition = partition_for(key, partitions);
  if (!window_ || !batch.window_start) return key;
  key_scratch_.assign(key);
  if (window_->type == WindowType::session) put_big_endian(key_scratch_, (*batch.window_end)[row]);
  put_big_endian(key_scratch_, (*batch.window_start)[row]);
  return key_scratch_;
}

std::optional<std::string_view> SinkStage::value_of(const Batch& batch, std::size_t row) {
  if (!internal_) {
    if (is_gone(batch, row)) return std::nullopt;
    if (no_values_) return std::nullopt;
    if (!value_encoder_) return std::string_view();
    if (null_is_absent_ && batch.columns[key_count_]->is_null(row)) return std::nullopt;
    return values_.row(row);
  }
  const bool null = batch.null_values.test(row);
  const auto kind = batch.kinds.empty() ? kBareRow : static_cast<std::uint8_t>(batch.kinds[row]);
  value_scratch_.assign(1, static_cast<char>(kind | (null ? kNullValueFlag : 0)));
  if (!null && value_encoder_) value_scratch_.append(values_.row(row));
  return value_scratch_;
}

Status SinkStage::append_row(const Batch& batch, std::size_t row, std::int64_t time, TopicHandle topic,
                             std::int32_t partitions, Writer& writer) {
  std::int32_t partition = 0;
  const auto key = key_of(batch, row, partitions, partition);
  const auto value = value_of(batch, row);
  header_scratch_.clear();
  if (!batch.headers.empty() && batch.headers[row])
    for (const auto& [name, content] : *batch.headers[row])
      header_scratch_.push_back({name, content ? std::optional<std::string_view>(*content) : std::nullopt});
  written_[static_cast<std::size_t>(partition)] = true;
  return writer.append(topic, partition, key, value, RecordTime{time}, header_scratch_);
}

}  // namespace millrace::inline exec
