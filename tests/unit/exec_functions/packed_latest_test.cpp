#include "exec/functions/packed_latest.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "exec/functions/builtin.h"

namespace millrace {
namespace {

const std::vector<Type> kTypes = {Type::bigint(),  Type::string(),   Type::boolean(), Type::decimal(20, 2),
                                  Type::double_(), Type::bytes(),    Type::integer(), Type::string(),
                                  Type::date(),    Type::timestamp()};

AggregateCall call_of(const Type& type, const char* name = "LATEST_BY_OFFSET") {
  AggregateCall call;
  call.function = builtin_functions().find(name);
  call.variant = 0;
  auto expr = std::make_shared<Expr>();
  expr->type = type;
  expr->node = ColumnExpr{0};
  call.arguments.push_back(std::move(expr));
  call.column.type = type;
  return call;
}

std::vector<AggregateCall> calls_of(const std::vector<Type>& types) {
  std::vector<AggregateCall> calls;
  for (const Type& type : types) calls.push_back(call_of(type));
  return calls;
}

/// A state of all calls, one after the other, and one of them packed.
class Both {
 public:
  explicit Both(const std::vector<AggregateCall>& calls) : pack_(calls), memory_(16 + 48 * calls.size()) {
    for (const AggregateCall& call : calls) single_.push_back(make_aggregate(call));
    pack_.init(packed());
    for (std::size_t c = 0; c < single_.size(); ++c) single_[c]->init(state(c));
  }
  ~Both() {
    pack_.destroy(packed());
    for (std::size_t c = 0; c < single_.size(); ++c) single_[c]->destroy(state(c));
  }
  Both(const Both&) = delete;
  Both& operator=(const Both&) = delete;

  void add(const std::vector<ColumnPtr>& columns) {
    std::vector<std::uint32_t> rows(columns.front()->size);
    std::iota(rows.begin(), rows.end(), 0U);
    EXPECT_TRUE(pack_.update(std::vector(rows.size(), packed()), 0, columns, rows));
    for (std::size_t c = 0; c < single_.size(); ++c)
      EXPECT_TRUE(single_[c]->update(std::vector(rows.size(), state(c)), 0, {&columns[c], 1}, rows));
  }
  void merge(const Both& from) {
    EXPECT_TRUE(pack_.merge(packed(), from.packed()));
    for (std::size_t c = 0; c < single_.size(); ++c) EXPECT_TRUE(single_[c]->merge(state(c), from.state(c)));
  }
  void merge_encoded(const Both& from) {
    std::string bytes = from.encode_packed() + "rest";
    std::string_view in[] = {bytes};
    std::byte* into[] = {packed()};
    EXPECT_TRUE(pack_.merge_encoded(into, 0, in));
    EXPECT_EQ(in[0], "rest");
    for (std::size_t c = 0; c < single_.size(); ++c) EXPECT_TRUE(single_[c]->merge(state(c), from.state(c)));
  }
  std::string encode_packed() const {
    std::string bytes;
    pack_.encode(packed(), bytes);
    return bytes;
  }
  std::string encode_single() const {
    std::string bytes;
    for (std::size_t c = 0; c < single_.size(); ++c) single_[c]->encode(state(c), bytes);
    return bytes;
  }
  /// Each from what the other encodes.
  void exchange() {
    const std::string of_single = encode_single() + "rest", of_packed = encode_packed() + "rest";
    pack_.destroy(packed());
    std::string_view in = of_single;
    ASSERT_TRUE(pack_.decode(in, packed()));
    EXPECT_EQ(in, "rest");
    in = of_packed;
    for (std::size_t c = 0; c < single_.size(); ++c) {
      single_[c]->destroy(state(c));
      ASSERT_TRUE(single_[c]->decode(in, state(c)));
    }
    EXPECT_EQ(in, "rest");
  }
  void expect_equal() const {
    const std::byte* packed_state[] = {packed()};
    const auto all = pack_.results(packed_state, 0, 0, single_.size());
    for (std::size_t c = 0; c < single_.size(); ++c) {
      const std::byte* one[] = {state(c)};
      const Value expected = get_value(*single_[c]->result(one, 0), 0);
      EXPECT_EQ(get_value(*all[c], 0), expected) << c;
      EXPECT_EQ(get_value(*pack_.results(packed_state, 0, c, c + 1).front(), 0), expected) << c;
    }
  }

