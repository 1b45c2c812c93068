#include "exec/formats/avro_program.h"

#include "exec/formats/avro_default.h"

namespace millrace::inline exec::avro {
namespace {

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
      const Field* known = reader && reader->kind == Kind::record ? reader->find(want.name) : nullptr;
      const Field* field = find(node, want.name, known);
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

  static const Field* find(const Node& node, std::string_view name, const Field* known) {
    if (const Field* field = node.find(name)) return field;
    if (known == nullptr) return nullptr;
    for (const std::string& alias : known->aliases)
      for (const Field& field : node.fields)
        if (field.name == alias) return &field;
    return nullptr;
  }

  static Value default_of(const Field* known, const Type& type) {
    return known && known->otherwise ? default_value(*known->otherwise, *known->type, type) : Value();
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
      names.fields.push_back({.name = branch_name(*branch), .aliases = {}, .otherwise = {}});
      for (const Want& want : fields_of(out))
        if (names.find(want.name)) inner = compile(*branch, nullptr, *want.out);
      step.steps.push_back(std::move(inner));
    }
  }
};

/// How a value of this type is passed over.
Lane passing(const Node& node) {
  Lane lane;
  const auto sized = [&](std::size_t size) {
    lane.act = Lane::Act::skip_size;
    lane.size = size;
  };
  switch (node.kind) {
    case Kind::boolean:
      sized(1);
      break;
    case Kind::float_:
      sized(4);
      break;
    case Kind::double_:
      sized(8);
      break;
    case Kind::fixed:
      sized(node.size);
      break;
    case Kind::int_:
    case Kind::long_:
    case Kind::enumeration:
      lane.act = Lane::Act::skip_varint;
      break;
    case Kind::bytes:
    case Kind::string:
      lane.act = Lane::Act::skip_bytes;
      break;
    default:
      break;
  }
  return lane;
}

Lane plain_lane(const Step& step) {
  if (step.op == Op::skip) return passing(*step.node);
  Lane lane;
  lane.out = step.out;
  if (step.op == Op::to_int32) lane.act = Lane::Act::int32;
  if (step.op == Op::to_int64) lane.act = Lane::Act::int64;
  if (step.op == Op::to_double) lane.act = Lane::Act::double_;
  if (step.op == Op::to_text) lane.act = Lane::Act::text;
  if (step.op == Op::to_boolean && step.out->kind() == TypeKind::boolean) lane.act = Lane::Act::boolean;
  return lane;
}

Lane lane_of(const Step& step) {
  const Node& node = *step.node;
  Lane lane;
  if (node.kind == Kind::union_ && node.branches.size() == 2 && node.only_branch() != nullptr) {
    const std::size_t null = node.branches[0]->kind == Kind::null ? 0 : 1;
    if (step.op == Op::union_) lane = plain_lane(step.steps[1 - null]);
    if (step.op == Op::skip) lane = passing(*node.branches[1 - null]);
    lane.marked = true;
    lane.null_mark = static_cast<char>(null * 2);
    lane.value_mark = static_cast<char>(2 - null * 2);
  } else {
    lane = plain_lane(step);
  }
  if (lane.act == Lane::Act::step) lane = {};
  lane.step = &step;
  return lane;
}

/// The rows of a datum: of a record its fields, of null none. What is neither is bad.
Step row_step(Compiler& compiler, const Node& node, const Node* known, const std::vector<Want>& wants) {
  Step step{.op = Op::misfit, .node = &node, .steps = {}, .fills = {}};
  if (node.kind == Kind::record) {
    compiler.compile_record(step, node, plain(known), wants);
  } else if (node.kind == Kind::null) {
    step.op = Op::record;
    for (const Want& want : wants) step.fills.push_back({want.out, Value()});
  }
  return step;
}

}  // namespace

Program make_program(const Node& writer, const Node* reader, const std::vector<std::string>& names,
                     std::vector<ColumnWriter>& writers, bool bare) {
  Program program;
  Compiler compiler;
  if (bare) {
    program.root = writers.empty() ? Step{.op = Op::skip, .node = &writer, .steps = {}, .fills = {}}
                                   : compiler.compile(writer, reader, writers.front());
    return program;
  }
  std::vector<Want> wants;
  for (std::size_t i = 0; i < names.size(); ++i) wants.push_back({names[i], &writers[i]});
  if (writer.kind != Kind::union_) {
    program.root = row_step(compiler, writer, reader, wants);
    program.flat = program.root.op == Op::record;
    for (const Step& step : program.root.steps)
      if (step.op != Op::skip || step.node->kind != Kind::null) program.lanes.push_back(lane_of(step));
    return program;
  }
  program.root = {.op = Op::union_, .node = &writer, .steps = {}, .fills = {}};
  for (const Node* branch : writer.branches) program.root.steps.push_back(row_step(compiler, *branch, reader, wants));
  return program;
}

}  // namespace millrace::inline exec::avro
