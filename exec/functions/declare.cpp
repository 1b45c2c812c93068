#include "exec/functions/declare.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <stdexcept>

#include "parser/error/letter_case.h"

namespace millrace::inline exec {
namespace {

/// Reads one signature from front to back.
class SignatureReader {
 public:
  explicit SignatureReader(std::string_view text) : text_(text), rest_(text) {}

  FunctionVariant read() {
    FunctionVariant variant;
    while (!at("->")) {
      read_parameter(variant);
      if (!eat(",") && !at("->")) fail();
    }
    eat("->");
    variant.returns = read_pattern();
    skip();
    if (!rest_.empty()) fail();
    return variant;
  }

 private:
  void read_parameter(FunctionVariant& variant) {
    ParameterDef parameter;
    parameter.literal = eat("literal ");
    parameter.type = read_pattern();
    if (eat("...")) variant.variadic = static_cast<int>(variant.parameters.size());
    if (!at(",") && !at("->")) parameter.name = read_word();
    if (eat(">=")) parameter.least = std::stoi(read_word());
    variant.parameters.push_back(std::move(parameter));
  }

  TypePattern read_pattern() {
    using Kind = TypePattern::Kind;
    const std::string word = read_word();
    if (word == "ARRAY") return combine(Kind::array, read_list());
    if (word == "MAP") return combine(Kind::map, read_list());
    if (word == "LAMBDA") return {.kind = Kind::lambda, .arguments = read_list()};
    if (word == "DECIMAL") return {.kind = Kind::any_decimal};
    if (word == "UNIT") return {.kind = Kind::interval_unit};
    if (word == "ANY") return {.kind = Kind::any};
    if (word == "STRUCT") return at("<") ? read_struct() : TypePattern{.kind = Kind::any_struct};
    const Type type = scalar_type(word);
    if (!type.is_null()) return {.kind = Kind::concrete, .type = type};
    return {.kind = Kind::generic, .variable = word};
  }

  std::vector<TypePattern> read_list() {
    std::vector<TypePattern> list;
    if (!eat("<")) fail();
    do list.push_back(read_pattern());
    while (eat(","));
    if (!eat(">")) fail();
    return list;
  }

  TypePattern read_struct() {
    std::vector<StructField> fields;
    eat("<");
    do {
      std::string name = read_word();
      fields.push_back({std::move(name), read_pattern().type});
    } while (eat(","));
    if (!eat(">")) fail();
    return {.kind = TypePattern::Kind::concrete, .type = Type::structure(std::move(fields))};
  }

  static TypePattern combine(TypePattern::Kind kind, std::vector<TypePattern> parts) {
    const bool concrete =
        std::ranges::all_of(parts, [](const TypePattern& part) { return part.kind == TypePattern::Kind::concrete; });
    if (!concrete) return {.kind = kind, .arguments = std::move(parts)};
    Type type = kind == TypePattern::Kind::array ? Type::array(parts[0].type) : Type::map(parts[0].type, parts[1].type);
    return {.kind = TypePattern::Kind::concrete, .type = std::move(type)};
  }

  static Type scalar_type(std::string_view word) {
    if (word == "BOOLEAN") return Type::boolean();
    if (word == "INT") return Type::integer();
    if (word == "BIGINT") return Type::bigint();
    if (word == "DOUBLE") return Type::double_();
    if (word == "STRING") return Type::string();
    if (word == "BYTES") return Type::bytes();
    if (word == "DATE") return Type::date();
    if (word == "TIME") return Type::time();
    if (word == "TIMESTAMP") return Type::timestamp();
    return Type::null();
  }

  void skip() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool at(std::string_view token) {
    skip();
    return rest_.starts_with(token);
  }
  bool eat(std::string_view token) {
    if (!at(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  std::string read_word() {
    skip();
    std::size_t size = 0;
    while (size < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[size])) != 0 || rest_[size] == '_'))
      ++size;
    if (size == 0) fail();
    std::string word(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return word;
  }
  [[noreturn]] void fail() const { throw std::logic_error("malformed function signature: " + std::string(text_)); }

  std::string_view text_, rest_;
};

class BoxedKernel final : public ScalarKernel {
 public:
  BoxedKernel(BoxedFunction function, OnNull on_null, CallTypes types)
      : function_(function), on_null_(on_null), types_(std::move(types)) {}

  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody>) override {
    ColumnBuilder builder(types_.result);
    std::vector<Value> values(arguments.size());
    for (std::size_t i = 0; i < frame.rows(); ++i) {
      bool null = false;
      for (std::size_t a = 0; a < arguments.size(); ++a) {
        if (i == 0 || !arguments[a].constant) values[a] = arguments[a].value(i);
        null = null || values[a].is_null();
      }
      builder.append(null && on_null_ != OnNull::pass ? on_null(frame, i) : call(frame, i, values));
    }
    return builder.finish();
  }

