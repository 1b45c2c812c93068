// Formats on the bids of the workloads w1 to w5 (195 bytes), beside simdjson alone. Times are per batch of 4,096 rows;
// items_per_second counts rows.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <random>

#include "exec/formats/format.h"

namespace millrace {
namespace {

ColumnDef column(const char* name, Type type) {
  return {name, std::move(type), ColumnRole::value, std::nullopt};
}

const std::vector<ColumnDef>& bid_columns() {
  static const std::vector<ColumnDef> columns = {column("AUCTION", Type::bigint()), column("BIDDER", Type::bigint()),
                                                 column("PRICE", Type::bigint()),   column("CHANNEL", Type::string()),
                                                 column("URL", Type::string()),     column("DATETIME", Type::bigint()),
                                                 column("EXTRA", Type::string())};
  return columns;
}

struct Texts {
  std::shared_ptr<std::string> bytes = std::make_shared<std::string>();
  std::vector<std::optional<std::string_view>> rows;
};

Texts make_bids() {
  Texts texts;
  std::mt19937_64 random(1);
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < kMaxBatchRows; ++i) {
    *texts.bytes += fmt::format(
        R"({{"auction":{},"bidder":{},"price":{},"channel":"channel-{}","url":"https://www.nexmark.com/{}/item.htm?query=1","dateTime":{},"extra":"{:016x}{:016x}"}})",
        random() % 100000, random() % 50000, random() % 1000000, random() % 1000, random() % 1000000,
        1700000000000 + i / 10, random(), random());
    ends.push_back(texts.bytes->size());
  }
  std::size_t from = 0;
  for (const std::size_t end : ends) {
    texts.rows.emplace_back(std::string_view(*texts.bytes).substr(from, end - from));
    from = end;
  }
  return texts;
}

const Texts& bids() {
  static const Texts texts = make_bids();
  return texts;
}

std::vector<std::size_t> everything() {
  return {0, 1, 2, 3, 4, 5, 6};
}

std::vector<ColumnPtr> decode(Decoder& decoder, const Texts& texts) {
  std::vector<ColumnPtr> out;
  Bitmap bad;
  RowErrors errors;
  decoder.decode(texts.rows, texts.bytes, out, bad, errors);
  if (errors.count != 0) std::abort();
  return out;
}

void count_rows(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kMaxBatchRows));
}

/// The texts that `format` gives for the bids.
Texts encoded_bids(const FormatInfo& format) {
  const auto columns = decode(*make_decoder({"JSON", ',', true}, bid_columns(), everything(), false), bids());
  Encoded out;
  if (!make_encoder(format, bid_columns(), false)->encode(columns, kMaxBatchRows, out)) std::abort();
  Texts texts;
  *texts.bytes = out.bytes;
  for (std::size_t i = 0; i < kMaxBatchRows; ++i) {
    const std::size_t from = i == 0 ? 0 : out.ends[i - 1];
    texts.rows.emplace_back(std::string_view(*texts.bytes).substr(from, out.ends[i] - from));
  }
  return texts;
}

void decode_with(benchmark::State& state, const FormatInfo& format, const std::vector<std::size_t>& wanted) {
  const Texts texts = format.name == "JSON" ? bids() : encoded_bids(format);
  const auto decoder = make_decoder(format, bid_columns(), wanted, false);
  for (auto _ : state) benchmark::DoNotOptimize(decode(*decoder, texts));
  count_rows(state);
}

void encode_with(benchmark::State& state, const FormatInfo& format, const std::vector<ColumnDef>& columns,
                 const std::vector<ColumnPtr>& values) {
  const auto encoder = make_encoder(format, columns, false);
  Encoded out;
  for (auto _ : state) {
    out.clear();
    if (!encoder->encode(values, kMaxBatchRows, out)) std::abort();
    benchmark::DoNotOptimize(out.bytes.data());
  }
  count_rows(state);
}

