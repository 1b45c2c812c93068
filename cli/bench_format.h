#pragma once

#include <string>

#include "cli/bench_workloads.h"
#include "exec/schemas/registry.h"

namespace millrace::inline cli::bench {

/// The same workload with its values in AVRO, PROTOBUF or JSON_SR, in and out. False: no such format, or a workload
/// whose inputs cannot be had in it.
bool set_format(Workload& workload, const std::string& format);

/// Gives a registry without schemas those that the inputs were written by, under the ids that they name.
Status register_inputs(const Workload& workload, SchemaRegistry& registry);

}  // namespace millrace::inline cli::bench
