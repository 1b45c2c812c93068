#include "exec/operators/ranked_rows.h"

#include <algorithm>

#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

std::vector<ExprPtr> expressions_in(const std::vector<SortKey>& order) {
  std::vector<ExprPtr> expressions;
  for (const SortKey& key : order) expressions.push_back(key.expr);
  return expressions;
}

/// Text is ordered by UTF-16 units, in which what UTF-8 begins with F0 to F4 lies before what it begins with EE or EF.
void order_as_utf16(std::string& bytes) {
  for (char& c : bytes) {
    if (static_cast<unsigned char>(c) == 0xEE) c = static_cast<char>(0xF5);
    if (static_cast<unsigned char>(c) == 0xEF) c = static_cast<char>(0xF6);
  }
}

void put_bytes(std::string_view bytes, std::string& out) {
  codec::put_unsigned(bytes.size(), out);
  out += bytes;
}
bool get_bytes(std::string_view& in, std::string_view& bytes) {
  std::uint64_t size = 0;
  if (!codec::get_unsigned(in, size) || in.size() < size) return false;
  bytes = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

}  // namespace

SortBytes::SortBytes(const std::vector<SortKey>& order, const PlanNode& input)
    : order_(order), keys_(expressions_in(order), input), parts_(order.size()) {}

void SortBytes::encode(const Batch& in, RowErrors& errors, KeyBuffer& out) {
  const std::vector<ColumnPtr> columns = keys_.evaluate(in, std::nullopt, errors);
  const std::vector<std::uint32_t> rows = all_rows(in.rows);
  for (std::size_t k = 0; k < order_.size(); ++k) {
    encode_keys({&columns[k], 1}, rows, {}, parts_[k]);
    if (columns[k]->type.kind() == TypeKind::string) order_as_utf16(parts_[k].bytes);
  }
  out.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const bool null = columns[k]->is_null(row);
      out.bytes.push_back(static_cast<char>(!null ? 1 : order_[k].nulls_first ? 0 : 2));
      const std::string_view part = parts_[k][row].substr(1);  // behind its own mark of NULL
      const std::size_t from = out.bytes.size();
      out.bytes += part;
      if (order_[k].descending)
        for (std::size_t i = from; i < out.bytes.size(); ++i) out.bytes[i] = static_cast<char>(~out.bytes[i]);
    }
    out.ends.push_back(static_cast<std::uint32_t>(out.bytes.size()));
  }
}

void write_rows(const RankedRows& rows, std::string& out) {
  for (const RankedRow& row : rows) {
    put_bytes(row.order, out);
    put_bytes(row.id, out);
    codec::put(row.timestamp, out);
    put_bytes(row.row, out);
  }
}

bool read_rows(std::string_view bytes, RankedRows& rows) {
  rows.clear();
  while (!bytes.empty()) {
    RankedRow& row = rows.emplace_back();
    if (!get_bytes(bytes, row.order) || !get_bytes(bytes, row.id) || !codec::get(bytes, row.timestamp) ||
        !get_bytes(bytes, row.row))
      return false;
  }
  return true;
}

std::size_t place_of(const RankedRows& rows, std::string_view order, std::string_view id) {
  const auto before = [&](std::string_view, const RankedRow& row) {
    return order != row.order ? order < row.order : id < row.id;
  };
  return static_cast<std::size_t>(std::upper_bound(rows.begin(), rows.end(), order, before) - rows.begin());
}

std::size_t find_row(const RankedRows& rows, std::string_view id) {
  return static_cast<std::size_t>(std::ranges::find(rows, id, &RankedRow::id) - rows.begin());
}

std::size_t count_first(const RankedRows& rows, RankFunction rank, std::size_t most) {
  if (rank == RankFunction::row_number) return std::min(rows.size(), most);
  std::size_t count = 0, distinct = 0;
  for (; count < rows.size(); ++count) {
    const bool tie = count > 0 && rows[count].order == rows[count - 1].order;
    if (!tie) ++distinct;
    if (!tie && (rank == RankFunction::rank ? count + 1 : distinct) > most) break;
  }
  return count;
}

}  // namespace millrace::inline exec
