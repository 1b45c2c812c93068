#include "exec/log/kafka/produce.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

namespace millrace::inline exec::kafka {

namespace {

// librdkafka takes a null pointer for a null key or value, so an empty one needs an address.
rd_kafka_vu_t memory(rd_kafka_vtype_t type, const std::optional<std::string_view>& bytes) {
  rd_kafka_vu_t argument;
  argument.vtype = type;
  const char* data = bytes ? bytes->data() : nullptr;
  if (bytes && data == nullptr) data = "";
  argument.u.mem.ptr = const_cast<char*>(data);  // only read
  argument.u.mem.size = bytes ? bytes->size() : 0;
  return argument;
}

rd_kafka_headers_t* copy_headers(std::span<const HeaderView> headers) {
  rd_kafka_headers_t* list = rd_kafka_headers_new(headers.size());
  for (const HeaderView& header : headers) {
    const char* value = header.value ? header.value->data() : nullptr;
    if (header.value && value == nullptr) value = "";
    // A null name would be measured by librdkafka.
    rd_kafka_header_add(list, header.key.data() ? header.key.data() : "", static_cast<ssize_t>(header.key.size()),
                        value, header.value ? static_cast<ssize_t>(header.value->size()) : 0);
  }
  return list;
}

constexpr std::array kRefusals{
    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,    RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
    RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    RD_KAFKA_RESP_ERR_INVALID_RECORD,        RD_KAFKA_RESP_ERR_INVALID_MSG,
    RD_KAFKA_RESP_ERR_POLICY_VIOLATION,      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,       RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
};

rd_kafka_resp_err_t acknowledged(rd_kafka_t*, rd_kafka_message_t* message, void* to) {
  auto& acknowledgements = *static_cast<Acknowledgements*>(to);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->rkt != nullptr) [[unlikely]]
    acknowledgements.failed(rd_kafka_topic_name(message->rkt), message->partition, message->err);
  if (message->_private != nullptr) acknowledgements.ended(message->_private, message->offset, message->err);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_new(rd_kafka_t* client, const rd_kafka_conf_t*, void* to, char*, std::size_t) {
  return rd_kafka_interceptor_add_on_acknowledgement(client, "millrace", acknowledged, to);
}

}  // namespace

int produce(rd_kafka_s* client, const Outgoing& record) {
  std::array<rd_kafka_vu_t, 8> arguments;
  arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
  arguments[0].u.rkt = record.topic;
  arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  arguments[1].u.i32 = record.partition;
  arguments[2] = memory(RD_KAFKA_VTYPE_VALUE, record.value);
  arguments[3] = memory(RD_KAFKA_VTYPE_KEY, record.key);
  arguments[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  arguments[4].u.i64 = wire_timestamp(record.timestamp);
  arguments[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  arguments[5].u.i = 0;  // neither copied nor freed
  arguments[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
  arguments[6].u.ptr = record.opaque;
  std::size_t count = 7;
  rd_kafka_headers_t* headers = nullptr;
  if (!record.headers.empty()) {
    headers = copy_headers(record.headers);
    arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    arguments[count].u.headers = headers;
    ++count;
  }
  rd_kafka_error_t* error = rd_kafka_produceva(client, arguments.data(), count);
  if (error == nullptr) [[likely]]
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  const auto code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  if (headers) rd_kafka_headers_destroy(headers);
  return code;
}

void report_acknowledgements(rd_kafka_conf_s* conf, Acknowledgements& to) {
  rd_kafka_conf_interceptor_add_on_new(conf, "millrace", on_new, &to);
}

bool is_refusal(int code) {
  return std::find(kRefusals.begin(), kRefusals.end(), code) != kRefusals.end();
}

}  // namespace millrace::inline exec::kafka
