#include <fmt/format.h>

#include <bit>

#include "exec/formats/avro_default.h"
#include "exec/formats/avro_format.h"
#include "exec/formats/avro_wire.h"
#include "exec/formats/scalar_store.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace avro {

const char* skip(const Node& node, const char* at, const char* end, int depth) {
  constexpr int kMaxDepth = 64;
  if (depth > kMaxDepth) return nullptr;
  const auto jump = [&](std::size_t bytes) {
    return static_cast<std::size_t>(end - at) < bytes ? nullptr : at + bytes;
  };
  std::int64_t number;
  std::string_view bytes;
  switch (node.kind) {
    case Kind::null:
      return at;
    case Kind::boolean:
      return jump(1);
    case Kind::int_:
    case Kind::long_:
    case Kind::enumeration:
      return read_long(at, end, number);
    case Kind::float_:
      return jump(4);
    case Kind::double_:
      return jump(8);
    case Kind::bytes:
    case Kind::string:
      return read_bytes(at, end, bytes);
    case Kind::fixed:
      return jump(node.size);
    case Kind::record:
      for (const Field& field : node.fields)
        if ((at = skip(*field.type, at, end, depth + 1)) == nullptr) return nullptr;
      return at;
    case Kind::union_:
      at = read_long(at, end, number);
      if (at == nullptr || number < 0 || number >= static_cast<std::int64_t>(node.branches.size())) return nullptr;
      return skip(*node.branches[static_cast<std::size_t>(number)], at, end, depth + 1);
    default:
      break;
  }
  for (;;) {
    std::int64_t items, size;
    at = read_block(at, end, items, size);
    if (at == nullptr || items == 0) return at;
    if (size >= 0) {
      at += size;
      continue;
    }
    if (!plausible(items, at, end)) return nullptr;
    for (; items > 0; --items) {
      if (node.kind == Kind::map && (at = read_bytes(at, end, bytes)) == nullptr) return nullptr;
      if ((at = skip(*node.element, at, end, depth + 1)) == nullptr) return nullptr;
    }
  }
}

}  // namespace avro

namespace {

using avro::Kind;
using avro::Logical;
using avro::Node;

enum class Op : std::uint8_t {
  skip,
  several,  // columns that want the same field
  null,
  to_int32,
  to_int64,
  to_double,
  to_text,
  to_boolean,
  number,
  float_,
  double_,
  bytes,
  fixed,
  enumeration,
  decimal,
  record,
  array,
  map,
  map_entries,
  union_,
  union_fields,
  misfit,
};

/// A column that the writer's record lacks.
struct Fill {
  ColumnWriter* out;
  Value value;
};

struct Step {
  Op op = Op::skip;
  const Node* node = nullptr;
  ColumnWriter* out = nullptr;
  std::vector<Step> steps;  // record: fields as written; union: branches; list: element, or key and value
  std::vector<Fill> fills;
};

/// A column, or a field of one, that wants a value.
struct Want {
  std::string_view name;
  ColumnWriter* out;
};

std::vector<Want> fields_of(ColumnWriter& out) {
  std::vector<Want> wants;
  for (std::size_t k = 0; k < out.child_count(); ++k) wants.push_back({out.type().fields()[k].name, &out.child(k)});
  return wants;
}

/// The part of the reader's schema that describes the same thing; null: nothing does.
const Node* plain(const Node* reader) {
  return reader && reader->kind == Kind::union_ ? reader->only_branch() : reader;
}

class Compiler {
 public:
  Step compile(const Node& node, const Node* reader, ColumnWriter& out) {
    Step step{.op = Op::misfit, .node = &node, .out = &out, .steps = {}, .fills = {}};
    switch (node.kind) {
      case Kind::null:
        step.op = Op::null;
        break;
      case Kind::boolean:
        step.op = out.kind() == TypeKind::boolean ? Op::to_boolean : text_or_misfit(out, Op::to_boolean);
        break;
      case Kind::int_:
      case Kind::long_:
        step.op = number_op(node, out);
        break;
      case Kind::float_:
        step.op = Op::float_;
        break;
      case Kind::double_:
        step.op = out.kind() == TypeKind::double_ ? Op::to_double : Op::double_;
        break;
      case Kind::string:
        step.op = text_or_misfit(out, Op::to_text);
        break;
      case Kind::enumeration:
        step.op = text_or_misfit(out, Op::enumeration);
        break;
      case Kind::bytes:
      case Kind::fixed:
        step.op = binary_op(node, out);
        break;
      case Kind::record:
        if (out.kind() == TypeKind::structure) compile_record(step, node, plain(reader), fields_of(out));
        break;
      case Kind::array:
      case Kind::map:
        compile_list(step, node, plain(reader));
        break;
      case Kind::union_:
        compile_union(step, node, reader);
        break;
    }
    return step;
  }