// What the hand-written bound does: copy to a padded buffer, on demand, four fields by name.
void SimdjsonFourFields(benchmark::State& state) {
  simdjson::ondemand::parser parser;
  std::vector<char> padded(4096);
  std::vector<std::int64_t> out(kMaxBatchRows * 4);
  for (auto _ : state) {
    std::int64_t* to = out.data();
    for (const auto& row : bids().rows) {
      std::memcpy(padded.data(), row->data(), row->size());
      auto document = parser.iterate(padded.data(), row->size(), padded.size());
      auto object = document.get_object();
      for (const char* name : {"auction", "bidder", "price", "dateTime"}) *to++ = object[name].get_int64();
    }
    benchmark::DoNotOptimize(out.data());
  }
  count_rows(state);
}
BENCHMARK(SimdjsonFourFields);

void JsonDecodeFourFields(benchmark::State& state) {
  decode_with(state, {"JSON", ',', true}, {0, 1, 2, 5});
}
BENCHMARK(JsonDecodeFourFields);
void JsonDecodeTwoFields(benchmark::State& state) {
  decode_with(state, {"JSON", ',', true}, {0, 2});
}
BENCHMARK(JsonDecodeTwoFields);
void JsonDecodeSevenFields(benchmark::State& state) {
  decode_with(state, {"JSON", ',', true}, everything());
}
BENCHMARK(JsonDecodeSevenFields);
void DelimitedDecodeFourFields(benchmark::State& state) {
  decode_with(state, {"DELIMITED", ',', true}, {0, 1, 2, 5});
}
BENCHMARK(DelimitedDecodeFourFields);
void RowDecodeFourFields(benchmark::State& state) {
  decode_with(state, {"ROW", ',', true}, {0, 1, 2, 5});
}
BENCHMARK(RowDecodeFourFields);

std::vector<ColumnPtr> bid_values(const std::vector<std::size_t>& wanted) {
  return decode(*make_decoder({"JSON", ',', true}, bid_columns(), wanted, false), bids());
}

/// The output of w1: auction, bidder, price * 0.908, time.
void encode_w1(benchmark::State& state, const FormatInfo& format) {
  auto values = bid_values({0, 1, 2, 5});
  auto price = make_column(Type::double_(), kMaxBatchRows);
  for (std::size_t i = 0; i < kMaxBatchRows; ++i)
    price->values_mut<double>()[i] = static_cast<double>(values[2]->values<std::int64_t>()[i]) * 0.908;
  values[2] = price;
  encode_with(state, format,
              {column("AUCTION", Type::bigint()), column("BIDDER", Type::bigint()), column("PRICE", Type::double_()),
               column("DATETIME", Type::bigint())},
              values);
}
void JsonEncodeW1(benchmark::State& state) {
  encode_w1(state, {"JSON", ',', true});
}
BENCHMARK(JsonEncodeW1);
void DelimitedEncodeW1(benchmark::State& state) {
  encode_w1(state, {"DELIMITED", ',', true});
}
BENCHMARK(DelimitedEncodeW1);
void RowEncodeW1(benchmark::State& state) {
  encode_w1(state, {"ROW", ',', true});
}
BENCHMARK(RowEncodeW1);
void JsonEncodeSevenFields(benchmark::State& state) {
  encode_with(state, {"JSON", ',', true}, bid_columns(), bid_values(everything()));
}
BENCHMARK(JsonEncodeSevenFields);

void KafkaRoundTrip(benchmark::State& state) {
  const FormatInfo kafka{"KAFKA", ',', true};
  const std::vector<ColumnDef> key = {column("AUCTION", Type::bigint())};
  const auto encoder = make_encoder(kafka, key, true);
  const auto decoder = make_decoder(kafka, key, {0}, true);
  const auto values = bid_values({0});
  Texts texts;
  texts.rows.resize(kMaxBatchRows);
  Encoded out;
  for (auto _ : state) {
    out.clear();
    if (!encoder->encode(values, kMaxBatchRows, out)) std::abort();
    for (std::size_t i = 0; i < kMaxBatchRows; ++i) texts.rows[i] = out.row(i);
    benchmark::DoNotOptimize(decode(*decoder, texts));
  }
  count_rows(state);
}
BENCHMARK(KafkaRoundTrip);

}  // namespace
}  // namespace millrace
