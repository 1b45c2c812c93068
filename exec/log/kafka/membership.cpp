#include "exec/log/kafka/membership.h"

#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <thread>

#include "exec/log/kafka/log.h"
#include "parser/error/freed_by.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace kafka {

namespace {

using namespace std::chrono_literals;

constexpr auto kLookAgain = 5ms;
constexpr auto kWatchEvery = 100ms;
constexpr auto kNoticing = 1s;  // several heartbeats
constexpr int kProbesPerSession = 6;

std::string text_of(const rd_kafka_consumer_group_metadata_t* metadata) {
  void* bytes = nullptr;
  std::size_t size = 0;
  if (rd_kafka_error_t* error = rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size)) {
    rd_kafka_error_destroy(error);
    return "";
  }
  std::string text(static_cast<const char*>(bytes), size);
  rd_kafka_mem_free(nullptr, bytes);
  return text;
}

}  // namespace

void GroupFence::attach(rd_kafka_s* consumer) {
  MutexLock lock(mutex_);
  consumer_ = consumer;
  if (consumer == nullptr) probed_.wait(lock, [&]() REQUIRES(mutex_) { return !probing_; });
}

// It asks for an offset of the group: by the same connection as the heartbeats, after them.
bool GroupFence::probe(std::chrono::milliseconds wait) {
  MutexLock lock(mutex_);
  if (consumer_ == nullptr) return false;
  rd_kafka_s* const consumer = consumer_;
  probing_ = true;
  lock.unlock();
  rd_kafka_topic_partition_list_t* offsets = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(offsets, slots_topic_.c_str(), 0);
  const auto code = rd_kafka_committed(consumer, offsets, static_cast<int>(wait.count()));
  rd_kafka_topic_partition_list_destroy(offsets);
  lock.lock();
  probing_ = false;
  probed_.notify_all();
  return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void GroupFence::capture() {
  const MutexLock lock(mutex_);
  if (!consumer_) return;
  rd_kafka_consumer_group_metadata_t* metadata = rd_kafka_consumer_group_metadata(consumer_);
  proof_text_ = metadata ? text_of(metadata) : "";
  proof_ = metadata ? Proof(metadata, rd_kafka_consumer_group_metadata_destroy) : nullptr;
  captured_.notify_all();
}

void GroupFence::drop() {
  const MutexLock lock(mutex_);
  proof_.reset();
  ++grant_;
  captured_.notify_all();
}

std::uint64_t GroupFence::grant() {
  const MutexLock lock(mutex_);
  return grant_;
}

bool GroupFence::lost() {
  const MutexLock lock(mutex_);
  return consumer_ != nullptr && rd_kafka_assignment_lost(consumer_) != 0;
}

bool GroupFence::current() {
  if (!consumer_) return true;
  const Proof now(rd_kafka_consumer_group_metadata(consumer_), [](rd_kafka_consumer_group_metadata_t* metadata) {
    if (metadata) rd_kafka_consumer_group_metadata_destroy(metadata);
  });
  return now && text_of(now.get()) == proof_text_;
}

GroupFence::Proof GroupFence::proof(std::uint64_t grant, std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  MutexLock lock(mutex_);
  while (grant == grant_ && proof_ && !current() && Clock::now() < deadline) captured_.wait_for(lock, kLookAgain);
  return grant == grant_ ? proof_ : nullptr;
}

SessionWatch::SessionWatch(std::shared_ptr<GroupFence> fence, std::chrono::milliseconds session,
                           std::chrono::milliseconds heartbeat)
    : fence_(std::move(fence)),
      patience_(session / 2),
      session_left_(session - std::min(2 * heartbeat, session / 3)),
      seen_alive_(Clock::now().time_since_epoch().count()),
      thread_([this] { run(); }),
      prober_([this] { probe(); }) {}

SessionWatch::~SessionWatch() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    wake_.notify_all();
  }
  thread_.join();
  prober_.join();
}

