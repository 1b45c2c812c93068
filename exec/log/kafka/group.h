#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/kafka/client.h"
#include "exec/log/kafka/ending.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

struct GroupMember {
  std::string client_id;
  std::string instance_id;               // see instance_of
  std::vector<std::int32_t> partitions;  // of the topic asked for
};

/// Looks for the members of consumer groups. Any thread.
///
/// By rd_kafka_list_groups, which asks all brokers: rd_kafka_DescribeConsumerGroups of librdkafka 2.0.2 ends the
/// process where it runs out of time while it looks for a coordinator that is gone. It fails, or waits in vain, while a
/// broker that it has known is gone, however well the others answer. A new client knows only those that are there, so
/// after that it asks by one.
class GroupLook {
 public:
  /// `first` outlives this; `make` makes a client like it.
  GroupLook(rd_kafka_s* first, std::function<Result<ClientPtr>()> make) : make_(std::move(make)), first_(first) {}
  /// The members of a group as its coordinator knows them; none where there is no such group. Blocks, at most two
  /// seconds.
  Result<std::vector<GroupMember>> members(const std::string& group, const std::string& topic, const Ending& ending);

 private:
  std::shared_ptr<rd_kafka_s> client();
  void give_up(const std::shared_ptr<rd_kafka_s>& client);

  const std::function<Result<ClientPtr>()> make_;
  Mutex mutex_;
  rd_kafka_s* first_ GUARDED_BY(mutex_);  // null: it has met a broker that is gone
  std::shared_ptr<rd_kafka_s> later_ GUARDED_BY(mutex_);
};

/// What stands in a member's id before what the coordinator has added: the instance id of a static member, else the
/// client id.
std::string instance_of(std::string_view member_id);

/// The partitions of `topic` in what the leader of a group assigned to a member: ConsumerProtocolAssignment of Kafka's
/// protocol, of any version. Empty when it is not that.
std::vector<std::int32_t> assigned_partitions(std::string_view assignment, std::string_view topic);

}  // namespace millrace::inline exec::kafka
