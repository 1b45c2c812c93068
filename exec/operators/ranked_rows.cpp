#include "exec/operators/ranked_rows.h"

#include <algorithm>

#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

/// Text is ordered by UTF-16 units, in which what UTF-8 begins with F0 to F4 lies before what it begins with EE or EF.
void order_as_utf16(std::string& bytes) {
  for (char& c : bytes) {
    if (static_cast<unsigned char>(c) == 0xEE) c = static_cast<char>(0xF5);
    if (static_cast<unsigned char>(c) == 0xEF) c = static_cast<char>(0xF6);
  }
}

bool read_row(std::string_view& bytes, RankedRow& row) {
  return codec::get_text(bytes, row.order) && codec::get_text(bytes, row.id) && codec::get(bytes, row.timestamp) &&
         codec::get_text(bytes, row.row);
}

}  // namespace

SortBytes::SortBytes(const std::vector<SortKey>& order, const PlanNode& input)
    : order_(order), keys_(expressions_of(order), input) {}

void SortBytes::encode(const Batch& in, RowErrors& errors, KeyBuffer& out) {
  const std::vector<ColumnPtr> columns = keys_.evaluate(in, std::nullopt, errors);
  encode_sorted(columns, order_, all_rows(in.rows), out);
}

void encode_sorted(std::span<const ColumnPtr> columns, std::span<const SortKey> order,
                   std::span<const std::uint32_t> rows, KeyBuffer& out) {
  std::vector<KeyBuffer> parts(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    encode_keys({&columns[k], 1}, rows, {}, parts[k]);
    if (columns[k]->type.kind() == TypeKind::string) order_as_utf16(parts[k].bytes);
  }
  out.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < order.size(); ++k) {
      const bool null = columns[k]->is_null(rows[i]);
      out.bytes.push_back(static_cast<char>(!null ? 1 : order[k].nulls_first ? 0 : 2));
      const std::string_view part = parts[k][i].substr(1);  // behind its own mark of NULL
      const std::size_t from = out.bytes.size();
      out.bytes += part;
      if (order[k].descending)
        for (std::size_t at = from; at < out.bytes.size(); ++at) out.bytes[at] = static_cast<char>(~out.bytes[at]);
    }
    out.ends.push_back(static_cast<std::uint32_t>(out.bytes.size()));
  }
}

void write_rows(const RankedRows& rows, std::string& out) {
  for (const RankedRow& row : rows) {
    codec::put_text(row.order, out);
    codec::put_text(row.id, out);
    codec::put(row.timestamp, out);
    codec::put_text(row.row, out);
  }
}

bool read_rows(std::string_view bytes, RankedRows& rows) {
  rows.clear();
  while (!bytes.empty())
    if (!read_row(bytes, rows.emplace_back())) return false;
  return true;
}

std::optional<RankedRow> first_row(std::string_view bytes) {
  RankedRow row;
  return read_row(bytes, row) ? std::optional(row) : std::nullopt;
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
