#include <fmt/format.h>

#include <utility>

#include "server/session/json_value.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

/// A name as the API gives it: case-insensitive unless quoted.
ast::Identifier api_name(std::string_view given) {
  if (given.size() >= 2 && (given.front() == '`' || given.front() == '"') && given.back() == given.front())
    return {std::string(given.substr(1, given.size() - 2)), true, {}};
  ast::Identifier name{std::string(given), false, {}};
  for (char& c : name.text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

/// Rows of /inserts-stream.
class JsonInserter final : public Inserter {
 public:
  JsonInserter(std::unique_ptr<RowInserter> rows, std::function<std::int64_t()> now,
               std::function<RowTurns::Turn(const SourceDef&)> turn)
      : rows_(std::move(rows)),
        now_(std::move(now)),
        take_turn_(std::move(turn)),
        columns_(rows_->source().schema.columns) {}

  std::optional<ServiceError> insert(const json::object& row) override {
    std::vector<Value> values(columns_.size());
    std::int64_t time = now_();
    for (const auto& entry : row) {
      const std::string name = api_name(entry.key()).text;
      if (name == "ROWTIME" && entry.value().is_int64()) {
        time = entry.value().get_int64();
      } else if (auto why = place(name, entry.value(), values)) {
        return service_error(kBadRequest, std::move(*why));
      }
    }
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].role == ColumnRole::key && values[i].is_null() && rows_->source().kind == RelationKind::table)
        return service_error(kBadRequest, fmt::format("Key field must be specified: {}", columns_[i].name));
    if (!turn_) turn_ = take_turn_(rows_->source());
    if (Status done = rows_->add(values, time); !done) return to_service_error(done.error());
    return std::nullopt;
  }

  std::optional<ServiceError> flush() override {
    const Status done = rows_->flush();
    turn_ = {};
    if (!done) return to_service_error(done.error());
    return std::nullopt;
  }

 private:
  /// What is wrong with it, if anything is.
  std::optional<std::string> place(const std::string& name, const json::value& given, std::vector<Value>& row) const {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].name != name) continue;
      if (json_to_value(given, columns_[i].type, row[i])) return std::nullopt;
      return fmt::format("Can't coerce a field of type {} ({}) into type {}", json_kind(given), json::serialize(given),
                         columns_[i].type.to_string());
    }
    return fmt::format("Column name `{}` does not exist.", name);
  }

  const std::unique_ptr<RowInserter> rows_;
  const std::function<std::int64_t()> now_;
  const std::function<RowTurns::Turn(const SourceDef&)> take_turn_;
  RowTurns::Turn turn_;                    // from the first row until it is written
  const std::vector<ColumnDef>& columns_;  // keys, then values
};

}  // namespace

Service::OpenedInserter ServiceImpl::inserter(const std::string& target, const PropertyMap& properties) {
  if (fixed_)
    return {nullptr,
            service_error(kBadStatement, "This server runs the statements of ksql.queries.file, and takes no rows.")};
  try {
    const StatePtr now = state();
    LogTopics topics(log_);
    const SessionProperties session = session_properties({.sql = {}, .properties = properties}, true);
    SourcePtr source = insert_target(api_name(target), {*now, functions_, topics, session, config()});
    for (const ColumnDef& column : source->schema.columns)
      if (column.role == ColumnRole::header)
        return {nullptr, service_error(kBadRequest, fmt::format("Cannot insert into {} because it has header columns",
                                                                source->name))};
    auto rows = open_rows(std::move(source));
    if (!rows) return {nullptr, to_service_error(rows.error())};
    return {std::make_unique<JsonInserter>(
                std::move(*rows), [this] { return ServiceImpl::now(); },
                [this](const SourceDef& def) { return insert_turn(def); }),
            std::nullopt};
  } catch (const SqlError& error) {
    if (error.code() == Code::unknown_source)
      return {nullptr, service_error(kBadStatement,
                                     fmt::format("Cannot insert values into an unknown stream/table: {}", target))};
    return {nullptr, to_service_error(error, target, true)};
  }
}

}  // namespace millrace::inline server
