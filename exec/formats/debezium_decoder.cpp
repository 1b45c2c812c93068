#include "exec/formats/codec.h"
#include "exec/formats/debezium_format.h"
#include "exec/formats/json_format.h"
#include "exec/formats/json_scanner.h"

namespace millrace::inline exec {
namespace {

/// The members of an object that matter, as they stand in the text; empty: it has none of that name.
struct Members {
  std::string_view schema, payload, before, after, op;

  std::string_view* find(std::string_view name) {
    if (name == "after") return &after;
    if (name == "before") return &before;
    if (name == "op") return &op;
    if (name == "payload") return &payload;
    return name == "schema" ? &schema : nullptr;
  }

  /// False: the text is no JSON object.
  bool read(std::string_view text) {
    const char* const end = text.data() + text.size();
    const char* at = json::skip_to_value(text.data(), end);
    if (at == end || *at != '{') return false;
    at = json::skip_space(at + 1, end);
    if (at != end && *at == '}') return true;
    for (;;) {
      if (at == end || *at != '"') return false;
      const char* const name = at + 1;
      const char* const close = json::scan_string(name, end).close;
      if (close == nullptr) return false;
      at = json::skip_space(close + 1, end);
      if (at == end || *at != ':') return false;
      const char* const value = json::skip_space(at + 1, end);
      at = json::skip_value(value, end);
      if (at == nullptr) return false;
      if (std::string_view* member = find({name, close})) *member = {value, at};
      at = json::skip_space(at, end);
      if (at == end || (*at != ',' && *at != '}')) return false;
      if (*at == '}') return true;
      at = json::skip_space(at + 1, end);
    }
  }
};

class DebeziumDecoder final : public Decoder {
 public:
  explicit DebeziumDecoder(std::unique_ptr<Decoder> rows) : rows_(std::move(rows)) {}

  void decode(std::span<const std::optional<std::string_view>> inputs, const std::shared_ptr<const void>& owner,
              std::vector<ColumnPtr>& out, Bitmap& bad, RowErrors& errors) override {
    removed_.clear();
    texts_.resize(inputs.size());
    for (std::size_t row = 0; row < inputs.size(); ++row) {
      texts_[row] = inputs[row];
      if (!inputs[row]) continue;
      const std::string_view fault = open(*texts_[row]);
      if (fault.empty() && texts_[row]->data() != nullptr) continue;
      texts_[row].reset();
      if (fault.empty()) {
        removed_.set(row, inputs.size());
      } else {
        bad.set(row, inputs.size());
        errors.add(static_cast<std::uint32_t>(row), std::string(fault));
      }
    }
    rows_->decode(texts_, owner, out, bad, errors);
  }
  const Bitmap* removed() const override { return removed_.empty() ? nullptr : &removed_; }

 private:
  /// Narrows a text to the row in it, to nothing where the row is gone. Gives what is wrong.
  static std::string_view open(std::string_view& text) {
    Members members;
    if (!members.read(text)) return is_null(text) ? gone(text) : "a change of Debezium must be a JSON object";
    if (!members.payload.empty() && !members.schema.empty()) {
      text = members.payload;
      members = {};
      if (!members.read(text)) return is_null(text) ? gone(text) : "a payload of Debezium must be a JSON object";
    }
    if (members.op.empty() || (members.after.empty() && members.before.empty())) return {};
    if (members.op == "\"d\"") return gone(text);
    if (members.after.empty() || is_null(members.after)) return "a change without the row after it";
    text = members.after;
    return {};
  }
  static bool is_null(std::string_view text) { return text == "null"; }
  static std::string_view gone(std::string_view& text) {
    text = {};
    return {};
  }

  std::unique_ptr<Decoder> rows_;
  std::vector<std::optional<std::string_view>> texts_;
  Bitmap removed_;
};

}  // namespace

std::unique_ptr<Decoder> make_debezium_decoder(std::vector<ColumnDef> columns, std::vector<std::size_t> wanted) {
  return std::make_unique<DebeziumDecoder>(make_json_decoder(std::move(columns), std::move(wanted), false));
}

Codec debezium_json_codec() {
  return {[](DecoderPlan plan) { return make_debezium_decoder(std::move(plan.columns), std::move(plan.wanted)); },
          nullptr};
}

}  // namespace millrace::inline exec
