#pragma once

#include <memory>

#include "exec/formats/format.h"

namespace millrace::inline exec {

// KAFKA: one column as Kafka's own serializers write it. Behind make_decoder() and make_encoder().

/// `column` absent: there is nothing to decode.
std::unique_ptr<Decoder> make_kafka_decoder(const std::optional<ColumnDef>& column);
std::unique_ptr<Encoder> make_kafka_encoder(const std::optional<ColumnDef>& column);

}  // namespace millrace::inline exec