void SessionWatch::probe() {
  const auto apart = std::chrono::ceil<std::chrono::milliseconds>(session_left_ / kProbesPerSession);
  bool answered = false;
  MutexLock lock(mutex_);
  while (!wake_.wait_for(lock, answered ? apart : kWatchEvery, [&]() REQUIRES(mutex_) { return ending_; })) {
    lock.unlock();
    const Clock::duration asked = Clock::now().time_since_epoch();
    answered = fence_->probe(apart);
    if (answered) heard_ = asked.count();
    lock.lock();
  }
}

void SessionWatch::run() {
  MutexLock lock(mutex_);
  while (!wake_.wait_for(lock, kWatchEvery, [&]() REQUIRES(mutex_) { return ending_; })) {
    const Clock::duration now = Clock::now().time_since_epoch();
    if (now - Clock::duration(seen_alive_) > patience_) trusted_from_ = (now + kNoticing).count();
    lost_ = fence_->lost();
    seen_alive_ = now.count();
  }
}

bool SessionWatch::is_current() const {
  const Clock::rep now = Clock::now().time_since_epoch().count();
  return now - seen_alive_ < patience_.count() && now >= trusted_from_ && now - heard_ < session_left_.count() &&
         !lost_;
}

}  // namespace kafka

namespace {

std::chrono::milliseconds session_of(const KafkaOptions& options) {
  for (const auto& [name, value] : options.properties)
    if (name == "session.timeout.ms") return std::chrono::milliseconds(std::atoll(value.c_str()));
  return options.session_timeout;
}

constexpr std::chrono::milliseconds kLeaveWait{2000}, kCloseWait{5000}, kLeaveLook{10};
constexpr std::chrono::milliseconds kRejoinFirst{100}, kRejoinLongest{5000};

std::vector<SlotId> slots_of(const rd_kafka_topic_partition_list_t* partitions) {
  std::vector<SlotId> slots;
  for (int i = 0; i < partitions->cnt; ++i) slots.push_back(SlotId{partitions->elems[i].partition});
  return slots;
}

void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* partitions, void* member) {
  static_cast<KafkaMembership*>(member)->rebalanced(event, partitions);
}

void report(rd_kafka_error_t* error, std::string_view what) {
  if (!error) return;
  spdlog::warn("membership: {}: {}", what, rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
}

}  // namespace

KafkaMembership::KafkaMembership(KafkaLog& log, std::string group, std::string slots_topic, int slots,
                                 std::string advertised)
    : log_(log),
      group_(std::move(group)),
      slots_topic_(std::move(slots_topic)),
      slots_(slots),
      advertised_(std::move(advertised)),
      fence_(std::make_shared<kafka::GroupFence>(slots_topic_)),
      watch_(fence_, session_of(log.options()), log.options().heartbeat) {}

KafkaMembership::~KafkaMembership() {
  fence_->drop();
  let_go();
}

// librdkafka 2.0.2 aborts the process when a consumer ends that has chosen an assignor, but has had no assignment yet:
// while its JoinGroup or SyncGroup is under way. Such a one is left to itself; nobody polls it.
void KafkaMembership::let_go() {
  fence_->attach(nullptr);
  if (consumer_ && !assigned_) {
    kafka::abandon(consumer_.release());
  }
  consumer_.reset();
}

Status KafkaMembership::join(const std::string& member_id, Events events) {
  const MutexLock lock(mutex_);
  if (consumer_) return Error{Fault::bug, "joined already"};
  events_ = std::move(events);
  member_id_ = member_id;
  leaving_ = false;
  return subscribe();
}

