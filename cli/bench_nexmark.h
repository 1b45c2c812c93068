#pragma once

#include <optional>
#include <string>

#include "cli/bench_workloads.h"

/// The auction site of the Nexmark benchmark: people register, open auctions and bid on them. Of fifty events one is a
/// person, three are auctions and the rest bids; some auctions and bidders are much busier than others.
namespace millrace::inline cli::bench {

/// The workload of a file of statements over PERSON, AUCTION and BID; its first line says which of them it reads
/// (`-- reads: bid auction`), its result goes to the topic ${result}.
Workload nexmark_workload(const std::string& name, const std::string& sql, const Shape& shape);
/// One of bench/nexmark/*.sql by its name, as it was when the program was built.
std::optional<std::string> nexmark_sql(const std::string& name);
std::string nexmark_names();

}  // namespace millrace::inline cli::bench