  void compile_record(Step& step, const Node& node, const Node* reader, const std::vector<Want>& wants) {
    step.op = Op::record;
    step.node = &node;
    std::vector<std::vector<Step>> by_field(node.fields.size());
    for (const Want& want : wants) {
      const avro::Field* known = reader && reader->kind == Kind::record ? reader->find(want.name) : nullptr;
      const avro::Field* field = find(node, want.name, known);
      if (field == nullptr) {
        step.fills.push_back({want.out, default_of(known, want.out->type())});
        continue;
      }
      const auto index = static_cast<std::size_t>(field - node.fields.data());
      by_field[index].push_back(compile(*field->type, known ? known->type : nullptr, *want.out));
    }
    for (std::size_t i = 0; i < node.fields.size(); ++i) {
      if (by_field[i].size() == 1) {
        step.steps.push_back(std::move(by_field[i].front()));
      } else {
        const Op op = by_field[i].empty() ? Op::skip : Op::several;
        step.steps.push_back(
            {.op = op, .node = node.fields[i].type, .out = nullptr, .steps = std::move(by_field[i]), .fills = {}});
      }
    }
  }

 private:
  static Op text_or_misfit(const ColumnWriter& out, Op op) { return out.kind() == TypeKind::string ? op : Op::misfit; }

  static Op number_op(const Node& node, const ColumnWriter& out) {
    const bool micros = node.logical == Logical::time_micros || node.logical == Logical::timestamp_micros;
    if (micros) return Op::number;
    if (out.kind() == TypeKind::integer || out.kind() == TypeKind::date) return Op::to_int32;
    if (out.kind() == TypeKind::bigint || out.kind() == TypeKind::timestamp) return Op::to_int64;
    return Op::number;
  }

  static Op binary_op(const Node& node, const ColumnWriter& out) {
    if (out.kind() == TypeKind::bytes) return node.kind == Kind::bytes ? Op::bytes : Op::fixed;
    return node.logical == Logical::decimal ? Op::decimal : Op::misfit;
  }

  static const avro::Field* find(const Node& node, std::string_view name, const avro::Field* known) {
    if (const avro::Field* field = node.find(name)) return field;
    if (known == nullptr) return nullptr;
    for (const std::string& alias : known->aliases)
      for (const avro::Field& field : node.fields)
        if (field.name == alias) return &field;
    return nullptr;
  }

  static Value default_of(const avro::Field* known, const Type& type) {
    return known && known->otherwise ? avro::default_value(*known->otherwise, *known->type, type) : Value();
  }

  void compile_list(Step& step, const Node& node, const Node* reader) {
    ColumnWriter& out = *step.out;
    const Node* inner = reader && reader->kind == node.kind ? reader->element : nullptr;
    if (node.kind == Kind::array && out.kind() == TypeKind::array) {
      step.op = Op::array;
      step.steps.push_back(compile(*node.element, inner, out.child(0)));
    } else if (node.kind == Kind::map && out.kind() == TypeKind::map) {
      step.op = Op::map;
      step.steps.push_back(compile(*node.element, inner, out.child(1)));
    } else if (out.kind() == TypeKind::map && node.element->kind == Kind::record && node.element->fields.size() == 2) {
      step.op = Op::map_entries;
      for (std::size_t k = 0; k < 2; ++k)
        step.steps.push_back(compile(*node.element->fields[k].type, nullptr, out.child(k)));
    }
  }

