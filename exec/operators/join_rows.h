#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/operators/table_side.h"

namespace millrace::inline exec {

/// Results of a join on their way out: pairs of rows in ROW bytes, either of which may be absent. Gives them out with
/// the join's schema: key, then all columns of the left relation, then all of the right one.
class JoinRows {
 public:
  /// Where the right relation's key is: that of the result (`alike`), in bytes that are added apart (`apart`: foreign
  /// keys), or in the key of the result behind that of the left relation (`behind`).
  enum class RightKey : std::uint8_t { alike, apart, behind };
  JoinRows(const PlanNode& join, const PlanNode& left, const PlanNode& right, RightKey right_key = RightKey::alike);

  using Bytes = std::optional<std::string_view>;
  /// The bytes are copied. `kind` is left out of streams. Without a key the result has none.
  void add(Bytes key, Bytes left, Bytes right, std::int64_t timestamp, RowKind kind = RowKind::insert,
           Bytes right_key = std::nullopt);
  struct Pair {
    Bytes left, right;
    Bytes right_key = std::nullopt;
  };
  /// The result of a key went from `old` to `now`; either may be absent. With `emit_before` the old result is given out
  /// too.
  void change(std::string_view key, const std::optional<Pair>& old, const std::optional<Pair>& now,
              std::int64_t timestamp, bool emit_before);
  /// Rows added from now on carry these headers (null: none).
  void set_headers(std::shared_ptr<const Headers> headers) { headers_ = std::move(headers); }
  void set_headers(const Batch& cause, std::size_t row) {
    headers_ = cause.headers.empty() ? nullptr : cause.headers[row];
  }
  /// Gives out what was added, in order.
  Status flush(Emitter& out);
  std::size_t size() const { return rows_.size(); }

 private:
  struct Piece {
    std::size_t at = 0, size = 0;
    bool there = false;
  };
  struct Row {
    Piece key, left, right, right_key;
    std::shared_ptr<const Headers> headers;
  };
  Piece keep(Bytes bytes);
  Bytes bytes_of(const Piece& piece) const;
  Result<Batch> make(std::size_t from, std::size_t to);
  std::vector<ColumnPtr> decode_keys(std::span<const Row> rows, Batch& out) const;
  Status add_side(RowCodec& codec, Piece Row::*piece, std::span<const Row> rows, const std::vector<ColumnPtr>& keys,
                  Batch& out);
  std::vector<ColumnPtr> right_keys(std::span<const Row> rows, const Batch& out) const;

  StoreKeys keys_;
  StoreKeys right_keys_;
  RowCodec left_, right_;
  bool stream_;
  RightKey right_key_;
  std::shared_ptr<const Headers> headers_;
  std::string arena_;
  std::vector<Row> rows_;
  std::vector<std::int64_t> timestamps_;
  std::vector<RowKind> kinds_;
};

}  // namespace millrace::inline exec
