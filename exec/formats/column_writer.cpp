#include "exec/formats/column_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace millrace::inline exec {

namespace {

bool is_list(TypeKind kind) {
  return kind == TypeKind::array || kind == TypeKind::map;
}

// Rows that were given up may have left NULL bits behind the last row.
void clear_tail(Bitmap& bits, std::size_t rows) {
  const auto words = bits.words();
  const std::size_t full = rows / 64;
  if (full >= words.size()) return;
  words[full] &= (std::uint64_t{1} << (rows % 64)) - 1;
  std::fill(words.begin() + static_cast<std::ptrdiff_t>(full) + 1, words.end(), 0);
}

}  // namespace

ColumnWriter::ColumnWriter(Type type) : type_(std::move(type)), kind_(type_.kind()), width_(value_width(type_)) {
  if (kind_ == TypeKind::array) children_.emplace_back(type_.element());
  if (kind_ == TypeKind::map) {
    children_.emplace_back(type_.key());
    children_.emplace_back(type_.value());
  }
  if (kind_ == TypeKind::structure)
    for (const StructField& field : type_.fields()) children_.emplace_back(field.type);
}

void ColumnWriter::start(std::size_t rows) {
  column_ = std::make_shared<Column>();
  column_->type = type_;
  capacity_ = 0;
  elements_ = 0;
  any_null_ = false;
  const bool same_rows = kind_ == TypeKind::structure;
  for (auto& child : children_) child.start(same_rows ? rows : 0);
  grow(rows);
}

void ColumnWriter::grow(std::size_t rows) {
  const bool first = capacity_ == 0;
  const std::size_t capacity = first ? rows : std::max<std::size_t>({rows, capacity_ * 2, 16});
  column_->data.resize((capacity + (is_list(kind_) ? 1 : 0)) * width_);
  values_ = column_->data.data();
  if (is_list(kind_) && first) column_->data.as<std::uint32_t>()[0] = 0;
  if (!column_->nulls.empty()) column_->nulls.reserve(capacity);
  if (kind_ == TypeKind::structure)
    for (auto& child : children_) child.room(capacity == 0 ? 0 : capacity - 1);
  capacity_ = capacity;
}

void ColumnWriter::set_null(std::size_t i) {
  column_->nulls.set(i, capacity_);
  any_null_ = true;
  if (kind_ == TypeKind::structure) {
    for (auto& child : children_) child.set_null(i);
  } else if (is_list(kind_)) {
    auto* offsets = column_->data.as<std::uint32_t>();
    offsets[i + 1] = offsets[i];
    elements_ = offsets[i];
  } else if (kind_ == TypeKind::string || kind_ == TypeKind::bytes) {
    column_->data.as<std::string_view>()[i] = {};
  } else {
    std::memset(column_->data.data() + i * width_, 0, width_);
  }
}

std::shared_ptr<Column> ColumnWriter::finish(std::size_t rows, const std::vector<std::shared_ptr<const void>>& owners) {
  column_->size = rows;
  column_->data.resize((rows + (is_list(kind_) ? 1 : 0)) * width_);
  clear_tail(column_->nulls, rows);
  const std::size_t inner = is_list(kind_) ? column_->data.as<std::uint32_t>()[rows] : rows;
  for (auto& child : children_) column_->children.push_back(child.finish(inner, owners));
  if (kind_ == TypeKind::string || kind_ == TypeKind::bytes || !children_.empty()) column_->keep = owners;
  return std::exchange(column_, nullptr);
}

std::vector<ColumnWriter> make_writers(const std::vector<Type>& types) {
  std::vector<ColumnWriter> writers;
  for (const Type& type : types) writers.emplace_back(type);
  return writers;
}

}  // namespace millrace::inline exec