 private:
  std::byte* packed() { return memory_.data(); }
  const std::byte* packed() const { return memory_.data(); }
  std::byte* state(std::size_t c) { return memory_.data() + 16 + 48 * c; }
  const std::byte* state(std::size_t c) const { return memory_.data() + 16 + 48 * c; }

  const PackedLatest pack_;
  std::vector<std::unique_ptr<Aggregate>> single_;
  std::vector<std::byte> memory_;
};

Value random_value(const Type& type, std::mt19937& random) {
  const auto number = [&](int most) {
    return static_cast<std::int32_t>(random() % static_cast<unsigned>(most)) - most / 3;
  };
  if (random() % 3 == 0) return {};
  switch (type.kind()) {
    case TypeKind::timestamp:
      return Value(Timestamp{number(1000) * std::int64_t{1'000'000}});
    case TypeKind::date:
      return Value(Date{number(1000)});
    case TypeKind::bigint:
      return Value(std::int64_t{number(1000)} << random() % 40);
    case TypeKind::boolean:
      return Value(random() % 2 == 0);
    case TypeKind::decimal:
      return Value(Decimal{number(100'000), 2});
    case TypeKind::double_:
      return Value(number(1000) / 7.0);
    case TypeKind::string:
      return Value(std::string(random() % 40, static_cast<char>('a' + random() % 26)));
    case TypeKind::bytes:
      return Value(Bytes{std::string(random() % 9, '\0')});
    default:
      return Value(number(1000));
  }
}

std::vector<ColumnPtr> random_rows(std::size_t rows, std::mt19937& random) {
  std::vector<ColumnPtr> columns;
  for (const Type& type : kTypes) {
    ColumnBuilder builder(type);
    for (std::size_t row = 0; row < rows; ++row) builder.append(random_value(type, random));
    columns.push_back(builder.finish());
  }
  return columns;
}

TEST(PackedLatest, IsWhatTheCallsAreOneByOne) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    Both one(calls_of(kTypes)), other(calls_of(kTypes));
    one.expect_equal();
    for (int step = 0; step < 6; ++step) {
      Both& chosen = random() % 2 == 0 ? one : other;
      switch (random() % 5) {
        case 0:
          one.merge(other);
          break;
        case 1:
          one.merge_encoded(other);
          break;
        case 2:
          chosen.exchange();
          break;
        default:
          chosen.add(random_rows(random() % 4 + 1, random));
      }
      one.expect_equal();
      other.expect_equal();
    }
  }
}

TEST(PackedLatest, TakesNoBrokenState) {
  std::mt19937 random(8);
  Both both(calls_of(kTypes));
  both.add(random_rows(9, random));
  const std::string bytes = both.encode_packed();
  const PackedLatest pack(calls_of(kTypes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::byte* state = nullptr;
    std::string_view cut(bytes.data(), size);
    EXPECT_FALSE(pack.decode(cut, reinterpret_cast<std::byte*>(&state))) << size;
    std::byte* made[] = {reinterpret_cast<std::byte*>(&state)};
    std::string_view again[] = {{bytes.data(), size}};
    EXPECT_FALSE(pack.merge_encoded(made, 0, again)) << size;
    EXPECT_EQ(state, nullptr);
  }
}

TEST(PackedLatest, IsWorthItWithTextsSideBySide) {
  EXPECT_EQ(PackedLatest::count(calls_of({Type::bigint(), Type::string()})), 2U);
  EXPECT_EQ(PackedLatest::count(calls_of({Type::string(), Type::bytes(), Type::array(Type::string())})), 2U);
  EXPECT_EQ(PackedLatest::count(calls_of({Type::string()})), 0U);
  EXPECT_EQ(PackedLatest::count(calls_of({Type::bigint(), Type::bigint()})), 0U);
  auto calls = calls_of({Type::string(), Type::string(), Type::string()});
  calls[2].filter = calls[2].arguments.front();
  EXPECT_EQ(PackedLatest::count(calls), 2U);
  calls[1] = call_of(Type::string(), "EARLIEST_BY_OFFSET");
  EXPECT_EQ(PackedLatest::count(calls), 0U);
}

}  // namespace
}  // namespace millrace