Status KafkaMembership::subscribe() {
  const KafkaOptions& options = log_.options();
  auto made =
      kafka::make_client(options, {.kind = kafka::ClientKind::consumer,
                                   .client_id = advertised_,
                                   .ending = log_.ending(),
                                   .defaults = {{"session.timeout.ms", std::to_string(options.session_timeout.count())},
                                                {"heartbeat.interval.ms", std::to_string(options.heartbeat.count())},
                                                {"max.poll.interval.ms", "120000"}},
                                   .fixed = {{"group.id", group_},
                                             {"group.instance.id", member_id_},
                                             {"partition.assignment.strategy", "cooperative-sticky"},
                                             {"enable.auto.commit", "false"},
                                             {"enable.auto.offset.store", "false"},
                                             {"auto.offset.reset", "latest"}},
                                   .callbacks = [this](rd_kafka_conf_s* conf) {
                                     rd_kafka_conf_set_opaque(conf, this);
                                     rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
                                   }});
  if (!made) return made.error();
  rd_kafka_poll_set_consumer(made->get());
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, slots_topic_.c_str(), RD_KAFKA_PARTITION_UA);
  const auto code = rd_kafka_subscribe(made->get(), topics);
  rd_kafka_topic_partition_list_destroy(topics);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka::error_of(code, fmt::format("join group '{}'", group_));
  consumer_ = std::move(*made);
  assigned_ = false;
  fence_->attach(consumer_.get());
  return {};
}

Status KafkaMembership::poll(std::chrono::milliseconds wait) {
  MutexLock lock(mutex_);
  if (!consumer_ && rejoin_at_ && Clock::now() >= *rejoin_at_) {
    rejoin_at_.reset();
    if (Status joined = subscribe(); !joined) {
      rejoin_at_ = Clock::now() + kRejoinLongest;
      return joined;
    }
  }
  if (!consumer_) {
    lock.unlock();
    std::this_thread::sleep_for(wait);
    return {};
  }
  const auto deadline = Clock::now() + wait;
  do {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer_.get(), kafka::left_ms(deadline));
    if (!message) break;
    const auto code = message->err;
    const std::string text = code == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_message_errstr(message);
    rd_kafka_message_destroy(message);
    // Records that were on their way when the partition was paused are of no interest.
    if (code == RD_KAFKA_RESP_ERR__FATAL) break;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__PARTITION_EOF)
      return kafka::error_of(code, fmt::format("group '{}'", group_), text);
  } while (Clock::now() < deadline);
  std::array<char, 256> text{};
  const auto fatal = rd_kafka_fatal_error(consumer_.get(), text.data(), text.size());
  if (fatal == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  start_over();
  return kafka::error_of(fatal, fmt::format("group '{}'", group_), text.data());
}

// A consumer with a fatal error is of no use any more. A static member meets that without another process under its
// name: when the answer to its joining is lost with the broker, its second try fences the first.
void KafkaMembership::start_over() {
  fence_->drop();
  let_go();
  const std::vector<SlotId> lost(owned_.begin(), owned_.end());
  owned_.clear();
  if (!lost.empty() && events_.lost) events_.lost(lost);
  rejoin_wait_ = std::clamp(2 * rejoin_wait_, kRejoinFirst, kRejoinLongest);
  rejoin_at_ = Clock::now() + rejoin_wait_;
}

void KafkaMembership::rebalanced(int event, rd_kafka_topic_partition_list_s* partitions) {
  mutex_.assert_held();
  const std::vector<SlotId> slots = slots_of(partitions);
  if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    assigned_ = true;
    assign(partitions);
    fence_->capture();
    owned_.insert(slots.begin(), slots.end());
    rejoin_wait_ = {};
    if (!slots.empty() && !leaving_ && events_.granted) events_.granted(slots);
    return;
  }
  if (event != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    report(rd_kafka_incremental_unassign(consumer_.get(), partitions), "rebalance");
    return;
  }
  const bool lost = rd_kafka_assignment_lost(consumer_.get()) != 0;
  for (const SlotId slot : slots) owned_.erase(slot);
  if (lost) {
    fence_->drop();
    if (!slots.empty() && !leaving_ && events_.lost) events_.lost(slots);
  } else if (!leaving_) {
    // What is revoked is ours until this call returns, in the generation that revokes it.
    fence_->capture();
    if (!slots.empty() && events_.revoked) events_.revoked(slots);
  }
  unassign(partitions);
}

