#include <cstring>
#include <string>

#include "exec/data/column.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {

struct ColumnBuilder::State {
  Type type;
  std::size_t size = 0;
  Buffer data;
  std::vector<std::uint32_t> null_rows;
  std::vector<std::uint32_t> offsets{0};
  std::vector<ColumnBuilder> children;
  std::shared_ptr<Arena> arena;

  template <class T>
  void push(T value) {
    data.resize(data.size() + sizeof(T));
    std::memcpy(data.data() + data.size() - sizeof(T), &value, sizeof(T));
  }
  void push_text(std::string_view text) {
    if (arena == nullptr) arena = std::make_shared<Arena>();
    push(arena->copy(text));
  }
  void append_null();
  void append_scalar(const Value& value);
  void append_nested(const Value& value);
  bool is_list() const { return type.kind() == TypeKind::array || type.kind() == TypeKind::map; }
};

void ColumnBuilder::State::append_null() {
  null_rows.push_back(static_cast<std::uint32_t>(size));
  if (is_list()) {
    offsets.push_back(offsets.back());
  } else if (type.kind() == TypeKind::structure) {
    for (ColumnBuilder& child : children) child.append({});
  } else {
    const std::size_t width = value_width(type);
    data.resize(data.size() + width);
    std::memset(data.data() + data.size() - width, 0, width);
  }
}

void ColumnBuilder::State::append_scalar(const Value& value) {
  switch (type.kind()) {
    case TypeKind::boolean:
      return push<std::uint8_t>(value.as<bool>() ? 1 : 0);
    case TypeKind::integer:
      return push(value.as<std::int32_t>());
    case TypeKind::bigint:
      return push(value.as<std::int64_t>());
    case TypeKind::double_:
      return push(value.as<double>());
    case TypeKind::decimal:
      ensure(value.as<Decimal>().scale == type.scale());
      return push(value.as<Decimal>().unscaled);
    case TypeKind::string:
      return push_text(value.as<std::string>());
    case TypeKind::bytes:
      return push_text(value.as<Bytes>().data);
    case TypeKind::time:
      return push(value.as<Time>().millis);
    case TypeKind::date:
      return push(value.as<Date>().days);
    case TypeKind::timestamp:
      return push(value.as<Timestamp>().millis);
    default:
      return push<std::uint8_t>(0);
  }
}

void ColumnBuilder::State::append_nested(const Value& value) {
  if (type.kind() == TypeKind::structure) {
    const Value::List& fields = value.fields();
    for (std::size_t i = 0; i < children.size(); ++i) children[i].append(fields[i]);
    return;
  }
  std::size_t count = 0;
  if (type.kind() == TypeKind::array) {
    for (const Value& item : value.items()) children[0].append(item);
    count = value.items().size();
  } else {
    for (const auto& [key, mapped] : value.entries()) {
      children[0].append(key);
      children[1].append(mapped);
    }
    count = value.entries().size();
  }
  offsets.push_back(offsets.back() + static_cast<std::uint32_t>(count));
}

ColumnBuilder::ColumnBuilder(Type type) : state_(std::make_unique<State>()) {
  if (type.kind() == TypeKind::array) {
    state_->children.emplace_back(type.element());
  } else if (type.kind() == TypeKind::map) {
    state_->children.emplace_back(type.key());
    state_->children.emplace_back(type.value());
  } else if (type.kind() == TypeKind::structure) {
    for (const StructField& field : type.fields()) state_->children.emplace_back(field.type);
  }
  state_->type = std::move(type);
}
ColumnBuilder::~ColumnBuilder() = default;
ColumnBuilder::ColumnBuilder(ColumnBuilder&&) noexcept = default;

void ColumnBuilder::append(const Value& value) {
  if (value.is_null() || state_->type.is_null())
    state_->append_null();
  else if (state_->type.is_nested())
    state_->append_nested(value);
  else
    state_->append_scalar(value);
  ++state_->size;
}

std::shared_ptr<Column> ColumnBuilder::finish() {
  State& s = *state_;
  auto column = std::make_shared<Column>();
  column->type = s.type;
  column->size = s.size;
  if (s.is_list()) {
    column->data.resize(s.offsets.size() * 4);
    std::memcpy(column->data.data(), s.offsets.data(), s.offsets.size() * 4);
  } else {
    column->data = std::move(s.data);
  }
  for (const std::uint32_t row : s.null_rows) column->nulls.set(row, s.size);
  if (s.arena != nullptr) column->keep.push_back(std::move(s.arena));
  for (ColumnBuilder& child : s.children) column->children.push_back(child.finish());
  s.size = 0;
  s.data = Buffer();
  s.arena = nullptr;
  s.null_rows.clear();
  s.offsets.assign(1, 0);
  return column;
}

}  // namespace millrace::inline exec