  void compile_union(Step& step, const Node& node, const Node* reader) {
    ColumnWriter& out = *step.out;
    const bool fields = out.kind() == TypeKind::structure && node.only_branch() == nullptr;
    step.op = fields ? Op::union_fields : Op::union_;
    for (const Node* branch : node.branches) {
      if (!fields || branch->kind == Kind::null) {
        step.steps.push_back(compile(*branch, plain(reader), out));
        continue;
      }
      Step inner{.op = Op::skip, .node = branch, .steps = {}, .fills = {}};
      Node names;
      names.fields.push_back({.name = avro::branch_name(*branch), .aliases = {}, .otherwise = {}});
      for (const Want& want : fields_of(out))
        if (names.find(want.name)) inner = compile(*branch, nullptr, *want.out);
      step.steps.push_back(std::move(inner));
    }
  }
};

}  // namespace

struct AvroReader::State {
  avro::SchemaPtr writer, reader;
  Step root;
  std::string reason;
  ArenaPtr* arena = nullptr;

  const char* misfit(const Step& step) {
    reason = fmt::format("Avro {} cannot be read as {}", avro::branch_name(*step.node), step.out->type().to_string());
    return nullptr;
  }

  const char* check(bool stored, const Step& step, const char* at) { return stored ? at : misfit(step); }

  const char* run(const Step& step, const char* at, const char* end, std::size_t row) {
    std::int64_t number;
    std::string_view bytes;
    switch (step.op) {
      case Op::skip:
        return avro::skip(*step.node, at, end);
      case Op::several: {
        const char* after = nullptr;
        for (const Step& reader : step.steps)
          if ((after = run(reader, at, end, row)) == nullptr) return nullptr;
        return after;
      }
      case Op::null:
        step.out->set_null(row);
        return at;
      case Op::to_int32:
        at = avro::read_long(at, end, number);
        if (at != nullptr) step.out->set(row, static_cast<std::int32_t>(number));
        return at;
      case Op::to_int64:
        at = avro::read_long(at, end, number);
        if (at != nullptr) step.out->set(row, number);
        return at;
      case Op::to_double:
        if (end - at < 8) return nullptr;
        double value;
        std::memcpy(&value, at, 8);
        step.out->set(row, value);
        return at + 8;
      case Op::to_text:
        at = avro::read_bytes(at, end, bytes);
        if (at != nullptr) step.out->set(row, as_utf8(bytes, *arena));
        return at;
      case Op::to_boolean:
        if (at == end) return nullptr;
        return check(store_boolean(*at != 0, *step.out, row), step, at + 1);
      case Op::record:
        at = run_record(step, at, end, row);
        if (at != nullptr && step.out != nullptr) step.out->mark_present(row);
        return at;
      case Op::union_:
      case Op::union_fields:
        return run_union(step, at, end, row);
      case Op::array:
      case Op::map:
      case Op::map_entries:
        return run_list(step, at, end, row);
      default:
        return run_other(step, at, end, row);
    }
  }

  const char* run_record(const Step& step, const char* at, const char* end, std::size_t row) {
    for (const Step& field : step.steps)
      if ((at = run(field, at, end, row)) == nullptr) return nullptr;
    for (const Fill& fill : step.fills) avro::set_value(*fill.out, row, fill.value, *arena);
    return at;
  }

  const char* run_union(const Step& step, const char* at, const char* end, std::size_t row) {
    std::int64_t branch;
    at = avro::read_long(at, end, branch);
    if (at == nullptr || branch < 0 || branch >= static_cast<std::int64_t>(step.steps.size())) return nullptr;
    const Step& taken = step.steps[static_cast<std::size_t>(branch)];
    if (step.op == Op::union_ || taken.op == Op::null) return run(taken, at, end, row);
    step.out->set_null(row);
    step.out->mark_present(row);
    return run(taken, at, end, row);
  }

  const char* run_list(const Step& step, const char* at, const char* end, std::size_t row) {
    ColumnWriter& out = *step.out;
    out.begin_list(row);
    for (;;) {
      std::int64_t items, size;
      at = avro::read_block(at, end, items, size);
      if (at == nullptr) return nullptr;
      if (items == 0) break;
      if (!avro::plausible(items, at, end)) return nullptr;
      for (; items > 0; --items) {
        const std::size_t element = out.next_element();
        if (step.op == Op::map) {
          std::string_view key;
          at = avro::read_bytes(at, end, key);
          if (at == nullptr) return nullptr;
          if (!store_text(key, out.child(0), element, *arena)) return misfit(step);
        }
        for (const Step& part : step.steps)
          if ((at = run(part, at, end, element)) == nullptr) return nullptr;
        out.add_element();
      }
    }
    out.end_list(row);
    return at;
  }

