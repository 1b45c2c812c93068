#include "exec/runtime/source_stage.h"

#include <algorithm>

#include "exec/data/event_time.h"
#include "exec/operators/batch_ops.h"
#include "exec/runtime/record_form.h"
#include "exec/runtime/shared_decoder.h"
#include "planner/catalog/formats.h"

namespace millrace::inline exec {
namespace {

std::vector<ColumnDef> columns_of(const Schema& schema, ColumnRole role) {
  std::vector<ColumnDef> out;
  for (const ColumnDef& column : schema.columns)
    if (column.role == role) out.push_back(column);
  return out;
}

// Position of declared column `index` among the columns of its role.
std::size_t rank_in_role(const Schema& schema, std::size_t index) {
  return static_cast<std::size_t>(
      std::count_if(schema.columns.begin(), schema.columns.begin() + static_cast<std::ptrdiff_t>(index),
                    [&](const ColumnDef& c) { return c.role == schema.columns[index].role; }));
}

Value header_bytes(const std::optional<std::string_view>& value) {
  return value ? Value(Bytes{std::string(*value)}) : Value();
}

}  // namespace

SourceStage::SourceStage(const PlanNode& source, const QueryOptions& options, std::int32_t partition,
                         const SourceSetup& setup, BadRecordHandler on_bad)
    : plan_(source),
      source_(*source.as<SourceNode>()),
      options_(options),
      partition_(partition),
      setup_(setup),
      on_bad_(std::move(on_bad)),
      table_(source.kind == RelationKind::table) {
  plan_columns();
  if (setup_.decoders == nullptr) return;
  shared_ = setup_.decoders->of(source);
  shared_->add(source_.read);
}

SourceStage::~SourceStage() {
  if (shared_) shared_->remove(source_.read);
}

void SourceStage::plan_columns() {
  std::vector<std::size_t> wanted = source_.read;
  if (source_.timestamp) wanted.push_back(source_.timestamp->column);
  std::vector<std::size_t> keys, values;
  for (const std::size_t index : wanted) {
    const ColumnRole role = source_.declared.columns[index].role;
    if (role == ColumnRole::key) keys.push_back(rank_in_role(source_.declared, index));
    if (role == ColumnRole::value) values.push_back(rank_in_role(source_.declared, index));
  }
  for (auto* list : {&keys, &values}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  const auto place = [&](std::size_t index) {
    const ColumnRole role = source_.declared.columns[index].role;
    if (role == ColumnRole::header) return ColumnSource{ColumnSource::Part::header, index};
    const auto& list = role == ColumnRole::key ? keys : values;
    const auto at = std::find(list.begin(), list.end(), rank_in_role(source_.declared, index)) - list.begin();
    return ColumnSource{role == ColumnRole::key ? ColumnSource::Part::key : ColumnSource::Part::value,
                        static_cast<std::size_t>(at)};
  };
  for (const std::size_t index : source_.read) columns_.push_back(place(index));
  auto key_defs = columns_of(source_.declared, ColumnRole::key);
  if (!key_defs.empty())
    key_decoder_ = make_decoder(source_.key_format, std::move(key_defs), keys, true, setup_.schemas);
  auto value_defs = columns_of(source_.declared, ColumnRole::value);
  if (!value_defs.empty())
    value_decoder_ = make_decoder(source_.value_format, std::move(value_defs), values, false, setup_.schemas);
  if (source_.timestamp) {
    const ColumnDef& column = source_.declared.columns[source_.timestamp->column];
    timestamp_column_ = place(source_.timestamp->column);
    timestamp_.emplace(column.type, source_.timestamp->format, options_.fail_on_bad_timestamp);
  }
}

bool SourceStage::ready(const Fetch& fetch, std::size_t from, std::size_t count) {
  const auto records = std::span(fetch.records).subspan(from, count);
  const auto is_ready = [&](const FormatInfo& format, Decoder* decoder,
                            std::vector<std::optional<std::string_view>>& texts, auto part) {
    const FormatDef* def = find_format(format.name);
    if (decoder == nullptr || def == nullptr || !def->registry) return true;
    texts.clear();
    for (const RecordView& record : records) texts.push_back(record.*part);
    return decoder->ready(texts);
  };
  return is_ready(source_.key_format, key_decoder_.get(), keys_, &RecordView::key) &&
         is_ready(source_.value_format, value_decoder_.get(), values_, &RecordView::value);
}

std::string_view SourceStage::split_window(std::string_view key, std::size_t row, std::size_t rows) {
  const bool session = plan_.window->type == WindowType::session;
  const std::size_t tail = session ? 16 : 8;
  if (key.size() < tail) {
    errors_.add(static_cast<std::uint32_t>(row), "the key is too short for a windowed key");
    skip_.set(row, rows);
    return {};
  }
  const std::string_view window = key.substr(key.size() - tail);
  const std::int64_t start = get_big_endian(session ? window.substr(8) : window);
  const std::int64_t end = session ? get_big_endian(window) : start;
  if (!is_event_time(start) || !is_event_time(end)) {
    errors_.add(static_cast<std::uint32_t>(row), "the window of the key does not lie between 1970 and the year 9999");
    skip_.set(row, rows);
    return {};
  }
  (*window_start_)[row] = start;
  (*window_end_)[row] = session ? end : start + plan_.window->size_ms.value_or(0);
  return key.substr(0, key.size() - tail);
}

void SourceStage::split(const RecordView& record, std::size_t row, std::size_t rows, Batch& batch) {
  (*times_)[row] = record.timestamp;
  (*offsets_)[row] = record.offset;
  std::optional<std::string_view> key = key_decoder_ ? record.key : std::nullopt;
  if (!key) {
    batch.null_keys.set(row, rows);
    if (table_ && !source_.internal) skip_.set(row, rows);
  } else if (plan_.window) {
    key = split_window(*key, row, rows);
  }
  keys_[row] = key;
  if (source_.internal) {
    const std::string_view value = record.value.value_or(std::string_view());
    const auto flags = value.empty() ? kNullValueFlag | kBareRow : static_cast<std::uint8_t>(value.front());
    if (table_) batch.kinds[row] = static_cast<RowKind>(flags & kKindMask);
    if ((flags & kNullValueFlag) != 0) {
      batch.null_values.set(row, rows);
      values_[row].reset();
    } else {
      values_[row] = value.substr(1);
    }
    return;
  }
  values_[row] = record.value;
  if (table_) {
    batch.kinds[row] = record.value ? RowKind::update_after : RowKind::remove;
  } else if (!record.value) {
    batch.null_values.set(row, rows);
  }
}

Result<Batch> SourceStage::decode(const Arrival& arrival, std::size_t from, std::size_t count) {
  if (shared_ && shared_->members() > 1 && arrival.takers > 1)
    if (const Batch* all = shared_->decode(arrival, from, count)) return own_part(*all);
  if (setup_.decoders != nullptr) setup_.decoders->rows() += count;
  return decode(arrival.fetch, from, count);
}

Batch SourceStage::own_part(const Batch& all) {
  if (shared_version_ != shared_->version()) {
    shared_columns_.clear();
    for (const std::size_t column : source_.read) shared_columns_.push_back(shared_->position(column));
    shared_version_ = shared_->version();
  }
  Batch batch{.rows = all.rows,
              .columns = {},
              .timestamps = all.timestamps,
              .kinds = all.kinds,
              .null_keys = copy_bits(all.null_keys),
              .null_values = copy_bits(all.null_values),
              .window_start = all.window_start,
              .window_end = all.window_end,
              .offsets = all.offsets,
              .partition = partition_,
              .headers = all.headers};
  batch.columns.reserve(shared_columns_.size());
  for (const std::size_t column : shared_columns_) batch.columns.push_back(all.columns[column]);
  return batch;
}

Result<Batch> SourceStage::decode(const Fetch& fetch, std::size_t from, std::size_t count) {
  const auto records = std::span(fetch.records).subspan(from, count);
  Batch batch;
  batch.rows = count;
  batch.partition = partition_;
  keys_.resize(count);
  values_.resize(count);
  skip_.clear();
  times_ = std::make_shared<std::vector<std::int64_t>>(count);
  offsets_ = std::make_shared<std::vector<std::int64_t>>(count);
  if (plan_.window) {
    window_start_ = std::make_shared<std::vector<std::int64_t>>(count);
    window_end_ = std::make_shared<std::vector<std::int64_t>>(count);
  }
  if (table_) batch.kinds.resize(count);
  bool headers = false;
  for (std::size_t row = 0; row < count; ++row) {
    split(records[row], row, count, batch);
    headers = headers || !records[row].headers.empty();
  }
  if (headers) {
    batch.headers.reserve(count);
    for (const RecordView& record : records) {
      auto copy = std::make_shared<Headers>();
      for (const HeaderView& header : record.headers) copy->emplace_back(header.key, header.value);
      batch.headers.push_back(std::move(copy));
    }
  }
  if (auto done = decode_columns(fetch, records, batch); !done) return done.error();
  batch.timestamps = times_;
  batch.offsets = offsets_;
  if (plan_.window) {
    batch.window_start = window_start_;
    batch.window_end = window_end_;
  }
  return skip_.empty() ? std::move(batch) : without_skipped(std::move(batch));
}

Status SourceStage::decode_columns(const Fetch& fetch, std::span<const RecordView> records, Batch& batch) {
  key_columns_.clear();
  value_columns_.clear();
  Bitmap bad;
  if (key_decoder_) key_decoder_->decode(keys_, fetch.owner, key_columns_, bad, errors_);
  if (value_decoder_) value_decoder_->decode(values_, fetch.owner, value_columns_, bad, errors_);
  if (!bad.empty())
    for (std::size_t row = 0; row < batch.rows; ++row)
      if (bad.test(row)) skip_.set(row, batch.rows);
  if (const Bitmap* removed = value_decoder_ && table_ ? value_decoder_->removed() : nullptr)
    for (std::size_t row = 0; row < batch.rows; ++row) {
      if (!removed->test(row)) continue;
      batch.kinds[row] = RowKind::remove;
      values_[row].reset();
    }
  if (auto done = report(records, RecordErrorKind::deserialization); !done) return done;
  batch.columns.reserve(columns_.size());
  for (const ColumnSource& column : columns_) {
    switch (column.part) {
      case ColumnSource::Part::key:
        batch.columns.push_back(key_columns_[column.index]);
        break;
      case ColumnSource::Part::value:
        batch.columns.push_back(value_columns_[column.index]);
        break;
      case ColumnSource::Part::header:
        batch.columns.push_back(header_column(source_.declared.columns[column.index], records));
        break;
    }
  }
  if (auto done = apply_timestamps(batch); !done) return done;
  if (!source_.internal) check_times(batch.rows);
  return report(records, RecordErrorKind::processing);
}

// A row without a value keeps its record's time where the column would be in the value: deletes must stay possible.
Status SourceStage::apply_timestamps(Batch& batch) {
  if (!timestamp_) return {};
  const bool in_key = timestamp_column_->part == ColumnSource::Part::key;
  const ColumnPtr& column = (in_key ? key_columns_ : value_columns_)[timestamp_column_->index];
  Bitmap ignore, bad;
  for (std::size_t row = 0; row < batch.rows; ++row)
    if (skip_.test(row) || (!in_key && !values_[row])) ignore.set(row, batch.rows);
  std::vector<std::int64_t> times;
  if (auto done = timestamp_->extract(column, batch.rows, ignore, times, bad, errors_); !done) return done;
  for (std::size_t row = 0; row < batch.rows; ++row) {
    if (bad.test(row)) {
      skip_.set(row, batch.rows);
    } else if (!ignore.test(row)) {
      (*times_)[row] = times[row];
    }
  }
  return {};
}

// Operators add to times and count windows between them.
void SourceStage::check_times(std::size_t rows) {
  bool sound = true;
  for (const std::int64_t time : *times_) sound &= is_event_time(time);
  if (sound) [[likely]]
    return;
  for (std::size_t row = 0; row < rows; ++row) {
    if (skip_.test(row) || is_event_time((*times_)[row])) continue;
    errors_.add(static_cast<std::uint32_t>(row), "the record's time does not lie between 1970 and the year 9999");
    skip_.set(row, rows);
  }
}

Status SourceStage::report(std::span<const RecordView> records, RecordErrorKind kind) {
  if (errors_.count == 0) return {};
  for (const auto& entry : errors_.entries) on_bad_({kind, entry.message, records[entry.row].offset});
  for (std::uint64_t extra = errors_.entries.size(); extra < errors_.count; ++extra) on_bad_({kind, {}, -1});
  Status outcome;
  if (options_.fail_on_bad_record && kind == RecordErrorKind::deserialization) {
    const auto& first = errors_.entries.front();
    outcome = user_error("record at offset {} of {}-{}: {}", records[first.row].offset, source_.topic, partition_,
                         first.message);
  }
  errors_.entries.clear();
  errors_.count = 0;
  return outcome;
}

ColumnPtr SourceStage::header_column(const ColumnDef& column, std::span<const RecordView> records) const {
  ColumnBuilder builder(column.type);
  for (const RecordView& record : records) {
    if (column.header_key) {
      const auto last = std::find_if(record.headers.rbegin(), record.headers.rend(),
                                     [&](const HeaderView& header) { return header.key == *column.header_key; });
      builder.append(last == record.headers.rend() ? Value() : header_bytes(last->value));
      continue;
    }
    Value::List all;
    for (const HeaderView& header : record.headers)
      all.push_back(Value::structure({Value(std::string(header.key)), header_bytes(header.value)}));
    builder.append(Value::list(std::move(all)));
  }
  return builder.finish();
}

Batch SourceStage::without_skipped(Batch&& batch) {
  std::vector<std::uint32_t> kept;
  kept.reserve(batch.rows);
  for (std::size_t row = 0; row < batch.rows; ++row)
    if (!skip_.test(row)) kept.push_back(static_cast<std::uint32_t>(row));
  return gather(batch, kept);
}

}  // namespace millrace::inline exec
