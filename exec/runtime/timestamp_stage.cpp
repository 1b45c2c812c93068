#include "exec/runtime/timestamp_stage.h"

#include "exec/data/event_time.h"
#include "exec/functions/builtin.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {
namespace {

ExprPtr parse_call(const std::string& format) {
  const FunctionDef* function = builtin_functions().find("PARSE_TIMESTAMP");
  ensure(function != nullptr);
  std::size_t variant = 0;
  while (variant + 1 < function->variants.size() && function->variants[variant].parameters.size() != 2) ++variant;
  auto call = std::make_shared<Expr>();
  call->type = Type::timestamp();
  call->node =
      CallExpr{function,
               variant,
               {make_column(0, Type::string(), "TIMESTAMP"), make_literal(Value(std::string(format)), Type::string())}};
  return call;
}

}  // namespace

TimestampStage::TimestampStage(const Type& type, const std::optional<std::string>& format, bool strict)
    : strict_(strict) {
  if (type.kind() == TypeKind::string && format) parser_.emplace(parse_call(*format));
}

Status TimestampStage::extract(const ColumnPtr& column, std::size_t rows, const Bitmap& skip,
                               std::vector<std::int64_t>& times, Bitmap& bad, RowErrors& errors) {
  ColumnPtr values = column;
  if (parser_) {
    Batch batch;
    batch.rows = rows;
    batch.columns.push_back(column);
    batch.timestamps = std::make_shared<const std::vector<std::int64_t>>(rows, 0);
    RowErrors unparsable;
    values = parser_->evaluate(batch, unparsable);
  }
  const auto data = values->values<std::int64_t>();
  times.assign(data.begin(), data.end());
  for (std::size_t row = 0; row < rows; ++row) {
    const bool missing = values->is_null(row);
    if ((!missing && is_event_time(times[row])) || skip.test(row)) continue;
    if (strict_ && missing) {
      return user_error(
          "Fatal user code error in TimestampExtractor callback: the timestamp column is null or cannot be parsed");
    }
    bad.set(row, rows);
    errors.add(static_cast<std::uint32_t>(row), missing          ? "the timestamp column is null or cannot be parsed"
                                                : times[row] < 0 ? "the timestamp column is negative"
                                                                 : "the timestamp column lies beyond the year 9999");
  }
  return {};
}

}  // namespace millrace::inline exec
