#include <fmt/format.h>

#include <bit>

#include "exec/formats/avro_default.h"
#include "exec/formats/avro_format.h"
#include "exec/formats/avro_program.h"
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

using avro::Fill;
using avro::Kind;
using avro::Lane;
using avro::Logical;
using avro::Op;
using avro::Step;

struct AvroReader::State {
  avro::SchemaPtr writer, reader;
  avro::Program program;
  std::string reason;
  ArenaPtr* arena = nullptr;

  const char* misfit(const Step& step) {
    if (step.out == nullptr)
      reason = fmt::format("Avro {} is no record, which the columns need", avro::branch_name(*step.node));
    else
      reason = fmt::format("Avro {} cannot be read as {}", avro::branch_name(*step.node), step.out->type().to_string());
    return nullptr;
  }

  /// A datum that is a record.
  const char* run_lanes(const char* at, const char* end, std::size_t row) {
    for (const Lane& lane : program.lanes) {
      if (lane.marked) {
        if (at == end) return nullptr;
        const char mark = *at++;
        if (mark == lane.null_mark) {
          if (lane.out != nullptr) lane.out->set_null(row);
          continue;
        }
        if (mark != lane.value_mark) {  // another branch, or a number that is longer than it need be
          if ((at = run(*lane.step, at - 1, end, row)) == nullptr) return nullptr;
          continue;
        }
      }
      if ((at = run_lane(lane, at, end, row)) == nullptr) return nullptr;
    }
    for (const Fill& fill : program.root.fills) avro::set_value(*fill.out, row, fill.value, *arena);
    return at;
  }

  const char* run_lane(const Lane& lane, const char* at, const char* end, std::size_t row) {
    std::int64_t number;
    std::string_view bytes;
    switch (lane.act) {
      case Lane::Act::skip_varint:
        return skip_varint(at, end);
      case Lane::Act::skip_bytes:
        return avro::read_bytes(at, end, bytes);
      case Lane::Act::skip_size:
        return static_cast<std::size_t>(end - at) < lane.size ? nullptr : at + lane.size;
      case Lane::Act::int32:
        at = avro::read_number(at, end, number);
        if (at != nullptr) lane.out->set(row, static_cast<std::int32_t>(number));
        return at;
      case Lane::Act::int64:
        at = avro::read_number(at, end, number);
        if (at != nullptr) lane.out->set(row, number);
        return at;
      case Lane::Act::double_:
        if (end - at < 8) return nullptr;
        double value;
        std::memcpy(&value, at, 8);
        lane.out->set(row, value);
        return at + 8;
      case Lane::Act::text:
        at = avro::read_bytes(at, end, bytes);
        if (at != nullptr) lane.out->set(row, as_utf8(bytes, *arena));
        return at;
      case Lane::Act::boolean:
        if (at == end) return nullptr;
        lane.out->set<std::uint8_t>(row, *at != 0);
        return at + 1;
      default:
        return run(*lane.step, at, end, row);
    }
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
  const avro::Node* known = state_->reader ? state_->reader->root : nullptr;
  state_->program = avro::make_program(*state_->writer->root, known, names, writers, bare);
}
AvroReader::~AvroReader() = default;

bool AvroReader::read(std::string_view bytes, std::size_t row, std::shared_ptr<Arena>& arena) {
  state_->reason.clear();
  state_->arena = &arena;
  const char* const end = bytes.data() + bytes.size();
  const char* at = state_->program.flat ? state_->run_lanes(bytes.data(), end, row)
                                        : state_->run(state_->program.root, bytes.data(), end, row);
  if (at == end) return true;
  if (at != nullptr) state_->reason = fmt::format("{} bytes too many behind the Avro datum", end - at);
  if (state_->reason.empty()) state_->reason = "malformed Avro datum";
  return false;
}

const std::string& AvroReader::reason() const {
  return state_->reason;
}

}  // namespace millrace::inline exec
