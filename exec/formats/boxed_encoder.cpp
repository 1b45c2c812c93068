#include "exec/formats/boxed_encoder.h"

#include "parser/error/ensure.h"

namespace millrace::inline exec {

Result<std::optional<std::string>> BoxedEncoder::encode(std::span<const Value> values) {
  ensure(columns_.size() == values.size());
  if (nothing_) return std::optional<std::string>();
  bool all_null = true;
  boxes_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    all_null &= values[i].is_null();
    boxes_.push_back(make_constant_column(values[i], columns_[i].type, 1));
  }
  if (all_null && (is_key_ || null_is_absent(format_, columns_))) return std::optional<std::string>();
  Encoded out;
  if (encoder_ == nullptr) encoder_ = make_encoder(format_, columns_, is_key_);
  if (const Status status = encoder_->encode(boxes_, 1, out); !status) {
    encoder_.reset();  // it is half through a row
    return status.error();
  }
  return std::optional<std::string>(std::move(out.bytes));
}

Result<std::optional<std::string>> encode_row(const FormatInfo& format, std::span<const ColumnDef> columns,
                                              std::span<const Value> values, bool is_key) {
  return BoxedEncoder(format, {columns.begin(), columns.end()}, is_key).encode(values);
}

}  // namespace millrace::inline exec
