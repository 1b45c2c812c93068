#include <fmt/format.h>

#include <utility>

#include "exec/formats/format.h"
#include "server/session/json_value.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

/// Rows of /inserts-stream, gathered in one transaction per flush; a single one needs none.
class LogInserter final : public Inserter {
 public:
  LogInserter(SourcePtr source, Log& log, std::shared_ptr<InsertWriters> writers, std::unique_ptr<Writer> writer,
              int topic, std::uint64_t keyless)
      : source_(std::move(source)),
        log_(log),
        writers_(std::move(writers)),
        writer_(std::move(writer)),
        topic_(topic),
        keyless_(keyless) {
    keys_ = source_->schema.keys();
    values_ = source_->schema.values();
  }
  ~LogInserter() override {
    if (!writing_) writers_->give(std::move(writer_));
  }

  std::optional<ServiceError> insert(const json::object& row) override {
    std::vector<Value> key_row(keys_.size()), value_row(values_.size());
    std::int64_t time =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    for (const auto& entry : row) {
      const std::string name = column_name(entry.key());
      if (name == "ROWTIME" && entry.value().is_int64()) {
        time = entry.value().get_int64();
        continue;
      }
      std::string why;
      if (!place(name, entry.value(), keys_, key_row, why) && !place(name, entry.value(), values_, value_row, why))
        return service_error(kBadRequest, why.empty() ? fmt::format("Column name `{}` does not exist.", name) : why);
    }
    for (std::size_t i = 0; i < keys_.size(); ++i)
      if (key_row[i].is_null() && source_->kind == RelationKind::table)
        return service_error(kBadRequest, fmt::format("Key field must be specified: {}", keys_[i].name));
    return append(key_row, value_row, time);
  }

  std::optional<ServiceError> flush() override {
    if (single_) {
      const Row row = *std::exchange(single_, std::nullopt);
      auto appended = log_.append_now({source_->topic, row.partition}, view(row.key), view(row.value), row.time);
      if (!appended) return to_service_error(appended.error());
      return std::nullopt;
    }
    if (!writing_) return std::nullopt;
    if (Status done = writer_->commit(); !done) return to_service_error(done.error());
    const Writer::CommitState state = writer_->commit_state(std::chrono::minutes(1));
    if (state.outcome == Writer::Outcome::failed) return to_service_error(*state.error);
    writing_ = state.outcome != Writer::Outcome::committed;
    return std::nullopt;
  }

 private:
  struct Row {
    std::int32_t partition;
    std::optional<std::string> key, value;
    std::int64_t time;
  };

  static std::optional<std::string_view> view(const std::optional<std::string>& text) {
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
  }

  /// Names are case-insensitive unless back-quoted.
  static std::string column_name(std::string_view given) {
    if (given.size() >= 2 && (given.front() == '`' || given.front() == '"') && given.back() == given.front())
      return std::string(given.substr(1, given.size() - 2));
    std::string upper(given);
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return upper;
  }

  static bool place(const std::string& name, const json::value& given, const std::vector<ColumnDef>& columns,
                    std::vector<Value>& row, std::string& why) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name != name) continue;
      if (json_to_value(given, columns[i].type, row[i])) return true;
      why = fmt::format("Can't coerce a field of type {} ({}) into type {}", json_kind(given), json::serialize(given),
                        columns[i].type.to_string());
      return false;
    }
    return false;
  }

  std::optional<ServiceError> append(const std::vector<Value>& key_row, const std::vector<Value>& value_row,
                                     std::int64_t time) {
    auto key = encode_row(source_->key_format, keys_, key_row, true);
    if (!key) return to_service_error(key.error());
    auto value = encode_row(source_->value_format, values_, value_row, false);
    if (!value) return to_service_error(value.error());
    const std::int32_t partitions = writer_->partitions(topic_);
    const std::int32_t partition = *key
                                       ? partition_for(**key, partitions)
                                       : static_cast<std::int32_t>(keyless_++ % static_cast<std::uint64_t>(partitions));
    Row row{partition, std::move(*key), std::move(*value), time};
    if (!writing_ && !single_) {
      single_ = std::move(row);
      return std::nullopt;
    }
    writing_ = true;
    if (single_)
      if (auto problem = write(*std::exchange(single_, std::nullopt))) return problem;
    return write(row);
  }

  std::optional<ServiceError> write(const Row& row) {
    if (Status done = writer_->append(topic_, row.partition, view(row.key), view(row.value), row.time); !done)
      return to_service_error(done.error());
    return std::nullopt;
  }

  SourcePtr source_;
  Log& log_;
  const std::shared_ptr<InsertWriters> writers_;
  std::unique_ptr<Writer> writer_;
  const int topic_;
  std::vector<ColumnDef> keys_, values_;
  std::optional<Row> single_;  // appended, and nothing else since the last flush
  bool writing_ = false;       // the writer has a transaction that is not known to be committed
  std::uint64_t keyless_;      // rows without a key take turns
};

std::string source_name(std::string_view target) {
  if (target.size() >= 2 && target.front() == '`' && target.back() == '`')
    return std::string(target.substr(1, target.size() - 2));
  std::string upper(target);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

}  // namespace

Service::OpenedInserter ServiceImpl::inserter(const std::string& target, const PropertyMap&) {
  const std::string name = source_name(target);
  const StatePtr now = state();
  auto it = now->catalog.sources.find(name);
  if (it == now->catalog.sources.end())
    return {nullptr,
            service_error(kBadStatement, fmt::format("Cannot insert values into an unknown stream/table: {}", target))};
  const SourcePtr source = it->second;
  if (source->read_only)
    return {nullptr,
            service_error(kBadRequest, fmt::format("Cannot insert values into read-only {}: {}",
                                                   source->kind == RelationKind::stream ? "stream" : "table", name))};
  if (source->window) return {nullptr, service_error(kBadRequest, "Cannot insert values into windowed stream/table!")};
  if (source->schema.size() != source->schema.keys().size() + source->schema.values().size())
    return {nullptr,
            service_error(kBadRequest, fmt::format("Cannot insert into {} because it has header columns", name))};
  auto writer = insert_writers_->take();
  if (!writer) return {nullptr, to_service_error(writer.error())};
  auto topic = (*writer)->topic(source->topic);
  if (!topic) return {nullptr, to_service_error(topic.error())};
  if (Status known = (*writer)->refresh(*topic); !known) return {nullptr, to_service_error(known.error())};
  return {std::make_unique<LogInserter>(source, log_, insert_writers_, std::move(*writer), *topic, keyless_++),
          std::nullopt};
}

}  // namespace millrace::inline server