 private:
  Value on_null(Frame& frame, std::size_t row) const {
    if (on_null_ == OnNull::fail) frame.fail(row, "a function argument is NULL");
    return {};
  }
  Value call(Frame& frame, std::size_t row, std::span<const Value> values) const {
    Result<Value> result = function_(values, types_);
    if (result) return std::move(*result);
    frame.fail(row, result.error().message);
    return {};
  }

  BoxedFunction function_;
  OnNull on_null_;
  CallTypes types_;
};

struct BoxedImplementation final : ScalarImplementation {
  BoxedFunction function;
  OnNull on_null;
  BoxedImplementation(BoxedFunction f, OnNull n) : function(f), on_null(n) {}
  std::unique_ptr<ScalarKernel> make(const CallTypes& types) const override {
    return std::make_unique<BoxedKernel>(function, on_null, types);
  }
};

struct KernelImplementation final : ScalarImplementation {
  KernelMaker maker;
  explicit KernelImplementation(KernelMaker m) : maker(std::move(m)) {}
  std::unique_ptr<ScalarKernel> make(const CallTypes& types) const override { return maker(types); }
};

}  // namespace

FunctionVariant parse_signature(std::string_view signature) {
  return SignatureReader(signature).read();
}

FunctionDef define(FunctionKind kind, std::string_view category, DefinitionSpec spec) {
  FunctionDef def;
  def.name = upper_case(spec.name);
  def.display_name = spec.name;
  def.kind = kind;
  def.category = category;
  def.doc = spec.doc;
  def.variants = std::move(spec.variants);
  def.examples = std::move(spec.examples);
  for (FunctionVariant& variant : def.variants)
    if (variant.doc.empty()) variant.doc = def.doc;
  return def;
}

FunctionDef aggregate_def(DefinitionSpec spec) {
  return define(FunctionKind::aggregate, "AGGREGATE", std::move(spec));
}

FunctionVariant boxed(std::string_view signature, BoxedFunction function, OnNull on_null) {
  FunctionVariant variant = parse_signature(signature);
  variant.implementation = std::make_shared<BoxedImplementation>(function, on_null);
  return variant;
}

FunctionVariant kernel(std::string_view signature, KernelMaker make) {
  FunctionVariant variant = parse_signature(signature);
  variant.implementation = std::make_shared<KernelImplementation>(std::move(make));
  return variant;
}

FunctionVariant aggregate(std::string_view signature, AggregateTraits traits, AggregateMaker make) {
  FunctionVariant variant = parse_signature(signature);
  variant.undo = traits.undo;
  variant.structured = traits.structured;
  variant.combines = traits.combines;
  variant.last_wins = traits.last_wins;
  variant.implementation = std::make_shared<AggregateImplementation>(std::move(make));
  return variant;
}

FunctionVariant table(std::string_view signature, TableMaker make) {
  FunctionVariant variant = parse_signature(signature);
  variant.implementation = std::make_shared<TableImplementation>(std::move(make));
  return variant;
}

FunctionVariant returning(FunctionVariant variant, std::function<Type(std::span<const Type>)> resolve) {
  variant.resolve_return = std::move(resolve);
  return variant;
}

FunctionVariant not_deterministic(FunctionVariant variant) {
  variant.deterministic = false;
  return variant;
}

std::unique_ptr<Aggregate> make_aggregate(const AggregateCall& call) {
  const FunctionVariant& variant = call.function->variants[call.variant];
  const auto& implementation = dynamic_cast<const AggregateImplementation&>(*variant.implementation);
  AggregateSpec spec;
  for (const ExprPtr& argument : call.arguments) spec.arguments.push_back(argument->type);
  spec.constants = call.constants;
  spec.result = call.column.type;
  spec.limit = call.limit;
  return implementation.make(spec);
}

Status Aggregate::update_all(std::byte* state, std::span<const ColumnPtr> arguments, std::size_t rows) const {
  const std::vector<std::byte*> states(rows, state);
  std::vector<std::uint32_t> all(rows);
  std::iota(all.begin(), all.end(), 0U);
  return update(states, 0, arguments, all);
}

AggregateRow lay_out(std::span<const std::unique_ptr<Aggregate>> aggregates) {
  AggregateRow row;
  for (const auto& one : aggregates) {
    const Aggregate::Layout layout = one->layout();
    row.size = (row.size + layout.alignment - 1) / layout.alignment * layout.alignment;
    row.offsets.push_back(row.size);
    row.size += layout.size;
    row.alignment = std::max(row.alignment, layout.alignment);
    row.trivial = row.trivial && layout.trivial;
  }
  row.size = (row.size + row.alignment - 1) / row.alignment * row.alignment;
  return row;
}

std::unique_ptr<TableFunction> make_table_function(const TableCall& call) {
  const FunctionVariant& variant = call.function->variants[call.variant];
  return dynamic_cast<const TableImplementation&>(*variant.implementation).make(call.column.type);
}

}  // namespace millrace::inline exec