void KafkaMembership::assign(rd_kafka_topic_partition_list_s* partitions) {
  // With an offset given, the group's committed ones are not asked for.
  for (int i = 0; i < partitions->cnt; ++i) partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
  report(rd_kafka_incremental_assign(consumer_.get(), partitions), "assign");
  rd_kafka_pause_partitions(consumer_.get(), partitions);
}

void KafkaMembership::unassign(rd_kafka_topic_partition_list_s* partitions) {
  report(rd_kafka_incremental_unassign(consumer_.get(), partitions), "unassign");
}

Result<std::vector<std::string>> KafkaMembership::owners() {
  const auto members = log_.admin().group(group_, slots_topic_);
  if (!members) return members.error();
  std::vector<std::string> owners(static_cast<std::size_t>(slots_));
  for (const auto& member : *members)
    for (const std::int32_t slot : member.partitions)
      if (static_cast<std::size_t>(slot) < owners.size()) owners[static_cast<std::size_t>(slot)] = member.client_id;
  return owners;
}

Result<std::vector<std::string>> KafkaMembership::members() {
  const auto members = log_.admin().group(group_, slots_topic_);
  if (!members) return members.error();
  std::vector<std::string> addresses;
  for (const auto& member : *members) addresses.push_back(member.client_id);
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

Result<std::vector<std::string>> KafkaMembership::member_ids() {
  const auto members = log_.admin().group(group_, slots_topic_);
  if (!members) return members.error();
  std::vector<std::string> ids;
  for (const auto& member : *members) ids.push_back(member.instance_id);
  return ids;
}

bool KafkaMembership::is_member() {
  const auto members = log_.admin().group(group_, slots_topic_);
  return !members || std::ranges::any_of(*members, [&](const auto& one) { return one.client_id == advertised_; });
}

// A static member does not leave its group when it ends, but when it gives up its subscription. Where others can have
// its slots, they shall have them at once; where it is alone, it finds them again sooner when it stays.
void KafkaMembership::hand_over() {
  const auto members = log_.admin().group(group_, slots_topic_);
  if (!members || members->size() < 2) return;
  const auto deadline = Clock::now() + log_.ending()->bound(kLeaveWait);
  rd_kafka_unsubscribe(consumer_.get());
  while (Clock::now() < deadline) {
    if (rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer_.get(), static_cast<int>(kLeaveLook.count())))
      rd_kafka_message_destroy(message);
    if (owned_.empty() && !is_member()) return;
  }
  spdlog::warn("membership: the group did not take the leave in time");
}

// As rd_kafka_consumer_close(), which waits for ever for what it asks of the cluster.
void KafkaMembership::close() {
  const std::unique_ptr<rd_kafka_queue_t, FreedBy<rd_kafka_queue_destroy>> events(rd_kafka_queue_new(consumer_.get()));
  const kafka::ErrorPtr refused(rd_kafka_consumer_close_queue(consumer_.get(), events.get()));
  if (refused) return;
  const auto deadline = Clock::now() + log_.ending()->bound(kCloseWait);
  while (rd_kafka_consumer_closed(consumer_.get()) == 0 && Clock::now() < deadline)
    rd_kafka_queue_poll_callback(events.get(), static_cast<int>(kLeaveLook.count()));
}

void KafkaMembership::leave() {
  const MutexLock lock(mutex_);
  rejoin_at_.reset();
  if (!consumer_) return;
  leaving_ = true;
  fence_->drop();
  if (assigned_) {
    hand_over();
    close();
  }
  let_go();
}

}  // namespace millrace::inline exec
