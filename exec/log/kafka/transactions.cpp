#include "exec/log/kafka/transactions.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <thread>

#include "exec/log/failpoint.h"

namespace millrace::inline exec::kafka {

namespace {

using namespace std::chrono_literals;

constexpr int kCallMs = 500;  // one try, after which stop() is looked at
constexpr auto kShortFlush = 20ms;
constexpr auto kForEver = 24h * 365;  // the log ends what lasts longer than its transaction timeout
constexpr auto kCatchUp = 3s;         // for the process to be told what its group has decided

Error transaction_error(const rd_kafka_error_t* error, std::string_view doing) {
  Error found = error_of(rd_kafka_error_code(error), doing, rd_kafka_error_string(error));
  if (rd_kafka_error_is_fatal(error)) found.fault = Fault::fenced;
  return found;
}

}  // namespace

template <class Call>
Status Transactions::repeat(std::string_view doing, std::chrono::milliseconds wait, Call&& call) {
  const auto deadline = Clock::now() + wait;
  while (true) {
    const ErrorPtr error(call(kCallMs));
    if (!error) return {};
    const bool again = rd_kafka_error_is_retriable(error.get()) && !rd_kafka_error_is_fatal(error.get()) &&
                       !rd_kafka_error_txn_requires_abort(error.get());
    if (!again || stopped() || Clock::now() >= deadline) return transaction_error(error.get(), doing);
    std::this_thread::sleep_for(2ms);  // most of the time has passed in the call
  }
}

Status Transactions::begin() {
  const ErrorPtr error(rd_kafka_begin_transaction(client_));
  if (error) return transaction_error(error.get(), "begin a transaction");
  return {};
}

Status Transactions::init(std::chrono::milliseconds wait) {
  Status ready =
      repeat("initialise transactions", wait, [&](int ms) { return rd_kafka_init_transactions(client_, ms); });
  if (!ready) return ready;
  return begin();
}

Status Transactions::flush() {
  // Records that cannot be delivered end by their own timeout, and the next call reports that. librdkafka looks every
  // 10 ms whether all have arrived, or at the end of a shorter call; few are there within the first milliseconds.
  const auto began = Clock::now();
  const auto wait = [&] { return Clock::now() - began < kShortFlush ? 1 : kCallMs; };
  while (rd_kafka_flush(client_, wait()) == RD_KAFKA_RESP_ERR__TIMED_OUT)
    if (stopped()) return external_error("Kafka: stopped before a transaction was flushed");
  return {};
}

Status Transactions::prove(std::uint64_t grant) {
  if (!fence_) return {};
  const GroupFence::Proof proof = fence_->proof(grant, kCatchUp);
  if (!proof) return Error{Fault::fenced, "this process has lost the slots that it wrote for"};
  const std::unique_ptr<rd_kafka_topic_partition_list_t, decltype(&rd_kafka_topic_partition_list_destroy)> offsets(
      rd_kafka_topic_partition_list_new(1), rd_kafka_topic_partition_list_destroy);
  rd_kafka_topic_partition_list_add(offsets.get(), fence_->slots_topic().c_str(), 0)->offset = 0;
  return repeat("prove the ownership of slots", kForEver,
                [&](int ms) { return rd_kafka_send_offsets_to_transaction(client_, offsets.get(), proof.get(), ms); });
}

Status Transactions::commit(std::uint64_t grant, const std::function<Status()>& before_end) {
  if (Status flushed = flush(); !flushed) return flushed;
  if (Status proved = prove(grant); !proved) return proved;
  if (before_end)
    if (Status ready = before_end(); !ready) return ready;
  if (Status hit = failpoint::hit(failpoint::kBeforeEnd); !hit) return hit;
  Status ended =
      repeat("commit a transaction", kForEver, [&](int ms) { return rd_kafka_commit_transaction(client_, ms); });
  if (!ended) {
    // Whether the log has heard of it is not known, unless it said so.
    if (stopped()) return Error{Fault::fenced, ended.error().message + "; its outcome is unknown"};
    return ended;
  }
  return begin();
}

Status Transactions::abort(std::chrono::milliseconds wait) {
  Status ended = repeat("abort a transaction", wait, [&](int ms) { return rd_kafka_abort_transaction(client_, ms); });
  if (!ended) return ended;
  return begin();
}

}  // namespace millrace::inline exec::kafka
