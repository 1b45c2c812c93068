#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/kafka/ending.h"

struct rd_kafka_s;

namespace millrace::inline exec::kafka {

struct GroupMember {
  std::string client_id;
  std::string instance_id;               // see instance_of
  std::vector<std::int32_t> partitions;  // of the topic asked for
};

/// The members of a consumer group as its coordinator knows them; none where there is no such group. Blocks, at most
/// two seconds, which it also takes while any broker of the cluster does not answer. Any thread.
///
/// By rd_kafka_list_groups, which asks all brokers: rd_kafka_DescribeConsumerGroups of librdkafka 2.0.2 ends the
/// process where it runs out of time while it looks for a coordinator that is gone.
Result<std::vector<GroupMember>> group_members(rd_kafka_s* client, const std::string& group, const std::string& topic,
                                               const Ending& ending);

/// What stands in a member's id before what the coordinator has added: the instance id of a static member, else the
/// client id.
std::string instance_of(std::string_view member_id);

/// The partitions of `topic` in what the leader of a group assigned to a member: ConsumerProtocolAssignment of Kafka's
/// protocol, of any version. Empty when it is not that.
std::vector<std::int32_t> assigned_partitions(std::string_view assignment, std::string_view topic);

}  // namespace millrace::inline exec::kafka
