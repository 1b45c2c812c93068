#include "exec/log/kafka/group.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <memory>
#include <thread>

#include "parser/error/freed_by.h"

namespace millrace::inline exec::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto kWait = 2s;
constexpr auto kAgain = 50ms;

using GroupsPtr = std::unique_ptr<const rd_kafka_group_list, FreedBy<rd_kafka_group_list_destroy>>;

/// Reads what Kafka's protocol writes; after the end of the bytes everything is 0 or empty.
class ProtocolReader {
 public:
  explicit ProtocolReader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    std::make_unsigned_t<T> value = 0;
    for (const char byte : take(sizeof(T)))
      value = static_cast<std::make_unsigned_t<T>>(value << 8U) | static_cast<unsigned char>(byte);
    return static_cast<T>(value);
  }
  std::string_view text() { return take(static_cast<std::size_t>(std::max<std::int16_t>(0, number<std::int16_t>()))); }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

/// In what rd_kafka_list_groups has given.
Result<std::vector<GroupMember>> members_in(const rd_kafka_group_list* groups, const std::string& topic,
                                            std::string_view doing) {
  std::vector<GroupMember> members;
  for (int g = 0; groups != nullptr && g < groups->group_cnt; ++g) {
    const rd_kafka_group_info& one = groups->groups[g];
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(one.err, doing);
    for (int m = 0; m < one.member_cnt; ++m) {
      const rd_kafka_group_member_info& member = one.members[m];
      const std::string_view assignment(static_cast<const char*>(member.member_assignment),
                                        static_cast<std::size_t>(member.member_assignment_size));
      members.push_back({member.client_id, instance_of(member.member_id), assigned_partitions(assignment, topic)});
    }
  }
  return members;
}

}  // namespace

std::string instance_of(std::string_view member_id) {
  constexpr std::size_t kRandom = sizeof "-01234567-89ab-cdef-0123-456789abcdef" - 1;
  if (member_id.size() <= kRandom || member_id[member_id.size() - kRandom] != '-') return {};
  return std::string(member_id.substr(0, member_id.size() - kRandom));
}

std::vector<std::int32_t> assigned_partitions(std::string_view assignment, std::string_view topic) {
  std::vector<std::int32_t> found;
  ProtocolReader from(assignment);
  from.number<std::int16_t>();  // later versions only add to the end
  for (auto topics = from.number<std::int32_t>(); topics > 0 && !from.at_end(); --topics) {
    const bool wanted = from.text() == topic;
    for (auto count = from.number<std::int32_t>(); count > 0 && !from.at_end(); --count) {
      const auto partition = from.number<std::int32_t>();
      if (wanted) found.push_back(partition);
    }
  }
  return found;
}

std::shared_ptr<rd_kafka_s> GroupLook::client() {
  const MutexLock lock(mutex_);
  if (first_ != nullptr) return {std::shared_ptr<rd_kafka_s>(), first_};
  if (!later_)
    if (auto made = make_()) later_ = std::move(*made);
  return later_;
}

void GroupLook::give_up(const std::shared_ptr<rd_kafka_s>& client) {
  std::shared_ptr<rd_kafka_s> last;  // it may take a while to end
  const MutexLock lock(mutex_);
  if (client.get() == first_) first_ = nullptr;
  if (client == later_) last = std::move(later_);
}

Result<std::vector<GroupMember>> GroupLook::members(const std::string& group, const std::string& topic,
                                                    const Ending& ending) {
  const std::string doing = fmt::format("ask for the members of group '{}'", group);
  const auto deadline = Clock::now() + ending.bound(kWait);
  while (true) {
    const std::shared_ptr<rd_kafka_s> asked = client();
    if (!asked) return external_error("Kafka: {}: no client", doing);
    const rd_kafka_group_list* answer = nullptr;
    const auto code = rd_kafka_list_groups(asked.get(), group.c_str(), &answer, left_ms(deadline));
    const GroupsPtr groups(answer);
    // Partial: its coordinator has told, others have not.
    const bool partial = code == RD_KAFKA_RESP_ERR__PARTIAL;
    if (partial || code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT) give_up(asked);
    if (partial || code == RD_KAFKA_RESP_ERR_NO_ERROR) return members_in(groups.get(), topic, doing);
    if (Clock::now() + kAgain >= deadline || ending.over()) return error_of(code, doing);
    std::this_thread::sleep_for(kAgain);
  }
}

}  // namespace millrace::inline exec::kafka
