#include "cli/bench_inputs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iterator>

#include "exec/formats/format.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::int64_t kFirstTime = 1'700'000'000'000;  // ms; ten events in each
constexpr std::int64_t kTableTime = 1'000'000'000'000;  // older than every bid: the table is complete before them
constexpr std::int64_t kBidders = 50'000;
constexpr std::int64_t kCommitEvery = 50'000;

std::string_view rest_of(const Shape& shape, std::string& text) {
  text = shape.keys == Shape{}.keys ? "" : fmt::format("-{}-keys", shape.keys);
  return text;
}

TopicConfig keep_for_ever(int partitions) {
  TopicConfig config;
  config.partitions = partitions;
  config.retention_ms = -1;
  return config;
}

/// Appends records in transactions of a bounded size. The first failure ends it.
class Filler {
 public:
  Filler(std::unique_ptr<Writer> writer, TopicHandle topic) : writer_(std::move(writer)), topic_(topic) {}

  void add(const InputRecord& record) {
    if (!status_) return;
    status_ = writer_->append(topic_, partition_for(record.key, kPartitions), record.key, record.value,
                              RecordTime{record.timestamp});
    if (++count_ % kCommitEvery == 0) commit();
  }
  void commit() {
    if (!status_) return;
    status_ = writer_->commit();
    if (!status_) return;
    const auto state = writer_->commit_state(std::chrono::seconds{60});
    if (state.outcome != Writer::Outcome::committed)
      status_ = state.error ? *state.error : external_error("the generator's commit did not end in time");
  }
  std::int64_t count() const { return count_; }
  const Status& status() const { return status_; }

 private:
  std::unique_ptr<Writer> writer_;
  TopicHandle topic_;
  std::int64_t count_ = 0;
  Status status_;
};

Status fill_one(Log& log, const Input& input, const std::function<void(const Input&, std::int64_t)>& progress) {
  // An empty topic beside it says that it was filled to the end.
  const std::string seal = input.topic + "-complete";
  auto sealed = log.describe_topic(seal);
  if (!sealed) return sealed.error();
  if (*sealed) return {};
  auto found = log.describe_topic(input.topic);
  if (!found) return found.error();
  if (*found)
    return user_error("the topic {} is left of a run that was interrupted; delete it or use another log", input.topic);
  if (Status made = log.create_topic(input.topic, keep_for_ever(kPartitions)); !made) return made;
  auto writer = log.writer(fmt::format("millrace-bench-generator-{}", ::getpid()), nullptr);
  if (!writer) return writer.error();
  auto topic = (*writer)->topic(input.topic);
  if (!topic) return topic.error();
  Filler filler(std::move(*writer), *topic);
  input.generate([&](const InputRecord& record) {
    filler.add(record);
    if (filler.count() % kCommitEvery == 0) progress(input, filler.count());
  });
  filler.commit();
  if (!filler.status()) return filler.status();
  return log.create_topic(seal, keep_for_ever(1));
}

}  // namespace

const Bid& BidGenerator::next() {
  bid_.time = kFirstTime + index_++ / 10;
  bid_.auction = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(keys_));
  extra_[1] = random_();
  extra_[0] = random_();
  url_ = random_() % 1'000'000;
  channel_ = random_() % 1'000;
  bid_.price = static_cast<std::int64_t>(random_() % 1'000'000);
  bid_.bidder = static_cast<std::int64_t>(random_() % kBidders);
  return bid_;
}

InputRecord BidGenerator::record() {
  key_.clear();
  value_.clear();
  fmt::format_to(std::back_inserter(key_), "{}", bid_.auction);
  fmt::format_to(std::back_inserter(value_),
                 R"({{"auction":{},"bidder":{},"price":{},"channel":"channel-{}",)"
                 R"("url":"https://www.nexmark.com/{}/item.htm?query=1","dateTime":{},"extra":"{:016x}{:016x}"}})",
                 bid_.auction, bid_.bidder, bid_.price, channel_, url_, bid_.time, extra_[0], extra_[1]);
  return {key_, value_, bid_.time};
}

Input bids_input(const Shape& shape) {
  std::string rest;
  return {.topic = fmt::format("bench-bids-{}{}", shape.events, rest_of(shape, rest)),
          .records = shape.events,
          .generate =
              [shape](const Emit& emit) {
                BidGenerator generator(shape);
                for (std::int64_t i = 0; i < shape.events; ++i) {
                  generator.next();
                  emit(generator.record());
                }
              },
          .columns = {{"AUCTION", Type::bigint()},
                      {"BIDDER", Type::bigint()},
                      {"PRICE", Type::bigint()},
                      {"CHANNEL", Type::string()},
                      {"URL", Type::string()},
                      {"DATETIME", Type::bigint()},
                      {"EXTRA", Type::string()}}};
}

std::string category_of(std::int64_t auction) {
  return fmt::format("cat-{}", auction % 20);
}

Input auctions_input(const Shape& shape) {
  return {.topic = fmt::format("bench-auctions-{}", shape.keys),
          .records = shape.keys,
          .generate =
              [shape](const Emit& emit) {
                for (std::int64_t i = 0; i < shape.keys; ++i) {
                  const std::string key = std::to_string(i);
                  const std::string value =
                      fmt::format(R"({{"id":{},"category":"{}","seller":"seller-{}"}})", i, category_of(i), i % 5'000);
                  emit({key, value, kTableTime + i});
                }
              },
          .columns = {{"ID", Type::bigint()}, {"CATEGORY", Type::string()}, {"SELLER", Type::string()}}};
}

Status fill(Log& log, const std::vector<Input>& inputs,
            const std::function<void(const Input&, std::int64_t)>& progress) {
  for (const Input& input : inputs)
    if (Status filled = fill_one(log, input, progress); !filled) return filled;
  return {};
}

}  // namespace millrace::inline cli::bench