  const char* run_other(const Step& step, const char* at, const char* end, std::size_t row) {
    std::int64_t number;
    std::string_view bytes;
    switch (step.op) {
      case Op::number:
        at = avro::read_long(at, end, number);
        if (at == nullptr) return nullptr;
        if (step.node->logical == Logical::time_micros || step.node->logical == Logical::timestamp_micros)
          number = floor_div(number, 1000);
        return check(store_integer(number, *step.out, row, *arena), step, at);
      case Op::float_: {
        if (end - at < 4) return nullptr;
        float value;
        std::memcpy(&value, at, 4);
        return check(store_double(value, *step.out, row, *arena), step, at + 4);
      }
      case Op::double_: {
        if (end - at < 8) return nullptr;
        double value;
        std::memcpy(&value, at, 8);
        return check(store_double(value, *step.out, row, *arena), step, at + 8);
      }
      case Op::bytes:
        at = avro::read_bytes(at, end, bytes);
        if (at != nullptr) step.out->set(row, bytes);
        return at;
      case Op::fixed:
        if (static_cast<std::size_t>(end - at) < step.node->size) return nullptr;
        step.out->set(row, std::string_view(at, step.node->size));
        return at + step.node->size;
      case Op::enumeration:
        at = avro::read_long(at, end, number);
        if (at == nullptr || number < 0 || number >= static_cast<std::int64_t>(step.node->symbols.size()))
          return nullptr;
        step.out->set(row, std::string_view(step.node->symbols[static_cast<std::size_t>(number)]));
        return at;
      case Op::decimal:
        return run_decimal(step, at, end, row);
      default:
        return misfit(step);
    }
  }

  const char* run_decimal(const Step& step, const char* at, const char* end, std::size_t row) {
    std::string_view bytes;
    if (step.node->kind == Kind::fixed) {
      if (static_cast<std::size_t>(end - at) < step.node->size) return nullptr;
      bytes = {at, step.node->size};
      at += step.node->size;
    } else if ((at = avro::read_bytes(at, end, bytes)) == nullptr) {
      return nullptr;
    }
    Int128 unscaled;
    if (!read_big_integer(bytes, unscaled)) return misfit(step);
    return check(store_decimal(unscaled, step.node->scale, *step.out, row, *arena), step, at);
  }
};

AvroReader::AvroReader(avro::SchemaPtr writer, avro::SchemaPtr reader, const std::vector<std::string>& names,
                       std::vector<ColumnWriter>& writers, bool bare)
    : state_(std::make_unique<State>()) {
  state_->writer = std::move(writer);
  state_->reader = std::move(reader);
  const Node* root = state_->writer->root;
  const Node* known = state_->reader ? state_->reader->root : nullptr;
  Compiler compiler;
  if (bare) {
    state_->root = writers.empty() ? Step{.op = Op::skip, .node = root, .steps = {}, .fills = {}}
                                   : compiler.compile(*root, known, writers.front());
    return;
  }
  std::vector<Want> wants;
  for (std::size_t i = 0; i < names.size(); ++i) wants.push_back({names[i], &writers[i]});
  const auto record = [&](const Node& node) {
    Step step;
    if (node.kind == Kind::record) {
      compiler.compile_record(step, node, plain(known), wants);
    } else {
      step.op = Op::skip;
      step.node = &node;
      for (const Want& want : wants) step.fills.push_back({want.out, Value()});
    }
    return step;
  };
  if (root->kind != Kind::union_) {
    state_->root = record(*root);
    return;
  }
  state_->root = {.op = Op::union_, .node = root, .steps = {}, .fills = {}};
  for (const Node* branch : root->branches) state_->root.steps.push_back(record(*branch));
}
AvroReader::~AvroReader() = default;

bool AvroReader::read(std::string_view bytes, std::size_t row, std::shared_ptr<Arena>& arena) {
  state_->reason.clear();
  state_->arena = &arena;
  const char* const end = bytes.data() + bytes.size();
  const char* at = state_->run(state_->root, bytes.data(), end, row);
  if (at == end) return true;
  if (at != nullptr) state_->reason = fmt::format("{} bytes too many behind the Avro datum", end - at);
  if (state_->reason.empty()) state_->reason = "malformed Avro datum";
  return false;
}

const std::string& AvroReader::reason() const {
  return state_->reason;
}

}  // namespace millrace::inline exec
